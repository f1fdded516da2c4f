import { createHash } from 'node:crypto';
import { UserError } from '../util/errors.js';
import { epochRows } from './epoch-rows.js';
import { type Mixture, mixtureWeights, nextSource, type SourceShare } from './mixture.js';
import { emptyBatch, type HostBatch } from './packing.js';
import { BatchCache, randomRows } from './random-rows.js';
import { type RowStream, type RowsOptions, type StreamState, tokensOf, WINDOW_TOKENS } from './rows.js';
import { openTokens, type TokenStore } from './token-store.js';

export type { Mixture, SourceShare } from './mixture.js';
export type { HostBatch } from './packing.js';
export type { StreamState } from './rows.js';

export interface LoaderOptions {
  /** Prepared tokens; their training part is loaded. */
  directory: string;
  contextLength: number;
  batchSize: number;
  /** `concat`: documents follow each other in a row; `segments`: and a token attends to its own document only. */
  packing: 'concat' | 'segments';
  seed: number;
  /** `epoch`: each row once, shuffled anew in each epoch; `random`: rows drawn at random, of `packing: concat` only. */
  sampling: 'epoch' | 'random';
  /** Weight of each source; default: the data's own, or else as much of each as there is. */
  mixture?: Mixture;
  /** Tokens of a source that are shuffled at once, in the stead of the usual 4 M or less: up to two such windows are in memory. */
  windowTokens?: number;
  /** Bound on the record batches that `sampling: random` keeps in memory. */
  cacheBytes?: number;
}

/** Where a loader is: all that it takes to go on with the same batches. */
export interface LoaderState {
  /** What the order of rows depends on (data, options), in 32 bits. */
  order: number;
  /** One for each source that rows are taken from. */
  streams: StreamState[];
}

/** Training data, batch by batch. Record batches are read when they are needed; the order depends on data, options and state alone. */
export interface Loader {
  /** The next batch. Where a pass ends within a batch, the next pass begins in it. */
  next(): Promise<HostBatch>;
  state(): LoaderState;
  /** @throws UserError for a state of other data or options. */
  restore(state: LoaderState): Promise<void>;
  /** Batches in which every row has been given once (the last may reach into the next pass); with a mixture, so many rows as its sources have. */
  batchesPerEpoch: number;
  /** Tokens of the sources that have a weight. */
  tokens: number;
  /** What each source gives. */
  sources: SourceShare[];
  close(): Promise<void>;
}

const CACHE_BYTES = 256 << 20;
/** Tokens of the windows in use of all streams together, as long as a window has a record batch. */
const WINDOWS_TOKENS = 1 << 24;

/** @throws UserError for data that is not there, damaged, or too little for a row. */
export async function openLoader(options: LoaderOptions): Promise<Loader> {
  const { directory, contextLength, batchSize } = options;
  const store = await openTokens(directory, 'train');
  try {
    const { sources, mixture: own } = store.dataset;
    const mixture = options.mixture ?? own;
    const weights = mixture && mixtureWeights(mixture, sources, directory);
    const used = sourcesUsed(store, weights, options);
    const streams = await openStreams(store, used, options);
    const rows = streams.reduce((sum, stream) => sum + stream.rows, 0);
    const shares = used.map((source, i) => (weights && source !== undefined ? weights[source] : streams[i].rows / rows));
    const order = orderOf(store, weights, options);
    return {
      async next() {
        const batch = emptyBatch(batchSize, contextLength, store.padding);
        const drawn = streams.map((stream) => stream.state().drawn);
        for (let place = 0; place < batchSize; place++) {
          const next = nextSource(shares, drawn);
          await streams[next].fill(batch, place);
          drawn[next]++;
        }
        return batch;
      },
      state: () => ({ order, streams: streams.map((stream) => stream.state()) }),
      async restore(state) {
        checkState(state, order, streams.length);
        for (const [i, stream] of streams.entries()) await stream.restore(state.streams[i]);
      },
      batchesPerEpoch: Math.ceil(rows / batchSize),
      tokens: streams.reduce((sum, stream) => sum + stream.tokens, 0),
      sources: sharesOf(store, used, shares, streams),
      close: () => store.close(),
    };
  } catch (error) {
    await store.close();
    throw error;
  }
}

/**
 * The sources that rows are taken from, each a stream. Without a mixture each gives as much as it has, side by side: a record batch has one
 * source only, and a window few record batches. Drawn at random they are one stream (undefined), which is as well mixed.
 */
function sourcesUsed(
  { dataset }: TokenStore,
  weights: readonly number[] | undefined,
  { sampling, packing }: LoaderOptions,
): (number | undefined)[] {
  const all = dataset.sources.map((_, source) => source);
  if (weights) return all.filter((source) => weights[source] > 0);
  if (sampling === 'random') return [undefined];
  const least = (documents: number) => (packing === 'segments' ? documents : 1);
  const some = all.filter((source) => dataset.train.sources[source].tokens > least(dataset.train.sources[source].documents));
  return some.length > 0 ? some : [undefined];
}

async function openStreams(store: TokenStore, used: readonly (number | undefined)[], options: LoaderOptions): Promise<RowStream[]> {
  const { contextLength, seed, sampling, packing } = options;
  const cache = new BatchCache(store, options.cacheBytes ?? CACHE_BYTES);
  const windowTokens = options.windowTokens ?? Math.min(WINDOW_TOKENS, WINDOWS_TOKENS / used.length);
  const streams: RowStream[] = [];
  for (const source of used) {
    const all = store.batches.map((_, index) => index);
    const batches = source === undefined ? all : all.filter((index) => store.batches[index].source === source);
    const rows: RowsOptions = { store, batches, contextLength, seed, stream: source ?? 0 };
    checkEnough(rows, options, source);
    streams.push(sampling === 'random' ? randomRows({ ...rows, cache }) : await epochRows({ ...rows, packing, windowTokens }));
  }
  return streams;
}

function checkEnough({ store, batches }: RowsOptions, { sampling, packing, contextLength }: LoaderOptions, source?: number): void {
  const tokens = tokensOf(store, batches);
  const least = sampling === 'random' ? contextLength + 1 : 2;
  if (sampling === 'random' && packing === 'segments') {
    throw new UserError('load data: sampling: random draws from one stream of text; received packing: segments. Use packing: concat');
  }
  if (tokens >= least) return;
  const what = source === undefined ? `the ${store.part} part` : `the ${store.part} part of the source ${store.dataset.sources[source]}`;
  throw new UserError(
    `load data: ${what} of ${store.directory} must have at least ${least} tokens (sampling: ${sampling}, context_length: ${contextLength}); it has ${tokens}. ` +
      `Add data, lower context_length, ${source === undefined ? '' : 'give it the weight 0, '}or change eval_fraction`,
  );
}

/** Shares and rows by source. Where all sources are one stream, each has its part of the rows. */
function sharesOf(
  { dataset }: TokenStore,
  used: readonly (number | undefined)[],
  shares: readonly number[],
  streams: readonly RowStream[],
): SourceShare[] {
  const { sources, tokens: all } = dataset.train;
  return sources.map(({ tokens }, source) => {
    const name = dataset.sources[source];
    if (used[0] === undefined) return { name, tokens, share: tokens / all, rows: (streams[0].rows * tokens) / all };
    const i = used.indexOf(source);
    return { name, tokens, share: shares[i] ?? 0, rows: streams[i]?.rows ?? 0 };
  });
}

function orderOf(store: TokenStore, weights: readonly number[] | undefined, options: LoaderOptions): number {
  const { contextLength, packing, sampling, seed, windowTokens } = options;
  const batches = store.batches.map(({ source, documents, tokens, bytes }) => [source, documents, tokens, bytes]);
  const settings = { contextLength, packing, sampling, seed, windowTokens, weights };
  return createHash('sha256')
    .update(JSON.stringify([store.dataset.tokenizer_sha256, batches, settings]))
    .digest()
    .readUInt32LE();
}

function checkState(state: LoaderState, order: number, streams: number): void {
  const whole = (n: unknown) => Number.isSafeInteger(n) && (n as number) >= 0;
  const complete =
    Array.isArray(state?.streams) && state.streams.every(({ epoch, window, row, drawn }) => [epoch, window, row, drawn].every(whole));
  if (!complete) {
    throw new UserError(
      `resume: the loader's state must be {order, streams}, and this is an earlier version's; received ${JSON.stringify(state)}. ` +
        'Its place in the data cannot be found: begin a new run with init_from, or finish this one with the version that began it',
    );
  }
  if (state.order === order && state.streams.length === streams) return;
  throw new UserError(
    `resume: the loader's state must be of the same data, context_length, packing, sampling, seed and mixture; received that of others (order ${state.order}, not ${order}). ` +
      'Resume with the configuration of the run',
  );
}
