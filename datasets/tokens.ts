import type { TokenBatch } from './token-store.js';

/** Documents one after another, in memory. */
export interface Tokens {
  ids: Uint16Array | Uint32Array;
  /** First token of each document, and the end of the last. */
  offsets: Int32Array;
  /** UTF-8 bytes of text that the tokens from..to stand for. */
  bytes(from: number, to: number): number;
  /** Bytes that a document has and its tokens do not tell, counted with its last token. */
  untold: readonly Untold[];
}

interface Untold {
  position: number;
  bytes: number;
}

/**
 * Documents of some batches, put one after another.
 * @param place the place of document i of the result among the documents of all batches.
 * @param rest tokens before the documents: those of `rest.tokens` from `rest.from`, the first of which has been a target already.
 */
export function joinTokens(
  batches: readonly TokenBatch[],
  byteLengths: Uint32Array,
  place: (i: number) => number,
  rest?: { tokens: Tokens; from: number },
): Tokens {
  const firsts = [0];
  for (const { offsets } of batches) firsts.push(firsts.at(-1)! + offsets.length - 1);
  const documents = firsts.at(-1)!;
  const before = rest ? rest.tokens.ids.subarray(rest.from) : [];
  const Ids = byteLengths.length <= 0x10000 ? Uint16Array : Uint32Array;
  const ids = new Ids(batches.reduce((sum, batch) => sum + batch.ids.length, before.length));
  const offsets = new Int32Array(documents + 1);
  const untold: Untold[] = [];
  ids.set(before);
  for (const { position, bytes } of rest?.tokens.untold ?? []) {
    if (position > rest!.from) untold.push({ position: position - rest!.from, bytes });
  }
  let length = before.length;
  for (let i = 0; i < documents; i++) {
    const at = place(i);
    const b = lastAtMost(firsts, at);
    const batch = batches[b];
    const d = at - firsts[b];
    offsets[i] = length;
    ids.set(batch.ids.subarray(batch.offsets[d], batch.offsets[d + 1]), length);
    length += batch.offsets[d + 1] - batch.offsets[d];
    if (batch.untold?.[d]) untold.push({ position: length - 1, bytes: batch.untold[d] });
  }
  offsets[documents] = length;
  return { ids, offsets, untold, bytes: (from, to) => bytesOf(ids, byteLengths, untold, from, to) };
}

/** The documents of one batch, in its own memory. */
export function tokensOfBatch({ ids, offsets, untold: missing }: TokenBatch, byteLengths: Uint32Array): Tokens {
  const untold: Untold[] = [];
  missing?.forEach((bytes, d) => {
    if (bytes !== 0) untold.push({ position: offsets[d + 1] - 1, bytes });
  });
  return { ids, offsets, untold, bytes: (from, to) => bytesOf(ids, byteLengths, untold, from, to) };
}

function bytesOf(ids: Tokens['ids'], byteLengths: Uint32Array, untold: readonly Untold[], from: number, to: number): number {
  let sum = 0;
  for (let i = from; i < to; i++) sum += byteLengths[ids[i]];
  let low = 0;
  for (let high = untold.length; low < high; ) {
    const middle = (low + high) >> 1;
    if (untold[middle].position < from) low = middle + 1;
    else high = middle;
  }
  for (; low < untold.length && untold[low].position < to; low++) sum += untold[low].bytes;
  return sum;
}

/** The last index at which `sorted` is no more than `value`; `sorted` begins with a value that is none. */
export function lastAtMost(sorted: ArrayLike<number>, value: number): number {
  let low = 0;
  for (let high = sorted.length - 1; low < high; ) {
    const middle = (low + high + 1) >> 1;
    if (sorted[middle] <= value) low = middle;
    else high = middle - 1;
  }
  return low;
}
