import { UserError } from '../util/errors.js';
import { BytePairTokenizer } from './byte-pair.js';
import { BYTE_ALPHABET, BYTE_CHARACTERS } from './bytes.js';
import { PairTable } from './pair-table.js';
import { SPECIAL_TOKENS } from './special-tokens.js';
import type { CountedWords } from './word-counts.js';
import { FREQUENCY_SHIFT, wordTokens } from './word-tokens.js';

export interface BytePairOptions {
  vocabSize: number;
  /** A pair seen fewer times than this is not merged; the vocabulary is then smaller than asked for. */
  minFrequency: number;
  /** No token is longer than this. */
  maxTokenBytes?: number;
  onProgress?: (merges: number, total: number) => void;
}

const FIRST = SPECIAL_TOKENS.length; // id of the first byte
const BYTES = 256;
const LARGEST = 1 << 24; // vocabulary

/**
 * Learns merges from words and how often each occurs: again and again the pair of neighbours that is seen most often becomes a token;
 * of two equally frequent the one with the smaller ids. Each pair knows its places, so that a merge costs what it changes.
 * In memory: about 14 bytes for each byte of a different word. Source: Sennrich et al. 2016, algorithm 1; gives the merges of Python
 * `tokenizers`' BpeTrainer (whose `max_token_length` is `maxTokenBytes` + 1: it is the length that no token reaches).
 */
export function trainBytePair(words: CountedWords, options: BytePairOptions): BytePairTokenizer {
  const { vocabSize, maxTokenBytes = Number.POSITIVE_INFINITY, onProgress } = options;
  const tokens = [...SPECIAL_TOKENS, ...BYTE_ALPHABET];
  checkOptions(vocabSize, maxTokenBytes, tokens.length);
  const merger = new Merger(words, vocabSize, Math.max(1, options.minFrequency), maxTokenBytes);
  const merges: [number, number][] = [];
  const given = tokens.length;
  while (tokens.length < vocabSize) {
    const pair = merger.mostFrequent();
    if (pair === undefined) break;
    // The token is a new one: what lies between two ends of tokens is merged alike everywhere, so that no two pairs spell the same.
    merger.merge(tokens.push(tokens[pair[0]] + tokens[pair[1]]) - 1);
    merges.push(pair);
    onProgress?.(merges.length, vocabSize - given);
  }
  return new BytePairTokenizer(tokens, merges);
}

function checkOptions(vocabSize: number, maxTokenBytes: number, smallest: number): void {
  if (vocabSize < smallest) {
    throw new UserError(
      `train tokenizer: vocab_size must be at least ${smallest} (${SPECIAL_TOKENS.length} special tokens and ${BYTES} bytes); received ${vocabSize}`,
    );
  }
  if (vocabSize > LARGEST) throw new UserError(`train tokenizer: vocab_size must be at most ${LARGEST}; received ${vocabSize}`);
  if (!(maxTokenBytes >= 1)) throw new UserError(`train tokenizer: max_token_bytes must be 1 or more; received ${maxTokenBytes}`);
}

/** The words as tokens, with the places of each pair. A pair is written down at the first place of its left token. */
class Merger {
  private readonly tokens: Int32Array;
  private readonly frequencies: Float64Array;
  private readonly lengths: Int32Array; // bytes of each token
  private readonly pairs = new PairTable();
  /** Pair at each place; -1 where there is none, or one too rare or too long to be merged ever. */
  private readonly pairAt: Int32Array;
  /** Lists of places, in rising order; a place counts as long as `pairAt` still says that pair. */
  private arena: Int32Array;
  private used = 0;
  private current = -1;

  /** By neighbour of the token that a merge makes: on its left [0, V), on its right [V, 2V). */
  private readonly counts: Float64Array;
  private readonly sizes: Int32Array;
  private readonly made: Int32Array; // the pair, or -1
  private touched = new Int32Array(1 << 10); // places of the pairs that a merge makes

  constructor(
    words: CountedWords,
    private readonly vocabSize: number,
    private readonly minimum: number,
    private readonly longest: number,
  ) {
    const byteIds = Int32Array.from(BYTE_CHARACTERS, (character) => FIRST + BYTE_ALPHABET.indexOf(character));
    ({ tokens: this.tokens, frequencies: this.frequencies } = wordTokens(words, byteIds));
    this.lengths = new Int32Array(vocabSize).fill(1, FIRST, FIRST + BYTES);
    this.pairAt = new Int32Array(this.tokens.length).fill(-1);
    this.counts = new Float64Array(2 * vocabSize);
    this.sizes = new Int32Array(2 * vocabSize);
    this.made = new Int32Array(2 * vocabSize);
    this.arena = this.bytePairs();
  }

  /** The next pair to merge, of the ids it has; undefined where all are too rare. */
  mostFrequent(): [number, number] | undefined {
    this.current = this.pairs.pop(this.minimum);
    return this.current < 0 ? undefined : [this.pairs.left[this.current], this.pairs.right[this.current]];
  }

  /** Makes the pair that `mostFrequent` gave one token, everywhere. */
  merge(id: number): void {
    const { tokens, frequencies, lengths, pairAt, arena, pairs, current: pair } = this;
    const leftLength = lengths[pairs.left[pair]];
    const length = leftLength + lengths[pairs.right[pair]];
    lengths[id] = length;
    const from = pairs.start[pair];
    const to = from + pairs.length[pair];
    let merged = from; // the list is cut to the places where the pair still was
    for (let k = from; k < to; k++) {
      const place = arena[k];
      if (pairAt[place] !== pair) continue;
      const frequency = frequencies[place >> FREQUENCY_SHIFT];
      pairAt[place] = -1;
      const second = place + leftLength;
      const after = pairAt[second];
      if (after >= 0) {
        pairs.count[after] -= frequency;
        pairAt[second] = -1;
      }
      const leftId = tokens[place - 1];
      if (leftId >= 0) {
        const left = place - lengths[leftId];
        const before = pairAt[left];
        if (before >= 0) {
          pairs.count[before] -= frequency;
          pairAt[left] = -1;
        }
      }
      tokens[place] = id;
      tokens[place + length - 1] = id;
      arena[merged++] = place;
    }
    pairs.length[pair] = 0;
    this.track(id, this.placesBeside(id, from, merged));
  }

  /** Writes down all pairs of bytes and gives the arena with their places. */
  private bytePairs(): Int32Array {
    const { tokens, frequencies, pairs, pairAt } = this;
    if (this.longest < 2) return new Int32Array();
    const keyAt = (place: number) =>
      tokens[place] < 0 || tokens[place + 1] < 0 ? -1 : (tokens[place] - FIRST) * BYTES + tokens[place + 1] - FIRST;
    const counts = new Float64Array(BYTES * BYTES);
    const sizes = new Int32Array(BYTES * BYTES);
    for (let place = 1; place < tokens.length; place++) {
      const key = keyAt(place);
      if (key < 0) continue;
      counts[key] += frequencies[place >> FREQUENCY_SHIFT];
      sizes[key]++;
    }
    const made = new Int32Array(BYTES * BYTES).fill(-1);
    const next = new Int32Array(BYTES * BYTES);
    for (let key = 0; key < counts.length; key++) {
      if (counts[key] < this.minimum) continue;
      made[key] = pairs.add(FIRST + Math.floor(key / BYTES), FIRST + (key % BYTES), counts[key], this.used, sizes[key]);
      next[key] = this.used;
      this.used += sizes[key];
    }
    const arena = new Int32Array(Math.ceil(this.used * 1.25));
    for (let place = 1; place < tokens.length; place++) {
      const key = keyAt(place);
      if (key < 0 || made[key] < 0) continue;
      arena[next[key]++] = place;
      pairAt[place] = made[key];
    }
    return arena;
  }

  /** Gathers in `touched` the pairs left and right of the new tokens, whose places are `arena[from … to)`; returns how many. */
  private placesBeside(id: number, from: number, to: number): number {
    const { tokens, lengths, arena } = this;
    const length = lengths[id];
    const room = this.longest - length;
    if (this.touched.length < 2 * (to - from)) this.touched = new Int32Array(4 * (to - from));
    const { touched } = this;
    let n = 0;
    for (let k = from; k < to; k++) {
      const place = arena[k];
      const left = tokens[place - 1];
      if (left >= 0 && left !== id && lengths[left] <= room) touched[n++] = place - lengths[left]; // of id id, the first finds the pair
      const right = tokens[place + length];
      if (right >= 0 && lengths[right] <= room) touched[n++] = place;
    }
    return n;
  }

  /** Counts the first `n` pairs of `touched`, which have `id` on one side, and writes down those that are frequent enough. */
  private track(id: number, n: number): void {
    const { tokens, lengths, frequencies, pairs, pairAt, touched, counts, sizes, made, vocabSize } = this;
    const neighbours: number[] = [];
    const keyAt = (place: number) => {
      const left = tokens[place];
      return left === id ? vocabSize + tokens[place + lengths[left]] : left;
    };
    for (let i = 0; i < n; i++) {
      const key = keyAt(touched[i]);
      if (sizes[key]++ === 0) neighbours.push(key);
      counts[key] += frequencies[touched[i] >> FREQUENCY_SHIFT];
    }
    let needed = 0;
    for (const key of neighbours) if (counts[key] >= this.minimum) needed += sizes[key];
    this.makeRoom(needed);
    for (const key of neighbours) {
      const from = this.used;
      if (counts[key] < this.minimum) made[key] = -1;
      else {
        const [left, right] = key < vocabSize ? [key, id] : [id, key - vocabSize];
        made[key] = pairs.add(left, right, counts[key], from, sizes[key]);
        this.used += sizes[key];
      }
      counts[key] = 0;
      sizes[key] = from; // from here on the place of the next entry
    }
    const { arena } = this;
    for (let i = 0; i < n; i++) {
      const place = touched[i];
      const key = keyAt(place);
      if (made[key] < 0) continue;
      arena[sizes[key]++] = place;
      pairAt[place] = made[key];
    }
    for (const key of neighbours) sizes[key] = 0;
  }

  /** Makes room in the arena: takes out what is no longer true, then grows if need be. */
  private makeRoom(needed: number): void {
    if (this.used + needed <= this.arena.length) return;
    const { arena, pairs, pairAt, minimum } = this;
    let used = 0;
    for (let pair = 0; pair < pairs.size; pair++) {
      const from = pairs.start[pair];
      const to = from + pairs.length[pair];
      pairs.start[pair] = used;
      if (pairs.count[pair] >= minimum) for (let k = from; k < to; k++) if (pairAt[arena[k]] === pair) arena[used++] = arena[k];
      pairs.length[pair] = used - pairs.start[pair];
    }
    this.used = used;
    if (used + needed <= 0.75 * arena.length) return;
    this.arena = new Int32Array(Math.ceil((used + needed) * 1.5));
    this.arena.set(arena.subarray(0, used));
  }
}
