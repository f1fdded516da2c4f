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
  /** Of each token, 1 = it is to be predicted; absent where all are. */
  supervised?: Uint8Array;
  /** What the targets of each document count in the loss; absent where all count 1. */
  weights?: Float32Array;
}

interface Untold {
  position: number;
  bytes: number;
}

/**
 * Documents of some batches, put one after another.
 * @param place the place of document i of the result among the documents of all batches.
 * @param rest tokens before the documents: those of `rest.tokens` from `rest.from`, the first of which has been a target already. They are
 *   documents of the result, too, the first of which may have lost its beginning.
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
  const before = rest && tokensFrom(rest.tokens, rest.from);
  const earlier = before ? before.offsets.length - 1 : 0;
  const Ids = byteLengths.length <= 0x10000 ? Uint16Array : Uint32Array;
  const ids = new Ids(batches.reduce((sum, batch) => sum + batch.ids.length, before?.ids.length ?? 0));
  const offsets = new Int32Array(earlier + documents + 1);
  const untold: Untold[] = [...(before?.untold ?? [])];
  const supervised = [before, ...batches].some((some) => some?.supervised) ? new Uint8Array(ids.length).fill(1) : undefined;
  const weights = [before, ...batches].some((some) => some?.weights) ? new Float32Array(earlier + documents).fill(1) : undefined;
  if (before) {
    ids.set(before.ids);
    offsets.set(before.offsets);
    if (before.supervised) supervised!.set(before.supervised);
    if (before.weights) weights!.set(before.weights);
  }
  let length = before?.ids.length ?? 0;
  for (let i = 0; i < documents; i++) {
    const at = place(i);
    const b = lastAtMost(firsts, at);
    const batch = batches[b];
    const d = at - firsts[b];
    const [from, to] = [batch.offsets[d], batch.offsets[d + 1]];
    offsets[earlier + i] = length;
    ids.set(batch.ids.subarray(from, to), length);
    if (batch.supervised) supervised!.set(batch.supervised.subarray(from, to), length);
    if (batch.weights) weights![earlier + i] = batch.weights[d];
    length += to - from;
    if (batch.untold?.[d]) untold.push({ position: length - 1, bytes: batch.untold[d] });
  }
  offsets[earlier + documents] = length;
  return { ids, offsets, untold, supervised, weights, bytes: (from, to) => bytesOf(ids, byteLengths, untold, from, to) };
}

/** What of `tokens` begins at `from`: documents without what was before it. The token at `from` has been a target already. */
function tokensFrom(tokens: Tokens, from: number): Omit<Tokens, 'bytes'> {
  const first = lastAtMost(tokens.offsets, from);
  const untold: Untold[] = [];
  for (const { position, bytes } of tokens.untold) {
    if (position > from) untold.push({ position: position - from, bytes });
  }
  return {
    ids: tokens.ids.subarray(from),
    offsets: tokens.offsets.slice(first).map((offset) => Math.max(0, offset - from)),
    untold,
    supervised: tokens.supervised?.subarray(from),
    weights: tokens.weights?.subarray(first),
  };
}

/** The documents of one batch, in its own memory. */
export function tokensOfBatch({ ids, offsets, untold: missing, supervised, weights }: TokenBatch, byteLengths: Uint32Array): Tokens {
  const untold: Untold[] = [];
  missing?.forEach((bytes, d) => {
    if (bytes !== 0) untold.push({ position: offsets[d + 1] - 1, bytes });
  });
  return { ids, offsets, untold, supervised, weights, bytes: (from, to) => bytesOf(ids, byteLengths, untold, from, to) };
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
