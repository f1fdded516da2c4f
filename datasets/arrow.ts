import { Field, List, makeData, RecordBatch, Schema, Struct, Uint16, Uint32, Utf8 } from 'apache-arrow';
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

/** Prepared documents: their `ids` with bos and eos, the UTF-8 `bytes` of their text, and their `source`. */
export function tokensSchema(vocabSize: number, metadata: Metadata): Schema {
  const id = vocabSize <= 0x10000 ? new Uint16() : new Uint32();
  const ids = new List(new Field('item', id, false));
  return new Schema(
    [new Field('ids', ids, false), new Field('bytes', new Uint32(), false), new Field('source', text, false)],
    new Map(metadata),
  );
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
}

export function tokensBatch(schema: Schema, { ids, offsets, bytes, source }: TokenRows): RecordBatch {
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
    makeData({ type: new Uint32(), length, nullCount: 0, data: bytes }),
    textData(new Array<string>(length).fill(source)),
  ]);
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
