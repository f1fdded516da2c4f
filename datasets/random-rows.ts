import { philox } from '../util/random.js';
import { type SegmentTokens, writeSegment } from './packing.js';
import { type RowStream, type RowsOptions, tokensOf } from './rows.js';
import type { TokenStore } from './token-store.js';
import { lastAtMost, type Tokens, tokensOfBatch } from './tokens.js';

const STREAM = 0x4c44; // separates these draws from others under the same seed

/**
 * Rows that begin at any token that a whole row follows, drawn at random, as nanoGPT's. Row n is a function of the seed and n. The record
 * batches that were used last stay in memory: fast where they are all of the data, and one read of a batch a row where the data is far larger.
 */
export function randomRows(options: RowsOptions & { cache: BatchCache }): RowStream {
  const { store, batches, contextLength, seed, stream, cache } = options;
  const tokens = tokensOf(store, batches);
  const starts = new Float64Array(batches.length + 1);
  for (const [i, index] of batches.entries()) starts[i + 1] = starts[i] + store.batches[index].tokens;
  const drawable = tokens - contextLength;
  const key = [seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0] as const;
  const draw = (n: number): number => {
    const [high, low] = philox(key, [n >>> 0, Math.floor(n / 2 ** 32), STREAM, stream]);
    return Math.floor(((high * 2 ** 21 + (low >>> 11)) / 2 ** 53) * drawable);
  };
  let drawn = 0;
  // A row and the token after it, which may lie in several record batches.
  const ids = new (store.byteLengths.length <= 0x10000 ? Uint16Array : Uint32Array)(contextLength + 1);

  return {
    tokens,
    rows: Math.max(0, Math.ceil((tokens - 1) / contextLength)),
    async fill(batch, place) {
      const start = draw(drawn);
      const end = start + contextLength + 1;
      const parts: Part[] = [];
      for (let i = lastAtMost(starts, start); starts[i] < end && i < batches.length; i++) {
        const held = cache.held(batches[i]) ?? (await cache.read(batches[i]));
        const from = Math.max(0, start - starts[i]);
        const to = Math.min(held.ids.length, end - starts[i]);
        ids.set(held.ids.subarray(from, to), starts[i] + from - start);
        parts.push({ held, from, to, at: starts[i] + from - start });
      }
      writeSegment(rowOf(ids, parts), batch, place * contextLength, 0, 0, contextLength, contextLength);
      drawn++;
    },
    state: () => ({ epoch: 0, window: 0, row: 0, drawn }),
    async restore(state) {
      drawn = state.drawn;
    },
  };
}

/** Tokens from … to of a record batch, which lie in a row from `at` on. */
interface Part {
  held: Tokens;
  from: number;
  to: number;
  at: number;
}

/** A row put together from record batches. Where one has weights, each token of the row is a document of its own with the weight of its document. */
function rowOf(ids: Tokens['ids'], parts: readonly Part[]): SegmentTokens {
  const length = ids.length;
  const supervised = parts.some(({ held }) => held.supervised) ? new Uint8Array(length).fill(1) : undefined;
  const weights = parts.some(({ held }) => held.weights) ? new Float32Array(length).fill(1) : undefined;
  for (const { held, from, to, at } of parts) {
    if (held.supervised) supervised!.set(held.supervised.subarray(from, to), at);
    for (let i = from; held.weights && i < to; i++) weights![at + i - from] = held.weights[lastAtMost(held.offsets, i)];
  }
  return {
    ids,
    supervised,
    weights,
    offsets: weights ? Int32Array.from({ length: length + 1 }, (_, i) => i) : Int32Array.of(0, length),
    bytes: (first, last) => {
      const within = ({ held, from, to, at }: Part) => held.bytes(Math.max(from, from + first - at), Math.min(to, from + last - at));
      return parts.reduce((sum, part) => sum + within(part), 0);
    },
  };
}

/** Record batches of a store, those in memory that were used last. */
export class BatchCache {
  private readonly batches = new Map<number, Tokens>();
  private bytes = 0;
  constructor(
    private readonly store: TokenStore,
    private readonly mostBytes: number,
  ) {}

  /** A batch that is in memory. */
  held(index: number): Tokens | undefined {
    const tokens = this.batches.get(index);
    if (tokens === undefined) return undefined;
    this.batches.delete(index);
    this.batches.set(index, tokens);
    return tokens;
  }

  /** Reads a batch that is not in memory, and lets go of others until all are within the bound. */
  async read(index: number): Promise<Tokens> {
    const tokens = tokensOfBatch(await this.store.read(index), this.store.byteLengths);
    this.batches.set(index, tokens);
    this.bytes += bytesHeld(tokens);
    for (const [oldest, held] of this.batches) {
      if (this.bytes <= this.mostBytes || oldest === index) break;
      this.batches.delete(oldest);
      this.bytes -= bytesHeld(held);
    }
    return tokens;
  }
}

function bytesHeld({ ids, supervised }: Tokens): number {
  return ids.byteLength + (supervised?.byteLength ?? 0);
}
