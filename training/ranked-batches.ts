// Legend: B rows, T tokens, N texts, P comparisons, M choices.
import { emptyBatch, type HostBatch, writeSegment } from '../datasets/packing.js';
import type { RankedTokens } from '../datasets/prepare-preferences.js';
import { philox } from '../util/random.js';
import { type Comparison, comparisonsOf } from './ranking.js';

/** What is learnt from rankings. */
export interface Objective {
  /** `scalar`: each answer has a score; `pair`: two answers in one text, and the score says whether the first is better. */
  head: 'scalar' | 'pair';
  loss: 'bradley_terry' | 'plackett_luce';
  /** Pairs of equal ranks: learnt as even, or left out. */
  ties: 'half' | 'ignore';
  /** Taken from the better one's probability, as TRL's `label_smoothing` of DPO is. */
  labelSmoothing: number;
}

/** The texts of one prompt, and what is learnt from their scores. Places are those of its texts. */
export interface RankedGroup {
  texts: readonly Int32Array[];
  pairs: GroupPair[];
  /** Of a Plackett-Luce ranking: the best of those that are left, again and again. */
  choices: { chosen: number; left: number[] }[];
}

interface GroupPair {
  /** Whose score counts for the better answer, and whose against it; a pair head's text has one of the two. */
  plus?: number;
  minus?: number;
  /** Probability that the better one is better. */
  target: number;
  margin: number;
}

/** Texts packed into rows, and what is learnt from their scores; what is beyond `texts` counts nothing. */
export interface RankedBatch {
  /** Its `targets` are 0 at the texts' last tokens, of which alone the score is asked, and -1 elsewhere. */
  host: HostBatch;
  /** Texts that stand in the rows. */
  texts: number;
  /** [N]: each text's last token, `row · T + column`. */
  ends: Int32Array;
  /** [P, N]: 1 where a score counts for the better answer, -1 where against it. */
  compared: Float32Array;
  /** [P] each. */
  targets: Float32Array;
  margins: Float32Array;
  pairWeights: Float32Array;
  /** [M, N] and [M]; see `plackettLuce`. */
  chosen: Float32Array;
  left: Float32Array;
  choiceWeights: Float32Array;
}

export interface BatchShape {
  B: number;
  T: number;
  N: number;
  P: number;
  M: number;
}

/**
 * What a row of answers is for the loss. A pair head reads each pair once, in an order that `key` draws.
 * @param separator what a pair head reads between two answers.
 */
export function rankedGroup(
  row: RankedTokens,
  objective: Objective,
  separator: readonly number[],
  key: { seed: number; epoch: number },
): RankedGroup {
  const pairs = comparisonsOf(row.ranks, { margins: row.margins, ties: objective.ties });
  const own = (pair: Comparison) => ({ target: pair.tie ? 0.5 : 1 - objective.labelSmoothing, margin: pair.margin });
  if (objective.head === 'scalar') {
    return {
      texts: row.ids,
      pairs: pairs.map((pair) => ({ plus: pair.better, minus: pair.worse, ...own(pair) })),
      choices: objective.loss === 'plackett_luce' ? choicesOf(row.ranks) : [],
    };
  }
  const [draws] = philox([key.seed >>> 0, Math.floor(key.seed / 2 ** 32)], [row.row, key.epoch, 0, 0x50414952]);
  const swapped = (i: number) => ((draws >>> (i % 32)) & 1) === 1;
  return {
    texts: pairs.map(({ better, worse }, i) =>
      swapped(i) ? pairText(row, worse, better, separator) : pairText(row, better, worse, separator),
    ),
    pairs: pairs.map((pair, i) => ({ [swapped(i) ? 'minus' : 'plus']: i, ...own(pair) })),
    choices: [],
  };
}

/** Two answers to one prompt as a pair head reads them: prompt, first answer, `separator`, second answer. */
export function pairText({ ids, responseTokens }: RankedTokens, first: number, second: number, separator: readonly number[]): Int32Array {
  return Int32Array.from([...ids[first], ...separator, ...ids[second].subarray(ids[second].length - responseTokens[second])]);
}

function choicesOf(ranks: readonly number[]): RankedGroup['choices'] {
  const order = ranks.map((_, i) => i).sort((a, b) => ranks[a] - ranks[b]);
  return order.slice(0, -1).map((chosen, i) => ({ chosen, left: order.slice(i) }));
}

/** Tokens of a group's longest text. */
const longest = ({ texts }: RankedGroup) => Math.max(...texts.map(({ length }) => length));

/**
 * The shape of batches that hold each of `groups` and about `tokens` tokens.
 * @param groups those of a whole epoch.
 */
export function batchShape(groups: readonly RankedGroup[], tokens: number): BatchShape {
  const most = (of: (group: RankedGroup) => number) => groups.reduce((largest, group) => Math.max(largest, of(group)), 0);
  const total = (of: (group: RankedGroup) => number) => groups.reduce((sum, group) => sum + of(group), 0);
  const T = most(longest);
  const mean = total(({ texts }) => texts.reduce((sum, { length }) => sum + length, 0)) / total(({ texts }) => texts.length);
  const B = Math.max(
    Math.floor(tokens / T),
    most(({ texts }) => new Rows(T).rowsFor(texts)),
  );
  // More short texts than these begin a new batch.
  const N = Math.max(
    Math.ceil((1.25 * B * T) / mean),
    most(({ texts }) => texts.length),
  );
  const perText = (of: (group: RankedGroup) => number) =>
    Math.max(most(of), Math.ceil(N * most((group) => of(group) / group.texts.length)));
  return { B, T, N, P: perText(({ pairs }) => pairs.length), M: perText(({ choices }) => choices.length) };
}

/**
 * Groups in batches, each whole; those with the longest texts first, each in the first batch that has room (first-fit decreasing; Johnson 1973). Each
 * group weighs the same: 1 / (its comparisons · groups), so that the losses of all batches add up to the mean over the groups.
 * @throws RangeError when a group does not fit into an empty batch.
 */
export function rankedBatches(groups: readonly RankedGroup[], shape: BatchShape, padding: number): RankedBatch[] {
  const fillings: Filling[] = [];
  for (const group of groups.toSorted((a, b) => longest(b) - longest(a))) {
    if (fillings.some((filling) => filling.add(group, groups.length))) continue;
    const filling = new Filling(shape, padding);
    if (!filling.add(group, groups.length)) throw new RangeError(`a group of ${group.texts.length} texts does not fit into a batch`);
    fillings.push(filling);
  }
  return fillings.map(({ batch }) => batch);
}

/** A batch that is being filled. */
class Filling {
  readonly batch: RankedBatch;
  private readonly rows: Rows;
  private pairs = 0;
  private choices = 0;

  constructor(
    private readonly shape: BatchShape,
    padding: number,
  ) {
    const { B, T, N, P, M } = shape;
    const [pairs, choices] = [P, M].map((n) => () => new Float32Array(n));
    this.rows = new Rows(T, B);
    this.batch = {
      ...{ host: emptyBatch(B, T, padding), texts: 0, ends: new Int32Array(N) },
      ...{ compared: new Float32Array(P * N), targets: pairs(), margins: pairs(), pairWeights: pairs() },
      ...{ chosen: new Float32Array(M * N), left: new Float32Array(M * N), choiceWeights: choices() },
    };
  }

  /** Whether it fits. @param groups that share the loss. */
  add(group: RankedGroup, groups: number): boolean {
    const { shape, batch } = this;
    const { N } = shape;
    const first = batch.texts;
    if (first + group.texts.length > N || this.pairs + group.pairs.length > shape.P || this.choices + group.choices.length > shape.M)
      return false;
    const places = this.rows.take(group.texts);
    if (places === undefined) return false;
    group.texts.forEach((text, i) => {
      const end = writeText(batch.host, text, places[i]);
      batch.ends[first + i] = end;
      batch.host.targets[end] = 0;
    });
    batch.texts += group.texts.length;
    for (const { plus, minus, target, margin } of group.pairs) {
      const p = this.pairs++;
      if (plus !== undefined) batch.compared[p * N + first + plus] = 1;
      if (minus !== undefined) batch.compared[p * N + first + minus] = -1;
      batch.targets[p] = target;
      batch.margins[p] = margin;
      batch.pairWeights[p] = 1 / (group.pairs.length * groups);
    }
    for (const { chosen, left } of group.choices) {
      const m = this.choices++;
      batch.chosen[m * N + first + chosen] = 1;
      for (const text of left) batch.left[m * N + first + text] = 1;
      batch.choiceWeights[m] = 1 / (group.choices.length * groups);
    }
    return true;
  }
}

interface Place {
  row: number;
  column: number;
  segment: number;
}

/** Rows of T tokens, each filled from the left. */
class Rows {
  private readonly used: number[] = [];
  private readonly segments: number[] = [];

  constructor(
    private readonly T: number,
    private readonly most = Number.POSITIVE_INFINITY,
  ) {}

  /** Places for texts, each in the first row with room; nothing is taken when not all fit. */
  take(texts: readonly Int32Array[]): Place[] | undefined {
    const [used, segments] = [[...this.used], [...this.segments]];
    const places: Place[] = [];
    for (const { length } of texts) {
      let row = used.findIndex((tokens) => tokens + length <= this.T);
      if (row < 0) {
        if (used.length === this.most || length > this.T) return undefined;
        row = used.push(0) - 1;
        segments.push(0);
      }
      places.push({ row, column: used[row], segment: segments[row]++ });
      used[row] += length;
    }
    this.used.splice(0, this.used.length, ...used);
    this.segments.splice(0, this.segments.length, ...segments);
    return places;
  }

  /** Rows that texts need by themselves. */
  rowsFor(texts: readonly Int32Array[]): number {
    this.take(texts);
    return this.used.length;
  }
}

/** Writes a text as a segment in which nothing is predicted. @returns the place of its last token. */
function writeText(host: HostBatch, ids: Int32Array, { row, column, segment }: Place): number {
  const start = row * host.contextLength + column;
  writeSegment({ ids, offsets: Int32Array.of(0, ids.length), bytes: () => 0 }, host, start, segment, 0, ids.length, 0);
  return start + ids.length - 1;
}
