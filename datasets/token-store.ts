import path from 'node:path';
import { DataType } from 'apache-arrow';
import { readTokenizer } from '../tokenizer/index.js';
import { UserError } from '../util/errors.js';
import { checkColumns, type OpenArrow, openArrow, type RecordBatch } from './arrow.js';
import { type Dataset, readDataset } from './dataset.js';

/** One record batch of prepared tokens: documents of one source. */
export interface TokenBatch {
  ids: Uint16Array | Uint32Array;
  /** First token of each document, and the end of the last. */
  offsets: Int32Array;
  /** UTF-8 bytes of each document that its tokens do not tell (those of unknown words); missing where they tell all. */
  untold?: Int32Array;
  /** Of each token, 1 = it is to be predicted; missing where all are. */
  supervised?: Uint8Array;
  /** What the targets of each document count in the loss; missing where all count 1. */
  weights?: Float32Array;
}

/** What dataset.json says of a record batch. */
export interface StoredBatch {
  /** Index into the data's sources. */
  source: number;
  documents: number;
  tokens: number;
  bytes: number;
}

/** One part of prepared data, to be read batch by batch. */
export interface TokenStore {
  directory: string;
  part: 'train' | 'eval';
  dataset: Dataset;
  /** Record batches in the order of the files. */
  batches: readonly StoredBatch[];
  /** Id to fill up rows with. */
  padding: number;
  /** UTF-8 bytes of text that each token stands for. */
  byteLengths: Uint32Array;
  /** Reads batch `number`; one at a time, in the order asked for. */
  read(number: number): Promise<TokenBatch>;
  /** Waits for what is being read. No file is open between reads. */
  close(): Promise<void>;
}

/**
 * Opens a part of prepared data without reading its tokens.
 * @throws UserError when the files are not what dataset.json says.
 */
export async function openTokens(directory: string, part: 'train' | 'eval'): Promise<TokenStore> {
  const dataset = await readDataset(directory);
  const tokenizer = await readTokenizer(path.join(directory, 'tokenizer.json'));
  const hash = tokenizer.hash();
  checkTokenizer(path.join(directory, 'dataset.json'), dataset.tokenizer_sha256, hash);
  const byteLengths = Uint32Array.from({ length: tokenizer.vocabSize }, (_, id) => tokenizer.byteLength(id));
  const files = dataset[part].shards.map(({ file }) => path.join(directory, file));
  const places = dataset[part].shards.flatMap(({ batches }, i) => batches.map((batch, index) => ({ batch, file: files[i], index })));
  for (const [i, { batches }] of dataset[part].shards.entries()) {
    await opened(files[i], async (file) => {
      checkTokenizer(files[i], file.schema.metadata.get('tokenizer_sha256'), hash);
      if (file.batches !== batches.length) throw damaged(files[i], `${batches.length} record batches`, String(file.batches));
    });
  }
  let turn: Promise<unknown> = Promise.resolve();
  return {
    directory,
    part,
    dataset,
    batches: places.map(({ batch }) => batch),
    padding: Math.max(0, tokenizer.special.pad),
    byteLengths,
    read(number) {
      const { file, index, batch } = places[number];
      const reading = turn.then(() => opened(file, async (arrow) => tokenBatch(file, await arrow.batch(index), batch, byteLengths)));
      turn = reading.catch(() => {}); // whoever asked hears of it
      return reading;
    },
    async close() {
      await turn;
    },
  };
}

/** Opens a file for as long as `use` takes: there may be more shards than files that a process may hold open. */
async function opened<T>(path: string, use: (file: OpenArrow) => Promise<T>): Promise<T> {
  const file = await openArrow(path);
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

function tokenBatch(file: string, batch: RecordBatch, said: StoredBatch, byteLengths: Uint32Array): TokenBatch {
  checkColumns(file, batch, ['ids', 'bytes']);
  const lists = batch.getChild('ids')!.data[0];
  const values = lists.children[0]?.values;
  const offsets = lists.valueOffsets;
  const bytes = batch.getChild('bytes')!.data[0]?.values;
  const ofIds = offsets instanceof Int32Array && (values instanceof Uint16Array || values instanceof Uint32Array);
  if (!ofIds || !(bytes instanceof Uint32Array)) {
    throw damaged(file, 'ids that are lists of uint16 or uint32, and bytes that are uint32', String(batch.schema));
  }
  const ids = values.subarray(offsets[0], offsets[batch.numRows]);
  if (batch.numRows !== said.documents || ids.length !== said.tokens) {
    throw damaged(
      file,
      `a record batch of ${said.documents} documents with ${said.tokens} tokens`,
      `${batch.numRows} with ${ids.length} tokens`,
    );
  }
  const bounds =
    offsets[0] === 0 ? offsets.subarray(0, batch.numRows + 1) : offsets.slice(0, batch.numRows + 1).map((end) => end - offsets[0]);
  return {
    ids,
    offsets: bounds,
    untold: untoldBytes(file, ids, bounds, bytes, byteLengths),
    supervised: supervisedTokens(file, batch, bounds),
    weights: documentWeights(file, batch),
  };
}

/** The column `supervised`, where there is one: a flag for each token. */
function supervisedTokens(file: string, batch: RecordBatch, bounds: Int32Array): Uint8Array | undefined {
  const lists = batch.getChild('supervised')?.data[0];
  if (lists === undefined) return undefined;
  const [bits, offsets] = [lists.children[0], lists.valueOffsets];
  const flags = bits && DataType.isBool(bits.type) && bits.nullCount === 0 && lists.nullCount === 0 && offsets instanceof Int32Array;
  if (!flags || bounds.some((end, d) => offsets[d] - offsets[0] !== end)) {
    throw damaged(file, 'in supervised a list of as many true and false as there are ids, in each row', 'others');
  }
  const values: Uint8Array = bits.values;
  return Uint8Array.from({ length: bounds[bounds.length - 1] }, (_, i) => {
    const at = bits.offset + offsets[0] + i;
    return (values[at >> 3] >> (at & 7)) & 1;
  });
}

/** The column `weight`, where there is one. */
function documentWeights(file: string, batch: RecordBatch): Float32Array | undefined {
  const column = batch.getChild('weight')?.data[0];
  if (column === undefined) return undefined;
  const values = column.values;
  if (!(values instanceof Float32Array) || column.nullCount > 0)
    throw damaged(file, 'weight as float32 without nulls', String(column.type));
  const weights = values.subarray(0, batch.numRows);
  const wrong = weights.find((weight) => !(weight >= 0 && weight < Number.POSITIVE_INFINITY));
  if (wrong !== undefined) throw damaged(file, 'weights that are finite and at least 0', String(wrong));
  return weights;
}

function untoldBytes(
  file: string,
  ids: TokenBatch['ids'],
  offsets: Int32Array,
  bytes: Uint32Array,
  byteLengths: Uint32Array,
): Int32Array | undefined {
  let untold: Int32Array | undefined;
  for (let d = 0; d + 1 < offsets.length; d++) {
    let told = 0;
    for (let i = offsets[d]; i < offsets[d + 1]; i++) told += byteLengths[ids[i]];
    if (told === bytes[d]) continue;
    if (Number.isNaN(told)) throw damaged(file, `ids below the vocabulary of ${byteLengths.length}`, 'others');
    untold ??= new Int32Array(offsets.length - 1);
    untold[d] = bytes[d] - told;
  }
  return untold;
}

function checkTokenizer(path: string, made: string | undefined, hash: string): void {
  if (made === hash) return;
  throw new UserError(
    `load data: ${path} must be made with the tokenizer.json beside it (${hash.slice(0, 12)}…); received ${made === undefined ? 'none' : `${made.slice(0, 12)}…`}. Prepare the data again`,
  );
}

function damaged(path: string, expected: string, received: string): UserError {
  return new UserError(`load data: ${path} must hold ${expected}, as dataset.json says; received ${received}. Prepare the data again`);
}
