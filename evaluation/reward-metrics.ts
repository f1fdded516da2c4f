import { kendallTauB } from '../datasets/agreement.js';
import { groupBy } from '../util/group-by.js';
import { wilson } from './intervals.js';

/** Scores of the answers to one prompt, beside what is known of them. */
export interface ScoredRow {
  /** Raw, one an answer. Of a pair head: the mean of the answer's differences to the others. */
  scores: ArrayLike<number>;
  /** How much surer the model is of answer i than of answer j; the difference of the scores where not given. */
  difference?: (i: number, j: number) => number;
  /** One an answer: lower is better, equal is a tie. */
  ranks: readonly number[];
  /** Tokens of each answer. */
  lengths: readonly number[];
  source: string;
}

/** Two answers to a prompt, of which one is better. */
export interface ScoredPair {
  source: string;
  /** The better one's score less the worse one's. */
  margin: number;
  /** The better one's tokens less the worse one's, and those of the longer one. */
  longer: number;
  longest: number;
  /** Ranks between them. */
  rankDistance: number;
  /** Index of its row. */
  row: number;
}

export interface Accuracy {
  pairs: number;
  /** Share of the pairs whose better answer has the higher score; equal scores are half right. */
  accuracy: number;
  /** 95 %, Wilson; pairs of one prompt are counted as if they were independent. */
  interval: [low: number, high: number];
}

export interface ReliabilityBin {
  pairs: number;
  /** Mean of σ(|margin|): how sure the model was. */
  confidence: number;
  accuracy: number;
}

export interface Calibration {
  /** Mean of |confidence − accuracy| over bins of equally many pairs, weighed by them. */
  ece: number;
  bins: ReliabilityBin[];
}

export interface RewardMetrics extends Accuracy {
  prompts: number;
  /** Mean of the margins. */
  margin: number;
  /** −log σ(margin), mean over the prompts of the mean over their pairs: the loss without its options. */
  loss: number;
  /** Mean over the prompts of Kendall's τ-b between ranking and scores. */
  tau: number | undefined;
  sources: Record<string, Accuracy>;
  /** By how many tokens the better answer is longer than the worse one. */
  byLength: Record<string, Accuracy>;
  byRankDistance: Record<string, Accuracy>;
  /** Pairs whose lengths differ by a tenth at most. */
  similarLength: Accuracy;
  /** Pearson's, of score and tokens over all answers; `within` prompts: of what is left when a prompt's means are taken off. */
  lengthCorrelation: { all: number; within: number };
  /** What accuracy would be if the longer answer were taken for the better one. */
  longerIsBetter: number;
  calibration: Calibration;
  /** Margins are divided by it. */
  temperature: number;
  /** With temperatures that were found on the other half of the prompts. */
  calibrated: Calibration;
  /** Of the margins: counts in bins of equal width. */
  histogram: { from: number; to: number; pairs: number }[];
}

const BINS = 15;
const MARGIN_BINS = 16;

/** Everything that can be said of scores whose right order is known. @param rows at least one with a better and a worse answer. */
export function rewardMetrics(rows: readonly ScoredRow[]): RewardMetrics {
  const pairs = pairsOf(rows);
  const margins = pairs.map(({ margin }) => margin);
  const halves = [pairs.filter(({ row }) => row % 2 === 0), pairs.filter(({ row }) => row % 2 === 1)];
  const [even, odd] = halves.map((half) => temperatureOf(half.map(({ margin }) => margin)));
  const scaled = pairs.map(({ margin, row }) => margin / (row % 2 === 0 ? odd : even));
  const taus = rows.map(tauOf).filter((tau) => tau !== undefined);
  const by = (key: (pair: ScoredPair) => string) => {
    const groups = [...groupBy(pairs, key)].sort(([a], [b]) => a.localeCompare(b, 'en', { numeric: true }));
    return Object.fromEntries(groups.map(([name, own]) => [name, accuracyOf(own)]));
  };
  return {
    prompts: rows.length,
    ...accuracyOf(pairs),
    margin: mean(margins),
    loss: mean([...groupBy(pairs, ({ row }) => row).values()].map((own) => mean(own.map(({ margin }) => softplus(-margin))))),
    tau: taus.length === 0 ? undefined : mean(taus),
    sources: by(({ source }) => source),
    byLength: inOrder(by(lengthClass), LENGTH_CLASSES),
    byRankDistance: by(({ rankDistance }) => String(rankDistance)),
    similarLength: accuracyOf(pairs.filter(({ longer, longest }) => Math.abs(longer) <= 0.1 * longest)),
    lengthCorrelation: lengthCorrelation(rows),
    longerIsBetter: mean(pairs.map(({ longer }) => right(longer))),
    calibration: calibrationOf(margins),
    temperature: temperatureOf(margins),
    calibrated: calibrationOf(scaled),
    histogram: marginHistogram(margins),
  };
}

/** All pairs of different ranks. */
export function pairsOf(rows: readonly ScoredRow[]): ScoredPair[] {
  return rows.flatMap(({ scores, difference = (i, j) => scores[i] - scores[j], ranks, lengths, source }, row) => {
    const pairs: ScoredPair[] = [];
    ranks.forEach((rank, i) => {
      ranks.forEach((other, j) => {
        if (!(rank < other)) return;
        const [longer, longest] = [lengths[i] - lengths[j], Math.max(lengths[i], lengths[j])];
        pairs.push({ source, margin: difference(i, j), longer, longest, rankDistance: other - rank, row });
      });
    });
    return pairs;
  });
}

export function accuracyOf(pairs: readonly Pick<ScoredPair, 'margin'>[]): Accuracy {
  const hits = pairs.reduce((sum, { margin }) => sum + right(margin), 0);
  return { pairs: pairs.length, accuracy: hits / pairs.length, interval: wilson(hits, pairs.length) };
}

const right = (margin: number) => (margin > 0 ? 1 : margin === 0 ? 0.5 : 0);

const LENGTH_CLASSES = ['much shorter', 'shorter', 'similar', 'longer', 'much longer'];

/** How long the better answer is beside the worse one: similar within a tenth, much more from a half on. */
function lengthClass({ longer, longest }: ScoredPair): string {
  const part = longer / longest;
  if (Math.abs(part) <= 0.1) return 'similar';
  return `${Math.abs(part) > 0.5 ? 'much ' : ''}${part > 0 ? 'longer' : 'shorter'}`;
}

function inOrder<T>(values: Record<string, T>, order: readonly string[]): Record<string, T> {
  return Object.fromEntries(order.filter((key) => key in values).map((key) => [key, values[key]]));
}

function tauOf({ scores, ranks }: ScoredRow): number | undefined {
  return kendallTauB(
    ranks.map((rank) => -rank),
    Array.from(scores),
  );
}

/**
 * How sure the model is against how often it is right: confidence σ(|margin|), in bins of equally many pairs.
 * Source: Guo et al. 2017, with equal-mass bins (Nguyen and O'Connor 2015).
 */
export function calibrationOf(margins: readonly number[]): Calibration {
  const sorted = margins.map((margin) => ({ confidence: sigmoid(Math.abs(margin)), hit: right(margin) }));
  sorted.sort((a, b) => a.confidence - b.confidence);
  const n = sorted.length;
  const bins: ReliabilityBin[] = [];
  for (let b = 0; b < BINS; b++) {
    const own = sorted.slice(Math.floor((b * n) / BINS), Math.floor(((b + 1) * n) / BINS));
    if (own.length === 0) continue;
    bins.push({ pairs: own.length, confidence: mean(own.map(({ confidence }) => confidence)), accuracy: mean(own.map(({ hit }) => hit)) });
  }
  return { ece: bins.reduce((sum, { pairs, confidence, accuracy }) => sum + (pairs / n) * Math.abs(confidence - accuracy), 0), bins };
}

/**
 * The temperature that makes margins most likely: the minimum of Σ −log σ(margin / temperature), found by bisection of its derivative in
 * 1 / temperature, in which the sum is convex. Between 1/100 and 100, where margins all right or all wrong lead without end.
 * Source: Guo et al. 2017.
 */
export function temperatureOf(margins: readonly number[]): number {
  if (margins.length === 0) return 1;
  const slope = (inverse: number) => margins.reduce((sum, margin) => sum - margin * sigmoid(-margin * inverse), 0);
  let [low, high] = [0.01, 100];
  for (let i = 0; i < 60; i++) {
    const middle = Math.sqrt(low * high);
    if (slope(middle) < 0) low = middle;
    else high = middle;
  }
  return 1 / Math.sqrt(low * high);
}

function lengthCorrelation(rows: readonly ScoredRow[]): { all: number; within: number } {
  const all = { scores: rows.flatMap(({ scores }) => Array.from(scores)), lengths: rows.flatMap(({ lengths }) => lengths) };
  const centred = (values: readonly number[]) => values.map((value) => value - mean(values));
  const within = {
    scores: rows.flatMap(({ scores }) => centred(Array.from(scores))),
    lengths: rows.flatMap(({ lengths }) => centred(lengths)),
  };
  return { all: pearson(all.scores, all.lengths), within: pearson(within.scores, within.lengths) };
}

/** NaN where one of the two does not vary. */
export function pearson(x: readonly number[], y: readonly number[]): number {
  const [mx, my] = [mean(x), mean(y)];
  let [xy, xx, yy] = [0, 0, 0];
  x.forEach((value, i) => {
    xy += (value - mx) * (y[i] - my);
    xx += (value - mx) ** 2;
    yy += (y[i] - my) ** 2;
  });
  return xy / Math.sqrt(xx * yy);
}

function marginHistogram(margins: readonly number[]): RewardMetrics['histogram'] {
  const [least, most] = [margins.reduce((a, b) => Math.min(a, b)), margins.reduce((a, b) => Math.max(a, b))];
  const width = (most - least) / MARGIN_BINS || 1;
  const counts = new Array<number>(MARGIN_BINS).fill(0);
  for (const margin of margins) counts[Math.min(MARGIN_BINS - 1, Math.floor((margin - least) / width))]++;
  return counts.map((pairs, i) => ({ from: least + i * width, to: least + (i + 1) * width, pairs }));
}

export const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
export const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
/** log(1 + eˣ). */
const softplus = (x: number) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
