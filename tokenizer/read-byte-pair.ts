import type { AddedToken } from './added-tokens.js';
import { BytePairTokenizer } from './byte-pair.js';
import { bytePairJson } from './byte-pair-json.js';
import { BYTE_CHARACTERS } from './bytes.js';
import { equalIgnoringOrder, expectField, type Fields, fieldOf, fieldsOf, isFields, listOf, shortened, unreadable } from './format.js';
import { type Normalizer, nfc } from './normalize.js';
import { readPreTokenizer } from './pre-tokenizer.js';
import { readSpecialIds } from './special-ids.js';
import { SPECIAL_TOKENS } from './special-tokens.js';

/** Reads a tokenizer.json whose model is byte-level BPE, ours or another's. */
export function readBytePair(json: Fields, model: Fields, config: object | undefined): BytePairTokenizer {
  const tokens = tokensById(model['vocab']);
  const modelSize = tokens.length;
  const merges = readMerges(model['merges'], tokens);
  if (tokens[0] === SPECIAL_TOKENS[0] && equalIgnoringOrder(json, bytePairJson(tokens, merges)))
    return new BytePairTokenizer(tokens, merges);
  for (const key of ['truncation', 'padding']) expectField(json, key, '', [null]);
  for (const key of ['continuing_subword_prefix', 'end_of_word_suffix']) expectField(model, key, 'model.', [null, '']);
  expectField(model, 'dropout', 'model.', [null, 0]);
  expectField(model, 'byte_fallback', 'model.', [false, null]);
  const ignoreMerges = fieldOf(model, 'ignore_merges', 'model', false);
  checkDecoder(json['decoder']);
  checkPostProcessor(json['post_processor'], 0);
  const normalize = readNormalizer(json['normalizer'], 0);
  const preTokenizer = readPreTokenizer(json['pre_tokenizer']);
  const added = readAddedTokens(json['added_tokens'], tokens, normalize);
  for (const token of added) tokens[token.id] = token.content;
  const special = readSpecialIds(config, added, new Map(tokens.map((token, id) => [token, id])));
  return new BytePairTokenizer(tokens, merges, { modelSize, added, normalize, preTokenizer, ignoreMerges, special, json, config });
}

/** The tokens of `vocab` by their ids, which must be 0, 1, 2 … */
export function tokensById(vocab: unknown): string[] {
  const entries = Object.entries(fieldsOf(vocab, 'model.vocab'));
  const tokens = new Array<string | undefined>(entries.length).fill(undefined);
  for (const [token, id] of entries) {
    if (typeof id !== 'number' || !(id in tokens) || tokens[id] !== undefined) {
      throw unreadable(`a model.vocab whose ${entries.length} tokens have the ids 0, 1, 2 … once each`, { [token]: id });
    }
    tokens[id] = token;
  }
  if (entries.length === 0) throw unreadable('tokens in model.vocab', vocab);
  return tokens as string[];
}

/** Merges are pairs, or text with a space between the two. */
function readMerges(merges: unknown, tokens: readonly string[]): [number, number][] {
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const missing = BYTE_CHARACTERS.findIndex((character) => !ids.has(character));
  if (missing >= 0) throw unreadable('a token for each of the 256 bytes (byte-level BPE)', `none for byte ${missing}`);
  return listOf(merges, 'model.merges')
    .filter((merge) => typeof merge !== 'string' || !merge.startsWith('#version'))
    .map((merge) => {
      const parts: unknown[] = typeof merge === 'string' ? merge.split(' ') : Array.isArray(merge) ? merge : [];
      const [left, right] = parts.map((part) => (typeof part === 'string' ? ids.get(part) : undefined));
      if (parts.length !== 2 || left === undefined || right === undefined || !ids.has(tokens[left] + tokens[right])) {
        throw unreadable('model.merges of two tokens each, whose parts and result are in model.vocab', merge);
      }
      return [left, right];
    });
}

const FLAGS = ['single_word', 'lstrip', 'rstrip', 'normalized', 'special'] as const;

function readAddedTokens(json: unknown, tokens: readonly string[], normalize: Normalizer | undefined): AddedToken[] {
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const seen = new Set<string>();
  let next = tokens.length;
  const added = listOf(json ?? [], 'added_tokens').map((item) => {
    const fields = fieldsOf(item, 'each of added_tokens');
    const { id, content } = fields;
    if (typeof content !== 'string' || content === '' || seen.has(content))
      throw unreadable('added_tokens with a content each, once', content ?? item);
    seen.add(content);
    const expected = ids.get(content) ?? next++; // what Python gives it, whatever the file says
    if (id !== expected)
      throw unreadable(
        `for the added token ${shortened(JSON.stringify(content), 80)} the id ${expected}, its own or the next free one`,
        id ?? null,
      );
    const flag = (key: (typeof FLAGS)[number]): boolean => {
      if (typeof fields[key] !== 'boolean') throw unreadable(`true or false as ${key} of added_tokens`, fields[key] ?? null);
      return fields[key];
    };
    return {
      id,
      content,
      single_word: flag('single_word'),
      lstrip: flag('lstrip'),
      rstrip: flag('rstrip'),
      normalized: flag('normalized'),
      special: flag('special'),
    };
  });
  const texts = added.filter((token) => token.normalized).map((token) => normalize?.(token.content) ?? token.content);
  const twice = texts.find((text, i) => text === '' || texts.indexOf(text) !== i);
  if (twice !== undefined) throw unreadable('added_tokens that differ after normalization, too', twice);
  return added;
}

function readNormalizer(json: unknown, depth: number): Normalizer | undefined {
  if (json === null || json === undefined) return undefined;
  const { type, normalizers } = fieldsOf(json, 'normalizer');
  if (type === 'NFC') return nfc;
  if (type !== 'Sequence' || depth > 4) throw unreadable('NFC or null as normalizer', type ?? json);
  return listOf(normalizers, 'normalizer.normalizers')
    .map((step) => readNormalizer(step, depth + 1))
    .find((step) => step !== undefined);
}

/** How tokens become text: here always their bytes. */
function checkDecoder(json: unknown): void {
  const type = isFields(json) ? json['type'] : json;
  if (type !== 'ByteLevel') throw unreadable('a decoder of type ByteLevel', type ?? null);
}

const POST_PROCESSORS: readonly unknown[] = ['ByteLevel', 'TemplateProcessing', 'BertProcessing', 'RobertaProcessing'];

/** These add bos and eos where they are asked to, which they never are here. */
function checkPostProcessor(json: unknown, depth: number): void {
  if (json === null || json === undefined) return;
  const { type, processors } = fieldsOf(json, 'post_processor');
  if (type === 'Sequence' && depth <= 4)
    for (const step of listOf(processors, 'post_processor.processors')) checkPostProcessor(step, depth + 1);
  else if (!POST_PROCESSORS.includes(type)) throw unreadable(`a post_processor of type ${POST_PROCESSORS.join(', ')}`, type ?? json);
}
