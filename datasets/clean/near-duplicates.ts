import { mix } from '../../util/hashing.js';
import { RandomStream } from '../../util/random.js';
import { corpusRule } from './rule.js';
import type { Words } from './words.js';

const SEED = 20110;
const MULTIPLIER = 0x2c1b3c6d;

/**
 * Documents whose sets of word 5-grams overlap much (of characters for Chinese); the first of a group stays. MinHash: `bands` × `rows`
 * hash functions, each of which agrees on two documents with the probability of their Jaccard similarity s; a group is what is connected
 * by agreeing on all rows of a band, which has the probability 1 − (1 − s^rows)^bands. With 14 × 8: 0.05 at s = 0.5, 0.56 at 0.7, 0.92
 * at 0.8, 0.9996 at 0.9.
 * Source: Broder 1997, "On the resemblance and containment of documents"; Lee et al. 2022, "Deduplicating training data makes language
 * models better"; 5-grams, 14 and 8: Penedo et al. 2024, "The FineWeb datasets", §3.4.
 */
export const nearDuplicates = corpusRule({
  name: 'near_duplicates',
  about: 'word 5-grams (MinHash) nearly those of an earlier document',
  source: 'Broder 1997; Lee et al. 2022; FineWeb 2024',
  parameters: {
    words: { default: 5, least: 1, most: 64, whole: true, meaning: 'Words in an n-gram; characters for Chinese.' },
    bands: { default: 14, least: 1, most: 255, whole: true, meaning: 'Bands of hash functions; more of them find more.' },
    rows: { default: 8, least: 1, most: 64, whole: true, meaning: 'Hash functions in a band; more of them find only what is nearer.' },
  },
  keyWords: 2,
  start({ words, bands, rows }) {
    const sign = minHash(words, bands * rows);
    const key = new Uint32Array(2);
    return (document, add) => {
      const signature = sign(document.words);
      if (signature === undefined) return;
      for (let band = 0; band < bands; band++) {
        let high = mix(band + 1);
        let low = mix(~band);
        for (let row = band * rows; row < (band + 1) * rows; row++) {
          high = mix(high ^ signature[row]);
          low = Math.imul(low ^ signature[row], 0x01000193) + 0x9e3779b9;
        }
        key[0] = high;
        key[1] = mix(low);
        add(key);
      }
    };
  },
  reason: ({ bands }, _, keys) =>
    keys > 0
      ? `${keys} of ${bands} bands are those of earlier documents`
      : `0 of ${bands} bands are those of earlier documents, but a later one is like both`,
});

/**
 * MinHash signatures of the n-grams of terms; a document of fewer terms has one n-gram, one without terms has no signature.
 * The hash functions are x ↦ a·x + b mod 2³² with a odd, of the n-gram's mixed hash. The array is used again.
 */
export function minHash(n: number, functions: number): (words: Words) => Int32Array | undefined {
  const random = new RandomStream(SEED, 0);
  const multipliers = Int32Array.from({ length: functions }, () => random.word() | 1);
  const summands = Int32Array.from({ length: functions }, () => random.word());
  const signature = new Int32Array(functions);
  let leaving = 1; // the factor of the term that leaves an n-gram
  for (let i = 1; i < n; i++) leaving = Math.imul(leaving, MULTIPLIER);
  let grams = new Int32Array(1 << 12);
  return ({ terms, hash }) => {
    if (terms === 0) return undefined;
    if (grams.length < terms) grams = new Int32Array(2 * terms);
    let count = 0;
    let rolling = 0;
    for (let i = 0; i < terms; i++) {
      if (i >= n) rolling = (rolling - Math.imul(hash[i - n], leaving)) | 0;
      rolling = (Math.imul(rolling, MULTIPLIER) + hash[i]) | 0;
      if (i >= n - 1) grams[count++] = mix(rolling);
    }
    if (count === 0) grams[count++] = mix(rolling);
    minima(grams, count, multipliers, summands, signature);
    return signature;
  };
}

/** Smallest value of each function over the n-grams; four functions at a time, so that an n-gram is read a quarter as often. */
function minima(grams: Int32Array, count: number, multipliers: Int32Array, summands: Int32Array, signature: Int32Array): void {
  const functions = signature.length;
  for (let f = 0; f < functions; f += 4) {
    const a0 = multipliers[f];
    const a1 = multipliers[Math.min(f + 1, functions - 1)];
    const a2 = multipliers[Math.min(f + 2, functions - 1)];
    const a3 = multipliers[Math.min(f + 3, functions - 1)];
    const b0 = summands[f];
    const b1 = summands[Math.min(f + 1, functions - 1)];
    const b2 = summands[Math.min(f + 2, functions - 1)];
    const b3 = summands[Math.min(f + 3, functions - 1)];
    let m0 = 0x7fffffff;
    let m1 = 0x7fffffff;
    let m2 = 0x7fffffff;
    let m3 = 0x7fffffff;
    for (let i = 0; i < count; i++) {
      const gram = grams[i];
      const v0 = (Math.imul(gram, a0) + b0) | 0;
      const v1 = (Math.imul(gram, a1) + b1) | 0;
      const v2 = (Math.imul(gram, a2) + b2) | 0;
      const v3 = (Math.imul(gram, a3) + b3) | 0;
      if (v0 < m0) m0 = v0;
      if (v1 < m1) m1 = v1;
      if (v2 < m2) m2 = v2;
      if (v3 < m3) m3 = v3;
    }
    signature[f] = m0; // writes past the end are ignored
    signature[f + 1] = m1;
    signature[f + 2] = m2;
    signature[f + 3] = m3;
  }
}
