import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { UserError } from '../util/errors.js';
import { equalIgnoringOrder, expectField, type Fields, fieldsOf, isFields, unreadable } from './format.js';
import { readBytePair, tokensById } from './read-byte-pair.js';
import { SPECIAL_TOKENS } from './special-tokens.js';
import { CHARACTER_PATTERN, WORD_PATTERN } from './split.js';
import type { Tokenizer } from './tokenizer.js';
import { VocabularyTokenizer } from './vocabulary.js';

/**
 * Reads the parsed contents of a tokenizer.json: fourfold's own, or byte-level BPE as Llama 3, GPT-2 and Qwen 2.5 have it. Ids are those of
 * Python `tokenizers`.
 * @param config the parsed tokenizer_config.json beside another's, which names its bos, eos and pad; without it they go by well-known names.
 * @throws UserError that names what is unknown or wrong in it.
 */
export function loadTokenizer(tokenizerJson: object, config?: object): Tokenizer {
  const json = fieldsOf(tokenizerJson, 'its contents');
  const model = fieldsOf(json['model'], 'model');
  expectField(json, 'version', '', ['1.0', null]);
  if (model['type'] === 'WordLevel') return readVocabulary(json, model);
  if (model['type'] !== 'BPE') throw unreadable('a model of type BPE or WordLevel', model['type'] ?? null);
  return readBytePair(json, model, config);
}

/** A `char` or `word` tokenizer of ours. */
function readVocabulary(json: Fields, model: Fields): Tokenizer {
  const tokens = tokensById(model['vocab']);
  const split = isFields(json['pre_tokenizer']) ? json['pre_tokenizer'] : {};
  const pattern = isFields(split['pattern']) ? split['pattern']['Regex'] : undefined;
  const kind = pattern === CHARACTER_PATTERN ? 'char' : pattern === WORD_PATTERN ? 'word' : undefined;
  if (kind === undefined)
    throw unreadable("for a model of type WordLevel one of fourfold's own split patterns", pattern ?? json['pre_tokenizer'] ?? null);
  const hasSpecial = tokens[0] === SPECIAL_TOKENS[0];
  if (hasSpecial && SPECIAL_TOKENS.some((token, id) => tokens[id] !== token)) {
    throw unreadable(`the special tokens ${SPECIAL_TOKENS[0]} … ${SPECIAL_TOKENS.at(-1)} with the ids 0 to 15`, tokens.slice(0, 16));
  }
  const tokenizer = new VocabularyTokenizer(kind, tokens);
  if (equalIgnoringOrder(json, tokenizer.toJSON())) return tokenizer;
  throw unreadable('for a model of type WordLevel no settings beside those that fourfold writes', 'other ones');
}

/** Reads a tokenizer.json, or the one in a folder (a checkpoint, prepared data); another's with the tokenizer_config.json beside it. */
export async function readTokenizer(path: string): Promise<Tokenizer> {
  const isFolder = (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
  const file = isFolder ? join(path, 'tokenizer.json') : path;
  const contents = await readFile(file, 'utf8').catch((cause) => {
    throw new UserError(
      `load tokenizer: ${file} must be a file; it cannot be read (${cause.code}). Name a tokenizer.json or a folder that has one`,
      1,
      { cause },
    );
  });
  const configFile = join(dirname(file), 'tokenizer_config.json');
  const config = await readFile(configFile, 'utf8').catch(() => undefined);
  return loadTokenizer(parsed(file, contents), config === undefined ? undefined : parsed(configFile, config));
}

function parsed(file: string, contents: string): object {
  let json: unknown;
  try {
    json = JSON.parse(contents);
  } catch (cause) {
    throw new UserError(`load tokenizer: ${file} must be JSON; ${(cause as Error).message}. Write or copy the file again`, 1, { cause });
  }
  if (!isFields(json))
    throw new UserError(`load tokenizer: ${file} must be a JSON object; received ${contents.slice(0, 40)}. Write or copy it again`);
  return json;
}
