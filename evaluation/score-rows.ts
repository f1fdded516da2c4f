import type { RankedTokens } from '../datasets/prepare-preferences.js';
import { pairText } from '../training/ranked-batches.js';
import type { ScoredRow } from './reward-metrics.js';

/** Scores of texts: a `Scorer`'s, or several models' together. */
export type ScoreTexts = (texts: readonly Int32Array[]) => Promise<ArrayLike<number>>;

/**
 * Scores the answers of each row. A pair head reads each two answers in both orders; how much surer it is of the first is half of what it says the one
 * way less half of what it says the other way, so that it has no favourite place.
 * @param separator what a pair head reads between two answers; undefined: a scalar head.
 */
export async function scoreRows(
  rows: readonly RankedTokens[],
  score: ScoreTexts,
  separator: readonly number[] | undefined,
): Promise<ScoredRow[]> {
  const all = await score(rows.flatMap((row) => scoredTexts(row, separator)));
  let place = 0;
  return rows.map((row) => {
    const K = row.ranks.length;
    const known = { ranks: row.ranks, lengths: row.responseTokens, source: row.source };
    if (separator === undefined) {
      const scores = Array.from({ length: K }, (_, i) => all[place + i]);
      place += K;
      return { ...known, scores };
    }
    const said = new Map(orderedPairs(row).map(([i, j]) => [`${i} ${j}`, all[place++]]));
    const difference = (i: number, j: number) => (said.get(`${i} ${j}`)! - said.get(`${j} ${i}`)!) / 2;
    const scores = row.ranks.map((_, i) => {
      let sum = 0;
      for (let j = 0; j < K; j++) if (j !== i) sum += difference(i, j);
      return sum / (K - 1);
    });
    return { ...known, scores, difference };
  });
}

/** What a model reads to score a row: its answers, or, of a pair head, each two of them in both orders. */
export function scoredTexts(row: RankedTokens, separator: readonly number[] | undefined): Int32Array[] {
  return separator === undefined ? row.ids : orderedPairs(row).map(([i, j]) => pairText(row, i, j, separator));
}

/** All (i, j), i ≠ j, of a row's answers. */
function orderedPairs({ ranks }: Pick<RankedTokens, 'ranks'>): [number, number][] {
  return ranks.flatMap((_, i) => ranks.flatMap((_, j): [number, number][] => (i === j ? [] : [[i, j]])));
}
