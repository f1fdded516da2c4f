import { mix } from '../util/hashing.js';
import { philox } from '../util/random.js';

const STREAM = 0x5055; // separates these draws from others under the same seed
const ROUNDS = 6;

/**
 * A shuffle of 0 … n-1 that is computed, not stored: gives the place of each index, and each place once.
 * A Feistel network over the next power of four, walked until it falls below n.
 * @param which three whole numbers below 2^32 that tell this shuffle from others under the seed.
 * Source: Luby and Rackoff 1988; cycle walking from Black and Rogaway 2002.
 */
export function permutation(n: number, seed: number, which: readonly [number, number, number]): (index: number) => number {
  const halfBits = Math.max(1, Math.ceil(Math.log2(Math.max(2, n)) / 2));
  const half = 2 ** halfBits;
  const key = [seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0] as const;
  const keys = [0, 1].flatMap((block) => philox(key, [...which, 2 * STREAM + block])).slice(0, ROUNDS);
  return (index) => {
    let place = index;
    do {
      let left = Math.floor(place / half);
      let right = place % half;
      for (const roundKey of keys) [left, right] = [right, (left ^ mix(right ^ roundKey)) & (half - 1)];
      place = left * half + right;
    } while (place >= n);
    return place;
  };
}
