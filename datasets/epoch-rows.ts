import { UserError } from '../util/errors.js';
import { concatPacking, concatRows, type Packing, segmentsPacking } from './packing.js';
import { permutation } from './permutation.js';
import { type RowStream, type RowsOptions, type StreamState, tokensOf, windowBatches } from './rows.js';
import { joinTokens } from './tokens.js';

/** A window in memory: its documents in their order made into rows, and the order of those. */
interface Window {
  tokens: number;
  packing: Packing;
  order: (row: number) => number;
}

type Place = Pick<StreamState, 'epoch' | 'window'>;

/**
 * Every row once a pass, shuffled anew in each: record batches are taken in a permuted order, some of them at a time make a window, whose
 * documents are permuted and packed into rows, which are permuted again. In memory are the window in use and the next one, which is read
 * while this one is used. The place is a few integers, for the orders are computed.
 */
export async function epochRows(options: RowsOptions & { packing: 'concat' | 'segments'; windowTokens: number }): Promise<RowStream> {
  const { store, batches, contextLength, seed, stream } = options;
  const size = windowBatches(options, options.windowTokens);
  const windows = Math.ceil(batches.length / size);
  const tokens = tokensOf(store, batches);
  const pack = options.packing === 'concat' ? concatPacking : segmentsPacking;

  const batchesIn = ({ epoch, window }: Place): number[] => {
    const order = permutation(batches.length, seed, [epoch, stream, 0]);
    const count = Math.min(size, batches.length - window * size);
    return Array.from({ length: count }, (_, i) => batches[order(window * size + i)]);
  };
  const load = async (place: Place): Promise<Window> => {
    const read = await Promise.all(batchesIn(place).map((index) => store.read(index)));
    const documents = read.reduce((sum, { offsets }) => sum + offsets.length - 1, 0);
    const joined = joinTokens(read, store.byteLengths, permutation(documents, seed, [place.epoch, stream, 2 * place.window + 1]));
    const packing = pack(joined, contextLength);
    return {
      tokens: joined.ids.length,
      packing,
      order: permutation(packing.rows, seed, [place.epoch, stream, 2 * place.window + 2]),
    };
  };
  const after = ({ epoch, window }: Place): Place =>
    window + 1 < windows ? { epoch, window: window + 1 } : { epoch: epoch + 1, window: 0 };

  let at: StreamState = { epoch: 0, window: 0, row: 0, drawn: 0 };
  let current: Window | undefined;
  let ahead: { place: Place; window: Promise<Window> } | undefined;
  const readAhead = (place: Place) => {
    ahead = { place, window: load(place) };
    ahead.window.catch(() => {}); // whoever comes to need it hears of it
  };
  /** The window that the stream is in; from here on the next one is on its way. */
  const here = async (): Promise<Window> => {
    if (current) return current;
    if (ahead?.place.epoch !== at.epoch || ahead.place.window !== at.window) readAhead({ epoch: at.epoch, window: at.window });
    current = await ahead!.window;
    readAhead(after(at));
    return current;
  };
  const leave = () => {
    at = { ...after(at), row: 0, drawn: at.drawn };
    current = undefined;
  };

  return {
    tokens,
    rows: await rowsOfPass(),
    async fill(batch, place) {
      let window = current ?? (await here());
      for (let empty = 0; at.row >= window.packing.rows; window = await here()) {
        if (empty++ > windows) throw noRows(options);
        leave();
      }
      window.packing.fill(batch, place, window.order(at.row));
      at.row++;
      at.drawn++;
      if (at.row === window.packing.rows) leave();
    },
    state: () => ({ ...at }),
    async restore(state) {
      const { window, row } = state;
      at = { ...state };
      current = undefined;
      if (window < windows && row < Math.max(1, (await here()).packing.rows)) return;
      throw new UserError(
        `resume: the loader's place must be one of the data's (${windows} windows of rows a pass); received ${JSON.stringify(state)}. Resume with the data and configuration of the run`,
      );
    },
  };

  async function rowsOfPass(): Promise<number> {
    if (options.packing === 'concat') {
      const places = Array.from({ length: windows }, (_, window) => ({ epoch: 0, window }));
      return places.reduce((sum, place) => sum + concatRows(tokensOf(store, batchesIn(place)), contextLength), 0);
    }
    readAhead({ epoch: 0, window: 0 });
    const first = await ahead!.window;
    return Math.round((first.packing.rows * tokens) / first.tokens);
  }
}

function noRows({ store, contextLength }: RowsOptions): UserError {
  return new UserError(
    `load data: a document of the ${store.part} part of ${store.directory} must have at least 2 tokens (context_length: ${contextLength}); none has. Add data`,
  );
}
