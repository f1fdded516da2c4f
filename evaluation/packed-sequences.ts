// Legend: B rows of a batch, T tokens of a row.
import { emptyBatch, FirstFit, type HostBatch, writeSegment } from '../datasets/packing.js';
import type { ModelConfig } from '../model/config.js';
import { powerOfTwo } from '../util/hashing.js';

/** Tokens that a model is to read by themselves. */
export interface Sequence {
  ids: ArrayLike<number>;
  /** 1 = the token is to be predicted; absent: all but the first. */
  supervised?: ArrayLike<number>;
}

/** A prompt and a response to it, whose tokens are to be predicted. */
export function responseSequence(prompt: readonly number[], response: readonly number[]): Sequence {
  const supervised = new Uint8Array(prompt.length + response.length).fill(1, prompt.length);
  return { ids: [...prompt, ...response], supervised };
}

/** Where a sequence stands in a batch: its tokens are `from … from + length` of the B·T. */
export interface Place {
  /** Its index among the sequences. */
  sequence: number;
  from: number;
  length: number;
}

/**
 * Sequences as segments of batches of rows of T tokens, so that short ones share a row. The longest come first, each in the first row that has room
 * (first-fit decreasing; Johnson 1973); equal lengths keep their order. A batch has B rows, or half as many, or a quarter, …: few shapes, which
 * recorded passes serve, and few empty rows.
 * @throws RangeError for a sequence of more than T tokens.
 */
export function* packedSequences(
  sequences: readonly Sequence[],
  B: number,
  T: number,
): Generator<{ batch: HostBatch; places: readonly Place[] }> {
  const order = sequences.map((_, i) => i).sort((a, b) => sequences[b].ids.length - sequences[a].ids.length || a - b);
  const fit = new FirstFit();
  const rows: number[][] = [];
  for (const i of order) {
    const { length } = sequences[i].ids;
    if (length > T) throw new RangeError(`packedSequences: a sequence has ${length} tokens, and a row ${T}`);
    const row = fit.take(length, T);
    rows[row] ??= [];
    rows[row].push(i);
  }
  let first = 0;
  for (const size of batchSizes(rows.length, B)) {
    const batch = emptyBatch(size, T, 0);
    const places = rows.slice(first, first + size).flatMap((members, b) => {
      let from = b * T;
      return members.map((sequence, segment): Place => {
        const { ids, supervised } = sequences[sequence];
        const { length } = ids;
        const tokens = { ids, offsets: Int32Array.of(0, length), supervised, bytes: () => 0 };
        writeSegment(tokens, batch, from, segment, 0, length, Math.max(0, length - 1));
        from += length;
        return { sequence, from: from - length, length };
      });
    });
    first += size;
    yield { batch, places };
  }
}

/** Rows of the batches that hold so many rows: `most`, its half, its quarter, …, 1, the largest first; up to a sixteenth of a batch may be empty. */
function batchSizes(rows: number, most: number): number[] {
  const sizes: number[] = [];
  for (let size = most, left = rows; left > 0; ) {
    if (size <= left || (size - left) * 16 <= size) {
      sizes.push(size);
      left -= size;
    } else size = Math.ceil(size / 2);
  }
  return sizes;
}

/**
 * The shape of batches for sequences: rows as long as the longest, up to the next power of two, and about 4,096 tokens in all, which keep a
 * processor busy.
 * @throws RangeError when a sequence is longer than the model's context.
 */
export function packedShape(sequences: readonly Sequence[], { max_position_embeddings: context }: ModelConfig): { B: number; T: number } {
  const longest = sequences.reduce((most, { ids }) => Math.max(most, ids.length), 1);
  if (longest > context) throw new RangeError(`packedShape: a sequence has ${longest} tokens, and the model's context ${context}`);
  const T = Math.min(context, powerOfTwo(longest));
  return { B: packedRows(T), T };
}

/** Rows of T tokens that are about 4,096 tokens. */
export function packedRows(T: number): number {
  return Math.max(1, Math.round(4096 / T));
}
