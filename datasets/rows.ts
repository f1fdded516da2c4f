import type { HostBatch } from './packing.js';
import type { TokenStore } from './token-store.js';

/** A stream of rows from some record batches of prepared data. */
export interface RowStream {
  /** Writes the next row into place `place` of an empty batch. */
  fill(batch: HostBatch, place: number): Promise<void>;
  state(): StreamState;
  /** Goes to a place. @throws UserError when there is no such place. */
  restore(state: StreamState): Promise<void>;
  tokens: number;
  /** Rows of the first pass. Where `packing: segments` has more than one window, the first one's rows tell how many that would be. */
  rows: number;
}

/** Where a stream of rows is: all that it takes to go on with the same rows. Drawing at random moves `drawn` alone. */
export interface StreamState {
  /** Whole passes made. */
  epoch: number;
  /** Windows left behind in this pass. */
  window: number;
  /** Rows given from this window. */
  row: number;
  /** Rows given in all. */
  drawn: number;
}

export interface RowsOptions {
  store: TokenStore;
  /** Record batches of the store that the stream is made of. */
  batches: readonly number[];
  contextLength: number;
  seed: number;
  /** Number of the stream: tells its draws from those of others under the seed. */
  stream: number;
}

/** About so many tokens are shuffled at once. */
export const WINDOW_TOKENS = 1 << 22;

/** Record batches in one window: so many that a window has about `WINDOW_TOKENS`. */
export function windowBatches({ store, batches }: Pick<RowsOptions, 'store' | 'batches'>, windowTokens: number): number {
  return Math.max(1, Math.round((windowTokens * batches.length) / tokensOf(store, batches)));
}

export function tokensOf(store: TokenStore, batches: readonly number[]): number {
  return batches.reduce((sum, index) => sum + store.batches[index].tokens, 0);
}
