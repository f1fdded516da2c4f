/** How far annotators who ranked the same answers agree. */

/** An annotator's ranks of an item's responses, in one order of the responses for all annotators: lower is better, equal is a tie. */
export interface Rating {
  /** What is ranked: the same for all who ranked the same responses to the same prompt. */
  item: string;
  /** Place in the table. */
  row: number;
  annotator: string;
  ranks: readonly number[];
}

/** Agreement over all items that two or more annotators ranked. */
export interface Agreement {
  items: number;
  ratings: number;
  /**
   * Krippendorff's α, ordinal: 1 is full agreement, 0 that of chance. A unit is a response, its value the rank within the item (of ties the mean).
   * Missing where all ranks are the same.
   */
  alpha?: number;
  /** Mean of Kendall's τ-b over all pairs of annotators of an item; a pair of which one has ties alone has none. Missing where no pair has one. */
  tau?: number;
  /** Those who agree least with the others first. */
  annotators: { name: string; items: number; tau?: number }[];
  /** Those whose annotators agree least first; only items that have a τ-b. */
  hardest: { row: number; annotators: string[]; tau: number }[];
}

const HARDEST = 5;

/**
 * Agreement of annotators; undefined where no item has two of them. Of several ratings of an item by one annotator the first counts.
 */
export function agreement(ratings: Iterable<Rating>): Agreement | undefined {
  const byItem = new Map<string, Map<string, Rating>>();
  for (const rating of ratings) {
    const item = byItem.get(rating.item) ?? new Map<string, Rating>();
    byItem.set(rating.item, item);
    if (!item.has(rating.annotator)) item.set(rating.annotator, rating);
  }
  const shared = [...byItem.values()].map((item) => [...item.values()]).filter(({ length }) => length > 1);
  if (shared.length === 0) return undefined;

  const units = shared.flatMap((item) => {
    const values = item.map(({ ranks }) => meanRanks(ranks));
    return values[0].map((_, response) => values.map((ranks) => ranks[response]));
  });
  const all: number[] = [];
  const ofAnnotator = new Map<string, { items: number; taus: number[] }>();
  const hardest: Agreement['hardest'] = [];
  for (const item of shared) {
    const own: number[] = [];
    for (const [i, a] of item.entries()) {
      const counts = ofAnnotator.get(a.annotator) ?? { items: 0, taus: [] };
      ofAnnotator.set(a.annotator, counts);
      counts.items++;
      for (const [j, b] of item.entries()) {
        const tau = i === j ? undefined : kendallTauB(a.ranks, b.ranks);
        if (tau === undefined) continue;
        counts.taus.push(tau);
        if (i < j) own.push(tau);
      }
    }
    all.push(...own);
    if (own.length > 0) hardest.push({ row: item[0].row, annotators: item.map(({ annotator }) => annotator), tau: mean(own)! });
  }
  const annotators = [...ofAnnotator].map(([name, { items, taus }]) => ({ name, items, tau: mean(taus) }));
  return {
    items: shared.length,
    ratings: shared.reduce((sum, { length }) => sum + length, 0),
    alpha: krippendorffAlpha(units, ordinal),
    tau: mean(all),
    annotators: annotators.sort((a, b) => (a.tau ?? 1) - (b.tau ?? 1)),
    hardest: hardest.sort((a, b) => a.tau - b.tau || a.row - b.row).slice(0, HARDEST),
  };
}

/**
 * Kendall's τ-b of two rankings of the same things: (concordant − discordant) / √((pairs − ties in a) · (pairs − ties in b)), in [−1, 1]. Undefined
 * where one of them has ties alone. Source: Kendall 1945, "The treatment of ties in ranking problems".
 */
export function kendallTauB(a: readonly number[], b: readonly number[]): number | undefined {
  let [sum, ofA, ofB] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    for (let j = 0; j < i; j++) {
      const [inA, inB] = [Math.sign(a[i] - a[j]), Math.sign(b[i] - b[j])];
      sum += inA * inB;
      ofA += Math.abs(inA);
      ofB += Math.abs(inB);
    }
  }
  return ofA > 0 && ofB > 0 ? sum / Math.sqrt(ofA * ofB) : undefined;
}

/**
 * The squared difference of two values.
 * @param counts how often each value is there, in the order of the values. @param c, k places of two values in it, c < k.
 */
export type Metric = (values: readonly number[], counts: readonly number[], c: number, k: number) => number;

/** The number of values between the two, their own counting half. */
export const ordinal: Metric = (_, counts, c, k) => {
  let between = -(counts[c] + counts[k]) / 2;
  for (let g = c; g <= k; g++) between += counts[g];
  return between ** 2;
};

export const interval: Metric = (values, _, c, k) => (values[c] - values[k]) ** 2;

export const nominal: Metric = () => 1;

/**
 * Krippendorff's α: 1 − observed / expected disagreement. Undefined where no two values differ, or no unit has two.
 * @param units of each, the values that observers gave it; missing ones are left out. A unit with fewer than two says nothing.
 * Source: Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", section D.
 */
export function krippendorffAlpha(units: readonly (readonly number[])[], metric: Metric): number | undefined {
  const pairable = units.filter(({ length }) => length > 1);
  const values = [...new Set(pairable.flat())].sort((a, b) => a - b);
  const place = new Map(values.map((value, c) => [value, c]));
  const coincidences = values.map(() => new Array<number>(values.length).fill(0));
  for (const unit of pairable) {
    const places = unit.map((value) => place.get(value)!);
    places.forEach((c, i) => {
      places.forEach((k, j) => {
        if (i !== j) coincidences[c][k] += 1 / (unit.length - 1);
      });
    });
  }
  const counts = coincidences.map((row) => row.reduce((sum, count) => sum + count, 0));
  const total = counts.reduce((sum, count) => sum + count, 0);
  let [observed, expected] = [0, 0];
  for (let c = 0; c < values.length; c++) {
    for (let k = c + 1; k < values.length; k++) {
      const distance = metric(values, counts, c, k);
      observed += coincidences[c][k] * distance;
      expected += counts[c] * counts[k] * distance;
    }
  }
  return expected > 0 ? 1 - ((total - 1) * observed) / expected : undefined;
}

/** Ranks from 1, of ties the mean: 5 5 9 are 1.5 1.5 3, so that it does not matter how an annotator numbers them. */
export function meanRanks(ranks: readonly number[]): number[] {
  return ranks.map((rank) => {
    const below = ranks.filter((other) => other < rank).length;
    const equal = ranks.filter((other) => other === rank).length;
    return below + (equal + 1) / 2;
  });
}

const mean = (values: readonly number[]) => (values.length > 0 ? values.reduce((sum, value) => sum + value, 0) / values.length : undefined);
