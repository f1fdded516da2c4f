import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../util/errors.js';
import { BytePairTokenizer } from './byte-pair.js';
import { BYTE_CHARACTERS } from './bytes.js';
import { LLAMA3_PATTERN } from './scan.js';
import { SPECIAL_TOKENS } from './special-tokens.js';
import { CHARACTER_PATTERN, WORD_PATTERN } from './split.js';
import type { Tokenizer } from './tokenizer.js';
import { VocabularyTokenizer } from './vocabulary.js';

/** Reads the parsed contents of a tokenizer.json that `toJSON` wrote. Another's is an error that says what in it is unknown. */
export function loadTokenizer(tokenizerJson: object): Tokenizer {
  const json = tokenizerJson as TokenizerJson;
  const tokens = tokensById(json.model?.vocab);
  const special = (json.added_tokens ?? []).map((token) => token.content);
  const expected: readonly string[] = special.length === 0 ? [] : SPECIAL_TOKENS;
  if (special.join() !== expected.join() || expected.some((token, id) => tokens[id] !== token)) {
    throw unreadable(
      `the special tokens ${SPECIAL_TOKENS[0]} … ${SPECIAL_TOKENS.at(-1)} with the ids 0 to 15`,
      special.slice(0, 4).join(' ') || 'none',
    );
  }
  const patterns = (json.pre_tokenizer?.pretokenizers ?? [json.pre_tokenizer ?? {}]).flatMap((step) => step.pattern?.Regex ?? []);
  const tokenizer = build(json, tokens, patterns[0]);
  if (!equalIgnoringOrder(json, tokenizer.toJSON())) {
    throw unreadable('no settings beside those that fourfold writes', 'other ones (normalizer, post_processor, decoder or model options)');
  }
  return tokenizer;
}

interface TokenizerJson {
  added_tokens?: { content: string }[];
  pre_tokenizer?: Step & { pretokenizers?: Step[] };
  model?: { type?: string; vocab?: Record<string, number>; merges?: ([string, string] | string)[] };
}

interface Step {
  pattern?: { Regex?: string };
}

function build(json: TokenizerJson, tokens: string[], pattern: string | undefined): Tokenizer {
  const type = json.model?.type;
  if (type === 'WordLevel' && pattern === CHARACTER_PATTERN) return new VocabularyTokenizer('char', tokens);
  if (type === 'WordLevel' && pattern === WORD_PATTERN) return new VocabularyTokenizer('word', tokens);
  if (type !== 'BPE') throw unreadable('a model of type BPE or WordLevel', String(type));
  if (pattern !== LLAMA3_PATTERN) throw unreadable("Llama 3's split pattern", pattern ?? 'no split pattern');
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const missing = BYTE_CHARACTERS.findIndex((character) => !ids.has(character));
  if (missing >= 0) throw unreadable('a token for each of the 256 bytes', `none for byte ${missing}`);
  const merges = (json.model?.merges ?? []).map((merge): [number, number] => {
    const [left, right] = typeof merge === 'string' ? merge.split(' ') : merge;
    const pair = [ids.get(left), ids.get(right)] as const;
    if (pair[0] === undefined || pair[1] === undefined || !ids.has(left + right)) {
      throw unreadable('merges whose parts and result are in the vocabulary', JSON.stringify(merge));
    }
    return [pair[0], pair[1]];
  });
  return new BytePairTokenizer(tokens, merges);
}

function tokensById(vocab: Record<string, number> | undefined): string[] {
  const tokens: string[] = [];
  for (const [token, id] of Object.entries(vocab ?? {})) tokens[id] = token;
  const size = Object.keys(vocab ?? {}).length;
  if (size === 0 || tokens.length !== size || tokens.includes(undefined as never)) {
    throw unreadable('a model vocabulary with the ids 0, 1, 2 … once each', `${size} tokens`);
  }
  return tokens;
}

/** Deep equality, where keys may come in any order and merges may be written as one string. */
function equalIgnoringOrder(a: unknown, b: unknown): boolean {
  if (typeof a === 'string' && Array.isArray(b)) return a === b.join(' ');
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => equalIgnoringOrder(a[key as never], b[key as never]));
}

function unreadable(rule: string, received: string): UserError {
  return new UserError(
    `load tokenizer: tokenizer.json must have ${rule}; received ${received}. Use the tokenizer.json of a fourfold checkpoint, or train a tokenizer`,
  );
}

/** Reads a tokenizer.json, or the one in a folder (a checkpoint, prepared data). */
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
  let json: unknown;
  try {
    json = JSON.parse(contents);
  } catch (cause) {
    throw new UserError(`load tokenizer: ${file} must be JSON; ${(cause as Error).message}`, 1, { cause });
  }
  if (typeof json !== 'object' || json === null)
    throw new UserError(`load tokenizer: ${file} must be a JSON object; received ${contents.slice(0, 40)}`);
  return loadTokenizer(json);
}
