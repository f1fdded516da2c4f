import { Bool, type DataType, Field, Float32, List, makeData, RecordBatch, Schema, Struct, Uint16, Uint32, Utf8 } from 'apache-arrow';
import { UserError } from '../util/errors.js';

export type { RecordBatch } from 'apache-arrow';
export { type OpenArrow, openArrow, readBatches, readMetadata } from './arrow-read.js';
export { ArrowFile } from './arrow-write.js';

/** What a table came from and was made with; the file's schema carries it. */
export type Metadata = ReadonlyMap<string, string>;

const text = new Utf8();

/** Documents: `text`, and the `source` that each came from. */
export function corpusSchema(metadata: Metadata): Schema {
  return new Schema([new Field('text', text, false), new Field('source', text, false)], new Map(metadata));
}

/** Columns that prepared tokens have besides. */
export interface TokenColumns {
  supervised?: boolean;
  weight?: boolean;
}

/**
 * Prepared documents: their `ids` with bos and eos, the UTF-8 `bytes` of their text, and their `source`; where asked for, also `supervised` (of
 * each id, true = it is to be predicted) and `weight` (what the document's targets count in the loss).
 */
export function tokensSchema(vocabSize: number, metadata: Metadata, columns: TokenColumns = {}): Schema {
  const listOf = (type: DataType) => new List(new Field('item', type, false));
  const fields = [
    new Field('ids', listOf(vocabSize <= 0x10000 ? new Uint16() : new Uint32()), false),
    ...(columns.supervised ? [new Field('supervised', listOf(new Bool()), false)] : []),
    new Field('bytes', new Uint32(), false),
    new Field('source', text, false),
    ...(columns.weight ? [new Field('weight', new Float32(), false)] : []),
  ];
  return new Schema(fields, new Map(metadata));
}

export function textData(values: readonly string[]) {
  const valueOffsets = new Int32Array(values.length + 1);
  let bytes = Buffer.alloc(0);
  const encoded = values.map((value, i) => {
    if (i === 0 || value !== values[i - 1]) bytes = Buffer.from(value, 'utf8'); // sources come in runs
    valueOffsets[i + 1] = valueOffsets[i] + bytes.length;
    return bytes;
  });
  return makeData({ type: text, length: values.length, nullCount: 0, valueOffsets, data: Buffer.concat(encoded) });
}

export function batchOf(schema: Schema, length: number, children: ReturnType<typeof makeData>[]): RecordBatch {
  return new RecordBatch(schema, makeData({ type: new Struct(schema.fields), length, nullCount: 0, children }));
}

export function corpusBatch(schema: Schema, texts: readonly string[], sources: readonly string[]): RecordBatch {
  return batchOf(schema, texts.length, [textData(texts), textData(sources)]);
}

/**
 * A batch of a corpus from UTF-8 as Arrow holds it. `bytes` are taken as they are, without a copy.
 * @param offsets text i is `bytes[offsets[i] … offsets[i + 1])`.
 */
export function corpusBatchOf(schema: Schema, bytes: Uint8Array, offsets: Int32Array, sources: readonly string[]): RecordBatch {
  const texts = makeData({ type: text, length: sources.length, nullCount: 0, valueOffsets: offsets, data: bytes });
  return batchOf(schema, sources.length, [texts, textData(sources)]);
}

/** Documents of one source, as tokens. */
export interface TokenRows {
  /** The tokens of all documents, one after another, in some pieces. */
  ids: readonly (Uint16Array | Uint32Array)[];
  /** Document i has the tokens `offsets[i] … offsets[i + 1]`. */
  offsets: Int32Array;
  bytes: Uint32Array;
  source: string;
  /** Of each token, 1 = it is to be predicted; for a schema with `supervised`. */
  supervised?: Uint8Array;
  /** Of each document; for a schema with `weight`. */
  weights?: Float32Array;
}

/** @throws Error when the schema has a column that the rows do not, or the other way round. */
export function tokensBatch(schema: Schema, { ids, offsets, bytes, source, supervised, weights }: TokenRows): RecordBatch {
  const has = (name: string) => schema.fields.some((field) => field.name === name);
  if (has('supervised') !== (supervised !== undefined) || has('weight') !== (weights !== undefined)) {
    throw new Error(`tokensBatch: the rows must have the columns ${schema.names.join(', ')}, and no others`);
  }
  const type = schema.fields[0].type as List<Uint16 | Uint32>;
  const length = bytes.length;
  const values = new (type.valueType instanceof Uint16 ? Uint16Array : Uint32Array)(offsets[length]);
  let at = 0;
  for (const piece of ids) {
    values.set(piece, at);
    at += piece.length;
  }
  const child = makeData({ type: type.valueType as Uint16, length: values.length, nullCount: 0, data: values as Uint16Array });
  return batchOf(schema, length, [
    makeData({ type: type as List<Uint16>, length, nullCount: 0, valueOffsets: offsets, child }),
    ...(supervised ? [flagsData(offsets, supervised)] : []),
    makeData({ type: new Uint32(), length, nullCount: 0, data: bytes }),
    textData(new Array<string>(length).fill(source)),
    ...(weights ? [makeData({ type: new Float32(), length, nullCount: 0, data: weights })] : []),
  ]);
}

/** Lists of true and false, 8 of them a byte. */
function flagsData(offsets: Int32Array, flags: Uint8Array) {
  const bits = new Uint8Array(Math.ceil(flags.length / 8));
  flags.forEach((flag, i) => {
    if (flag !== 0) bits[i >> 3] |= 1 << (i & 7);
  });
  const child = makeData({ type: new Bool(), length: flags.length, nullCount: 0, data: bits });
  const type = new List(new Field('item', new Bool(), false));
  return makeData({ type, length: offsets.length - 1, nullCount: 0, valueOffsets: offsets, child });
}

/** Requires columns of a table; says which are there. */
export function checkColumns(path: string, batch: RecordBatch, columns: readonly string[]): void {
  const present = batch.schema.names.map(String);
  const missing = columns.filter((column) => !present.includes(column));
  if (missing.length === 0) return;
  throw new UserError(
    `read data: ${path} must have the column${missing.length > 1 ? 's' : ''} ${missing.join(', ')}; received the columns ${present.join(', ')}`,
  );
}
