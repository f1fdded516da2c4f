import type { SelectConfig } from '../../configs/select-schema.js';
import { Document } from '../../datasets/clean/document.js';
import { minHash } from '../../datasets/clean/near-duplicates.js';
import { shown } from '../../datasets/clean/rule.js';
import { mix } from '../../util/hashing.js';
import { type Outcome, type Strategy, textOf } from './strategy.js';

/** Of the signature: an estimate of s from so many has a standard deviation of √(s(1−s)/128), 0.035 at 0.8. */
const FUNCTIONS = 128;

/**
 * Drops a conversation like an earlier one that is kept: the sets of their word n-grams have a Jaccard similarity of `threshold` or more, as MinHash
 * estimates it (part of the hash functions that agree). What is compared are pairs that agree in all functions of one of some bands. Unlike
 * `data clean`, which drops all of a connected group but its first, nothing is dropped that is not itself like a conversation that stays.
 * Source: Broder 1997, "On the resemblance and containment of documents"; Lee et al. 2022.
 */
export function nearDuplicates({ threshold, words }: SelectConfig['near_duplicates']): Strategy {
  const sign = minHash(words, FUNCTIONS);
  const perBand = bandRows(threshold);
  const document = new Document();
  return async (rows) => {
    const outcome: Outcome = { dropped: new Map(), figures: [{ name: 'similarity', values: new Map() }] };
    const kept = new Map<number, Int32Array>();
    const bands = Array.from({ length: FUNCTIONS / perBand }, () => new Map<number, number[]>());
    for await (const row of rows()) {
      const signature = sign(document.become(Buffer.from(textOf(row))).words)?.slice();
      if (signature === undefined) continue; // no words
      const keys = bands.map((_, band) => bandKey(signature, band, perBand));
      const candidates = new Set(keys.flatMap((key, band) => bands[band].get(key) ?? []));
      let [like, similarity] = [-1, 0];
      for (const candidate of candidates) {
        const found = agreement(signature, kept.get(candidate)!);
        if (found > similarity || (found === similarity && candidate < like)) [like, similarity] = [candidate, found];
      }
      outcome.figures[0].values.set(row.row, similarity);
      if (like >= 0 && similarity >= threshold) {
        const reason = `similarity ${shown(similarity, threshold)} with row ${like}`;
        outcome.dropped.set(row.row, { rule: `similarity ≥ ${threshold}`, reason });
        continue;
      }
      kept.set(row.row, signature);
      keys.forEach((key, band) => {
        const there = bands[band].get(key);
        if (there) there.push(row.row);
        else bands[band].set(key, [row.row]);
      });
    }
    return outcome;
  };
}

/** Functions in a band: the most with which a pair at the threshold is compared with a probability of 0.99 or more. */
export function bandRows(threshold: number): number {
  const found = (rows: number) => 1 - (1 - threshold ** rows) ** (FUNCTIONS / rows);
  return [32, 16, 8, 4, 2, 1].find((rows) => found(rows) >= 0.99) ?? 1;
}

function bandKey(signature: Int32Array, band: number, rows: number): number {
  let key = band;
  for (let i = band * rows; i < (band + 1) * rows; i++) key = mix(key ^ signature[i]);
  return key;
}

function agreement(a: Int32Array, b: Int32Array): number {
  let same = 0;
  for (let i = 0; i < FUNCTIONS; i++) if (a[i] === b[i]) same++;
  return same / FUNCTIONS;
}
