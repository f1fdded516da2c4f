import { UserError } from '../util/errors.js';
import { concatPacking, emptyBatch, type HostBatch, segmentsPacking } from './packing.js';
import { tokensOf, WINDOW_TOKENS, windowBatches } from './rows.js';
import { openTokens, type TokenBatch, type TokenStore } from './token-store.js';
import { joinTokens, type Tokens } from './tokens.js';

export interface PassOptions {
  /** Prepared tokens. */
  directory: string;
  split: 'train' | 'eval';
  contextLength: number;
  batchSize: number;
  packing: 'concat' | 'segments';
  /** Tokens in memory at a time. */
  windowTokens?: number;
  /** Of each source no more than its first so many batches; default: all. */
  batchesPerSource?: number;
}

/** One part of prepared data from its beginning to its end, for evaluation. */
export interface Pass {
  /** Tokens in this part of the data. */
  tokens: number;
  /** Names of the sources that have something to predict. */
  sources: string[];
  /**
   * All rows (or the first ones, see `batchesPerSource`), source by source, in the order of the files; a source's last batch is filled up with rows of padding. With `concat` each
   * token of a source but its first is a target once, with `segments` each but its document's first.
   */
  batches(): AsyncIterable<{ source: string; batch: HostBatch }>;
  close(): Promise<void>;
}

/** @throws UserError for data that is not there, damaged, or has nothing to predict. */
export async function openPass(options: PassOptions): Promise<Pass> {
  const store = await openTokens(options.directory, options.split);
  const { sources } = store.dataset;
  const counts = store.dataset[options.split].sources;
  const used = sources.map((_, source) => source).filter((source) => counts[source].tokens > 1);
  if (used.length === 0) {
    await store.close();
    throw new UserError(
      `load data: the ${options.split} part of ${options.directory} must have at least 2 tokens of a source; it has ${store.dataset[options.split].tokens} in all. Add data, or change eval_fraction`,
    );
  }
  return {
    tokens: store.dataset[options.split].tokens,
    sources: used.map((source) => sources[source]),
    async *batches() {
      for (const source of used) {
        let left = options.batchesPerSource ?? Number.POSITIVE_INFINITY;
        for await (const batch of sourceBatches(store, source, options)) {
          yield { source: sources[source], batch };
          if (--left === 0) break;
        }
      }
    },
    close: () => store.close(),
  };
}

async function* sourceBatches(store: TokenStore, source: number, options: PassOptions): AsyncGenerator<HostBatch> {
  const { contextLength, batchSize, packing } = options;
  let batch: HostBatch | undefined;
  let place = 0;
  let rest: { tokens: Tokens; from: number } | undefined;
  for await (const { read, last } of windowsOf(store, source, options.windowTokens ?? WINDOW_TOKENS)) {
    const tokens = joinTokens(read, store.byteLengths, (i) => i, rest);
    const packed = (packing === 'concat' ? concatPacking : segmentsPacking)(tokens, contextLength);
    // Rows go on across windows: what does not fill one waits for the next.
    const rows = packing === 'segments' || last ? packed.rows : Math.floor((tokens.ids.length - 1) / contextLength);
    if (packing === 'concat') rest = { tokens, from: Math.max(0, rows) * contextLength };
    for (let row = 0; row < rows; row++) {
      batch ??= emptyBatch(batchSize, contextLength, store.padding);
      packed.fill(batch, place++, row);
      if (place < batchSize) continue;
      yield batch;
      [batch, place] = [undefined, 0];
    }
  }
  if (batch) yield batch;
}

/** The record batches of a source in order, some at a time; the next ones are read while these are used. */
async function* windowsOf(store: TokenStore, source: number, windowTokens: number): AsyncGenerator<{ read: TokenBatch[]; last: boolean }> {
  const batches = store.batches.flatMap((batch, index) => (batch.source === source ? [index] : []));
  if (tokensOf(store, batches) === 0) return;
  const size = windowBatches({ store, batches }, windowTokens);
  const load = (from: number) => {
    const reading = Promise.all(batches.slice(from, from + size).map((index) => store.read(index)));
    reading.catch(() => {}); // heard of when its turn comes
    return reading;
  };
  let ahead = load(0);
  for (let from = 0; from < batches.length; from += size) {
    const read = await ahead;
    const last = from + size >= batches.length;
    if (!last) ahead = load(from + size);
    yield { read, last };
  }
}
