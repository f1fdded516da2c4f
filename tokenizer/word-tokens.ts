import type { CountedWords } from './word-counts.js';

/**
 * All words side by side, one place a byte, so that a token's neighbours follow from lengths alone: a token of n bytes stands at its first and
 * at its last place, the next one begins n places on. -1 lies before, between and after the words.
 */
export interface WordTokens {
  /** Id of the token that begins or ends at a place; -1 between words; stale within a token. */
  tokens: Int32Array;
  /** How often the word at place p occurs: `frequencies[p >> FREQUENCY_SHIFT]`. */
  frequencies: Float64Array;
}

/** Words that occur equally often lie together, and begin a new block of 2^FREQUENCY_SHIFT places. */
export const FREQUENCY_SHIFT = 4;
const BLOCK = 1 << FREQUENCY_SHIFT;

/** Lays words out byte by byte; words of one byte, which have no pair, are left out. */
export function wordTokens({ bytes, ends, counts }: CountedWords, byteIds: Int32Array): WordTokens {
  const next = new Map<number, number>(); // count → places that its words need, then place of the next one
  for (let i = 0, start = 0; i < ends.length; start = ends[i++]) {
    const length = ends[i] - start;
    if (length > 1) next.set(counts[i], (next.get(counts[i]) ?? 0) + length + 1);
  }
  let places = BLOCK;
  for (const [count, needed] of next) {
    next.set(count, places);
    places += Math.ceil(needed / BLOCK) * BLOCK;
  }
  const tokens = new Int32Array(places).fill(-1);
  const frequencies = new Float64Array(places / BLOCK);
  const groups = [...next];
  groups.forEach(([count, from], i) => {
    frequencies.fill(count, from / BLOCK, (groups[i + 1]?.[1] ?? places) / BLOCK);
  });
  for (let i = 0, start = 0; i < ends.length; start = ends[i++]) {
    const length = ends[i] - start;
    if (length < 2) continue;
    const place = next.get(counts[i])!;
    for (let j = 0; j < length; j++) tokens[place + j] = byteIds[bytes[start + j]];
    next.set(counts[i], place + length + 1);
  }
  return { tokens, frequencies };
}
