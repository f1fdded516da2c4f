import { UserError } from '../util/errors.js';
import { philox } from '../util/random.js';
import { concatPacking, emptyBatch, type HostBatch, segmentsPacking } from './packing.js';
import { permutation } from './permutation.js';
import { readTokenStream } from './token-stream.js';

export type { HostBatch } from './packing.js';

export interface LoaderOptions {
  /** Prepared tokens. */
  directory: string;
  split: 'train' | 'eval';
  contextLength: number;
  batchSize: number;
  /** `concat`: documents follow each other in a row; `segments`: and a token attends to its own document only. */
  packing: 'concat' | 'segments';
  seed: number;
  /** `epoch`: each row once, shuffled anew in each epoch; `random`: rows drawn at random. */
  sampling: 'epoch' | 'random';
}

/** Where a loader is: all that it takes to go on with the same batches. */
export interface LoaderState {
  /** Whole passes made. */
  epoch: number;
  /** Rows given in this pass. */
  row: number;
  /** Rows given in all. */
  drawn: number;
}

export interface Loader {
  /** The next batch for training. Where a pass ends within a batch, the next pass begins in it. */
  next(): Promise<HostBatch>;
  state(): LoaderState;
  restore(state: LoaderState): void;
  /** Batches in which every row has been given once (the last may reach into the next pass). */
  batchesPerEpoch: number;
  /** Tokens in this part of the data. */
  tokens: number;
  /** One pass over all rows in order, for evaluation; the last batch is filled up with rows of padding. */
  epochBatches(): AsyncIterable<HostBatch>;
  close(): Promise<void>;
}

const STREAM = 0x4c44; // separates these draws from others under the same seed

export async function openLoader(options: LoaderOptions): Promise<Loader> {
  const { contextLength, batchSize, seed, sampling } = options;
  const stream = await readTokenStream(options.directory, options.split);
  const packing = (options.packing === 'concat' ? concatPacking : segmentsPacking)(stream, contextLength);
  const tokens = stream.ids.length;
  if (packing.rows < 1 || (sampling === 'random' && packing.drawable < 1)) {
    const least = sampling === 'random' && options.packing === 'concat' ? contextLength + 1 : 2;
    throw new UserError(
      `load data: the ${options.split} part of ${options.directory} must have at least ${least} tokens${options.packing === 'segments' ? ' in a document' : ''}` +
        ` (sampling: ${sampling}, context_length: ${contextLength}); it has ${tokens}. Add data, lower context_length, or change eval_fraction`,
    );
  }
  const key = [seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0] as const;
  let [epoch, row, drawn] = [0, 0, 0];
  let shuffle = permutation(packing.rows, seed, epoch);

  const drawRow = (): number => {
    const [high, low] = philox(key, [drawn >>> 0, Math.floor(drawn / 2 ** 32), STREAM, 0]);
    return Math.floor(((high * 2 ** 21 + (low >>> 11)) / 2 ** 53) * packing.drawable);
  };

  const advance = () => {
    drawn++;
    row++;
    if (row < packing.rows) return;
    row = 0;
    shuffle = permutation(packing.rows, seed, ++epoch);
  };

  return {
    async next() {
      const batch = emptyBatch(batchSize, contextLength, stream.padding);
      for (let place = 0; place < batchSize; place++) {
        if (sampling === 'random') packing.fillDrawn(batch, place, drawRow());
        else packing.fill(batch, place, shuffle(row));
        advance();
      }
      return batch;
    },
    state: () => ({ epoch, row, drawn }),
    restore(state) {
      const whole = [state.epoch, state.row, state.drawn].every((n) => Number.isSafeInteger(n) && n >= 0);
      if (!whole || state.drawn !== state.epoch * packing.rows + state.row || state.row >= packing.rows) {
        throw new UserError(
          `resume: the loader's state must be of the same data, context_length and packing (${packing.rows} rows a pass); received ${JSON.stringify(state)}. Resume with the configuration of the run`,
        );
      }
      ({ epoch, row, drawn } = state);
      shuffle = permutation(packing.rows, seed, epoch);
    },
    batchesPerEpoch: Math.ceil(packing.rows / batchSize),
    tokens,
    async *epochBatches() {
      for (let first = 0; first < packing.rows; first += batchSize) {
        const batch = emptyBatch(batchSize, contextLength, stream.padding);
        for (let place = 0; place < batchSize && first + place < packing.rows; place++) packing.fill(batch, place, first + place);
        yield batch;
      }
    },
    async close() {},
  };
}
