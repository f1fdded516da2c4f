import { UserError } from '../util/errors.js';
import { BytePairTokenizer } from './byte-pair.js';
import { BYTE_ALPHABET, BYTE_CHARACTERS } from './bytes.js';
import { Heap } from './heap.js';
import { SPECIAL_TOKENS } from './special-tokens.js';

export interface BytePairOptions {
  vocabSize: number;
  /** A pair seen fewer times than this is not merged; the vocabulary is then smaller than asked for. */
  minFrequency: number;
  onProgress?: (merges: number, total: number) => void;
}

interface Pair {
  key: number;
  count: number;
  positions: number[];
}

interface Candidate {
  count: number;
  key: number;
}

/**
 * Learns merges from words and how often each occurs: again and again the pair of neighbours that is seen most often becomes a token;
 * of two equally frequent the one with the smaller ids. Words are one linked list, and each pair knows its places, so that a merge
 * costs what it changes. Source: Sennrich et al. 2016, algorithm 1; gives the merges of Python `tokenizers`' BpeTrainer.
 */
export function trainBytePair(words: ReadonlyMap<string, number>, options: BytePairOptions): BytePairTokenizer {
  const tokens = [...SPECIAL_TOKENS, ...BYTE_ALPHABET];
  if (options.vocabSize < tokens.length) {
    throw new UserError(
      `train tokenizer: vocab_size must be at least ${tokens.length} (${SPECIAL_TOKENS.length} special tokens and 256 bytes); received ${options.vocabSize}`,
    );
  }
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const list = new WordList(
    words,
    Int32Array.from(BYTE_CHARACTERS, (character) => ids.get(character)!),
  );
  const stride = options.vocabSize;
  const pairs = new Map<number, Pair>();
  const heap = new Heap<Candidate>((a, b) => a.count > b.count || (a.count === b.count && a.key < b.key));

  const add = (left: number, right: number, position: number): Pair => {
    const key = left * stride + right;
    let pair = pairs.get(key);
    if (pair === undefined) {
      pair = { key, count: 0, positions: [] };
      pairs.set(key, pair);
    }
    pair.count += list.frequency[position];
    pair.positions.push(position);
    return pair;
  };
  for (let i = 0; i < list.symbols.length; i++) if (list.next[i] >= 0) add(list.symbols[i], list.symbols[list.next[i]], i);
  for (const { key, count } of pairs.values()) heap.push({ key, count });

  const merges: [number, number][] = [];
  const merged = new Set<number>();
  const minimum = Math.max(1, options.minFrequency);
  while (tokens.length < options.vocabSize) {
    const best = heap.pop();
    if (best === undefined) break;
    const pair = pairs.get(best.key);
    if (pair === undefined || pair.count < minimum) continue;
    if (pair.count !== best.count) {
      heap.push({ key: pair.key, count: pair.count });
      continue;
    }
    const left = Math.floor(pair.key / stride);
    const right = pair.key % stride;
    const token = tokens[left] + tokens[right];
    let id = ids.get(token); // two pairs may spell the same token
    if (id === undefined) {
      id = tokens.push(token) - 1;
      ids.set(token, id);
    }
    if (!merged.has(pair.key)) merges.push([left, right]);
    merged.add(pair.key);

    const grown = new Set<Pair>();
    for (const position of Int32Array.from(pair.positions).sort()) {
      const second = list.next[position];
      if (list.symbols[position] !== left || second < 0 || list.symbols[second] !== right) continue; // merged away since
      const frequency = list.frequency[position];
      const before = list.previous[position];
      list.merge(position, id);
      const after = list.next[position];
      if (before >= 0) {
        pairs.get(list.symbols[before] * stride + left)!.count -= frequency;
        grown.add(add(list.symbols[before], id, before));
      }
      if (after >= 0) {
        pairs.get(right * stride + list.symbols[after])!.count -= frequency;
        grown.add(add(id, list.symbols[after], position));
      }
    }
    pairs.delete(pair.key);
    for (const { key, count } of grown) heap.push({ key, count });
    options.onProgress?.(tokens.length - SPECIAL_TOKENS.length - 256, options.vocabSize - SPECIAL_TOKENS.length - 256);
  }
  return new BytePairTokenizer(tokens, merges);
}

/** The symbols of all words in one doubly linked list; -1 ends a word. */
class WordList {
  readonly symbols: Int32Array;
  readonly next: Int32Array;
  readonly previous: Int32Array;
  readonly frequency: Float64Array; // of the word that the symbol is in

  constructor(words: ReadonlyMap<string, number>, byteIds: Int32Array) {
    let length = 0;
    for (const word of words.keys()) length += Buffer.byteLength(word, 'utf8');
    this.symbols = new Int32Array(length);
    this.next = new Int32Array(length);
    this.previous = new Int32Array(length);
    this.frequency = new Float64Array(length);
    let position = 0;
    for (const [word, count] of words) {
      const bytes = Buffer.from(word, 'utf8');
      for (let i = 0; i < bytes.length; i++, position++) {
        this.symbols[position] = byteIds[bytes[i]];
        this.next[position] = i + 1 < bytes.length ? position + 1 : -1;
        this.previous[position] = i > 0 ? position - 1 : -1;
        this.frequency[position] = count;
      }
    }
  }

  /** Makes the symbol at `position` and the one after it into one. */
  merge(position: number, symbol: number): void {
    const second = this.next[position];
    const after = this.next[second];
    this.symbols[position] = symbol;
    this.symbols[second] = -1;
    this.next[position] = after;
    if (after >= 0) this.previous[after] = position;
  }
}
