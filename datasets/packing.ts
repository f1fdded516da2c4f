import { lastAtMost, type Tokens } from './tokens.js';

/** A batch in plain arrays, [B·T] each; B rows of T tokens. */
export interface HostBatch {
  ids: Int32Array;
  /** Restart in each segment. */
  positions: Int32Array;
  /** -1 is padding. */
  segments: Int32Array;
  /** The next token; -1 is ignored: at the last token of a segment that the stream does not continue, and padding. */
  targets: Int32Array;
  batchSize: number;
  contextLength: number;
  /** What each target counts in the loss, 0 where it is ignored; absent where each counts 1. */
  weights?: Float32Array;
  /** Targets that are not ignored. */
  supervised: number;
  /** Sum of the targets' weights; `supervised` where each counts 1. */
  weight: number;
  /** UTF-8 bytes of text that the targets stand for. */
  bytes: number;
}

export function emptyBatch(batchSize: number, contextLength: number, padding: number): HostBatch {
  const filled = (value: number) => new Int32Array(batchSize * contextLength).fill(value);
  return {
    ids: filled(padding),
    positions: filled(0),
    segments: filled(-1),
    targets: filled(-1),
    batchSize,
    contextLength,
    supervised: 0,
    weight: 0,
    bytes: 0,
  };
}

/** Tokens of the segment that each token is in, [B·T]; 0 on padding. */
export function segmentLengths({ segments, contextLength }: Pick<HostBatch, 'segments' | 'contextLength'>): Int32Array {
  const lengths = new Int32Array(segments.length);
  for (let start = 0, end = 0; start < segments.length; start = end) {
    const rowEnd = (Math.floor(start / contextLength) + 1) * contextLength;
    while (end < rowEnd && segments[end] === segments[start]) end++;
    if (segments[start] >= 0) lengths.fill(end - start, start, end);
  }
  return lengths;
}

/** How tokens become rows. */
export interface Packing {
  rows: number;
  /** Writes row `row` into place `place` of an empty batch. */
  fill(batch: HostBatch, place: number, row: number): void;
}

/** What `writeSegment` takes from. */
export type SegmentTokens = Pick<Tokens, 'offsets' | 'bytes' | 'weights'> & { ids: ArrayLike<number>; supervised?: ArrayLike<number> };

/** Writes `inputs` tokens from `start` as one segment, the first `targets` of which predict the token after, where that is to be predicted. */
export function writeSegment(
  tokens: SegmentTokens,
  batch: HostBatch,
  offset: number,
  segment: number,
  start: number,
  inputs: number,
  targets: number,
): void {
  const { ids, supervised, weights } = tokens;
  if (weights) batch.weights ??= Float32Array.from(batch.targets, (target) => (target >= 0 ? 1 : 0));
  for (let i = 0; i < inputs; i++) {
    batch.ids[offset + i] = ids[start + i];
    batch.positions[offset + i] = i;
    batch.segments[offset + i] = segment;
    if (i < targets && supervised?.[start + i + 1] !== 0) batch.targets[offset + i] = ids[start + i + 1];
  }
  const [first, last] = [start + 1, start + 1 + targets];
  let document = weights ? lastAtMost(tokens.offsets, first) : 0;
  for (let from = first, to = first; from < last; from = to + 1) {
    for (to = from; to < last && supervised?.[to] !== 0; ) to++;
    batch.supervised += to - from;
    batch.bytes += tokens.bytes(from, to);
    if (!batch.weights) batch.weight += to - from;
    for (let i = from; batch.weights && i < to; i++) {
      while (weights && tokens.offsets[document + 1] <= i) document++;
      const weight = weights ? weights[document] : 1;
      batch.weights[offset + i - first] = weight;
      batch.weight += weight;
    }
  }
}

/** Documents one after another, cut every `contextLength` tokens; each token but the first is a target once, the last row is filled up. */
export function concatPacking(tokens: Tokens, contextLength: number): Packing {
  const last = tokens.ids.length - 1;
  return {
    rows: concatRows(tokens.ids.length, contextLength),
    fill(batch, place, row) {
      const start = row * contextLength;
      const length = Math.min(contextLength, last - start);
      writeSegment(tokens, batch, place * contextLength, 0, start, length, length);
    },
  };
}

/** Rows that `concatPacking` makes of so many tokens. */
export function concatRows(tokens: number, contextLength: number): number {
  return Math.max(0, Math.ceil((tokens - 1) / contextLength));
}

/**
 * Documents as segments, each in the first row that has room. One longer than a row is split into pieces that share a token: the last
 * of a piece, which predicts nothing, begins the next. Each token but a document's first is a target once.
 */
export function segmentsPacking(tokens: Tokens, contextLength: number): Packing {
  const { offsets } = tokens;
  const stride = Math.max(1, contextLength - 1);
  let count = 0;
  for (let d = 0; d + 1 < offsets.length; d++) count += Math.ceil(Math.max(0, offsets[d + 1] - offsets[d] - 1) / stride);
  const starts = new Int32Array(count);
  const lengths = new Int32Array(count);
  const rowOf = new Int32Array(count);
  const room = new FirstFit();
  let piece = 0;
  for (let d = 0; d + 1 < offsets.length; d++) {
    const end = offsets[d + 1];
    for (let start = offsets[d]; start + 1 < end; start += stride, piece++) {
      starts[piece] = start;
      lengths[piece] = Math.min(contextLength, end - start);
      rowOf[piece] = room.take(lengths[piece], contextLength);
    }
  }
  const { firsts, order } = byRow(rowOf, room.rows);
  return {
    rows: room.rows,
    fill(batch, place, row) {
      let offset = place * contextLength;
      for (let i = firsts[row]; i < firsts[row + 1]; i++) {
        const length = lengths[order[i]];
        writeSegment(tokens, batch, offset, i - firsts[row], starts[order[i]], length, length - 1);
        offset += length;
      }
    },
  };
}

/** The pieces of row r in their order: `order[firsts[r] … firsts[r + 1])`. */
function byRow(rowOf: Int32Array, rows: number): { firsts: Int32Array; order: Int32Array } {
  const firsts = new Int32Array(rows + 1);
  for (const row of rowOf) firsts[row + 1]++;
  for (let row = 0; row < rows; row++) firsts[row + 1] += firsts[row];
  const next = firsts.slice();
  const order = new Int32Array(rowOf.length);
  rowOf.forEach((row, piece) => {
    order[next[row]++] = piece;
  });
  return { firsts, order };
}

/** Rows by the room left in them: a tree of maxima finds the first with enough in log(rows). */
export class FirstFit {
  private leaves = 1;
  private room = new Int32Array(2); // node i has the children 2i and 2i + 1; the leaves are the rows
  /** Rows begun. */
  rows = 0;

  /** Takes `length` from the first row that has it; begins a row of `whole` where none does. */
  take(length: number, whole: number): number {
    if (this.room[1] < length) this.begin(whole);
    let node = 1;
    while (node < this.leaves) node = this.room[2 * node] >= length ? 2 * node : 2 * node + 1;
    this.set(node, this.room[node] - length);
    return node - this.leaves;
  }

  private begin(whole: number): void {
    if (this.rows === this.leaves) {
      const grown = new Int32Array(4 * this.leaves);
      grown.set(this.room.subarray(this.leaves), 2 * this.leaves);
      this.leaves *= 2;
      this.room = grown;
      for (let node = this.leaves - 1; node > 0; node--) grown[node] = Math.max(grown[2 * node], grown[2 * node + 1]);
    }
    this.set(this.leaves + this.rows++, whole);
  }

  private set(leaf: number, value: number): void {
    this.room[leaf] = value;
    for (let node = leaf >> 1; node > 0; node >>= 1) this.room[node] = Math.max(this.room[2 * node], this.room[2 * node + 1]);
  }
}
