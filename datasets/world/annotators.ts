import { RandomStream } from '../../util/random.js';

/** Somebody who ranks answers: sees the gold reward, and gets this share of comparisons right. */
export interface Annotator {
  name: string;
  /** Share of comparisons of two answers of different worth that are right, in [0.5, 1]. */
  reliability: number;
}

/** Answers whose gold rewards differ by less are a tie. */
export const TIE = 0.05;

/** Annotators as a project hires them: some good, some hurried. On average 85 of 100 comparisons are right. */
export const ANNOTATORS: readonly Annotator[] = [
  { name: 'careful', reliability: 0.95 },
  { name: 'steady', reliability: 0.85 },
  { name: 'hurried', reliability: 0.75 },
];

/**
 * Ranks of some answers by their gold reward: 1 is the best. Sorted from best to worst, an answer that lies less than `TIE` below the first of
 * its tie joins it; the next rank is one higher.
 */
export function rankByGold(scores: readonly number[]): number[] {
  const order = scores.map((_, i) => i).sort((a, b) => scores[b] - scores[a] || a - b);
  const ranks = new Array<number>(scores.length);
  let rank = 0;
  let first = Number.POSITIVE_INFINITY;
  for (const i of order) {
    if (first - scores[i] >= TIE) {
      rank++;
      first = scores[i];
    }
    ranks[i] = rank;
  }
  return ranks;
}

/**
 * Ranks of some answers as an annotator gives them: 1 is the best, equal is a tie. Ties are those of `rankByGold`; the groups of tied answers come
 * in an order drawn from Mallows' model around the right one, whose dispersion is such that, of all pairs of groups, the expected share in the
 * right order is `reliability`. Neighbours are confused more often than the best and the worst.
 * @param key the draws are a function of it and of the annotator's name: a row is ranked in the same way, whatever else is ranked.
 * Source: Mallows 1957, "Non-null ranking models"; drawn by repeated insertion (Doignon et al. 2004).
 */
export function simulatedRanks(scores: readonly number[], { name, reliability }: Annotator, key: { seed: number; row: number }): number[] {
  const gold = rankByGold(scores);
  const groups = Math.max(0, ...gold);
  const dispersion = dispersionOf(groups, 1 - reliability);
  const draws = new RandomStream(key.seed, hash(`${name}\n${key.row}`));
  const order: number[] = []; // gold ranks, from the best in the annotator's eyes to the worst
  for (let rank = 1; rank <= groups; rank++) order.splice(order.length - displacement(draws.uniform(), rank, dispersion), 0, rank);
  return gold.map((rank) => order.indexOf(rank) + 1);
}

/** How many places before its own the n-th item is put: v with a probability in proportion to φ^v, v = 0 … n - 1. */
function displacement(uniform: number, n: number, phi: number): number {
  let left = uniform * insertionWeights(n, phi).reduce((a, b) => a + b);
  for (let v = 0; v < n - 1; v++) {
    left -= phi ** v;
    if (left < 0) return v;
  }
  return n - 1;
}

/** The φ in [0, 1] at which the expected share of pairs in the wrong order among n items is `wrong`, in [0, 0.5]; by bisection. */
function dispersionOf(n: number, wrong: number): number {
  const share = (phi: number) => {
    let expected = 0; // pairs in the wrong order
    for (let i = 2; i <= n; i++) {
      const weights = insertionWeights(i, phi);
      expected += weights.reduce((sum, w, v) => sum + v * w, 0) / weights.reduce((a, b) => a + b);
    }
    return expected / ((n * (n - 1)) / 2);
  };
  let [low, high] = [0, 1];
  for (let i = 0; n > 1 && i < 24; i++) {
    const middle = (low + high) / 2;
    if (share(middle) < wrong) low = middle;
    else high = middle;
  }
  return high;
}

const insertionWeights = (n: number, phi: number) => Array.from({ length: n }, (_, v) => phi ** v);

/** FNV-1a. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (const char of text) h = Math.imul(h ^ char.codePointAt(0)!, 0x01000193) >>> 0;
  return h;
}
