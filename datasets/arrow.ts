import { createWriteStream } from 'node:fs';
import fs from 'node:fs/promises';
import { finished } from 'node:stream/promises';
import {
  type AsyncRecordBatchFileReader,
  Field,
  List,
  makeData,
  RecordBatch,
  RecordBatchFileWriter,
  RecordBatchReader,
  Schema,
  Struct,
  type TypeMap,
  Uint16,
  Uint32,
  Utf8,
} from 'apache-arrow';
import { UserError } from '../util/errors.js';

export type { RecordBatch } from 'apache-arrow';

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

function textData(values: readonly string[]) {
  const valueOffsets = new Int32Array(values.length + 1);
  const encoded = values.map((value, i) => {
    const bytes = Buffer.from(value, 'utf8');
    valueOffsets[i + 1] = valueOffsets[i] + bytes.length;
    return bytes;
  });
  return makeData({ type: text, length: values.length, nullCount: 0, valueOffsets, data: Buffer.concat(encoded) });
}

function batchOf(schema: Schema, length: number, children: ReturnType<typeof makeData>[]): RecordBatch {
  return new RecordBatch(schema, makeData({ type: new Struct(schema.fields), length, nullCount: 0, children }));
}

export function corpusBatch(schema: Schema, texts: readonly string[], sources: readonly string[]): RecordBatch {
  return batchOf(schema, texts.length, [textData(texts), textData(sources)]);
}

export function tokensBatch(schema: Schema, ids: readonly number[][], bytes: readonly number[], sources: readonly string[]): RecordBatch {
  const type = schema.fields[0].type as List<Uint16 | Uint32>;
  const valueOffsets = new Int32Array(ids.length + 1);
  for (let i = 0; i < ids.length; i++) valueOffsets[i + 1] = valueOffsets[i] + ids[i].length;
  const values = new (type.valueType instanceof Uint16 ? Uint16Array : Uint32Array)(valueOffsets[ids.length]);
  for (let i = 0; i < ids.length; i++) values.set(ids[i], valueOffsets[i]);
  const child = makeData({ type: type.valueType as Uint16, length: values.length, nullCount: 0, data: values as Uint16Array });
  const lengths = makeData({ type: new Uint32(), length: bytes.length, nullCount: 0, data: Uint32Array.from(bytes) });
  return batchOf(schema, ids.length, [
    makeData({ type: type as List<Uint16>, length: ids.length, nullCount: 0, valueOffsets, child }),
    lengths,
    textData(sources),
  ]);
}

/** Writes an Arrow IPC file record batch by record batch. */
export class ArrowFile {
  private readonly writer = new RecordBatchFileWriter();
  private readonly written: Promise<void>;

  constructor(
    path: string,
    readonly schema: Schema,
  ) {
    const file = createWriteStream(path);
    this.written = finished(file);
    this.written.catch(() => {}); // reported by `close`
    this.writer.reset(file as NodeJS.WritableStream, schema);
  }

  /** Waits a turn, so that what is written leaves memory and signals arrive. */
  async write(batch: RecordBatch): Promise<void> {
    this.writer.write(batch);
    await new Promise(setImmediate);
  }

  async close(): Promise<void> {
    this.writer.finish();
    this.writer.close();
    await this.written;
  }
}

/** An Arrow IPC file whose record batches can be read in any order. One `batch` at a time: they share the place in the file. */
export interface OpenArrow {
  schema: Schema;
  /** Number of record batches. */
  batches: number;
  batch(index: number): Promise<RecordBatch>;
  close(): Promise<void>;
}

/** @throws UserError when there is no Arrow IPC file at `path`. */
export async function openArrow(path: string): Promise<OpenArrow> {
  const { reader, close } = await open(path);
  return {
    schema: reader.schema,
    batches: reader.numRecordBatches,
    batch: async (index) => (await reader.readRecordBatch(index))!,
    close,
  };
}

/** Record batches of an Arrow IPC file, one in memory at a time. */
export async function* readBatches(path: string): AsyncGenerator<RecordBatch> {
  const file = await openArrow(path);
  try {
    for (let i = 0; i < file.batches; i++) yield await file.batch(i);
  } finally {
    await file.close();
  }
}

export async function readMetadata(path: string): Promise<Metadata> {
  const file = await openArrow(path);
  await file.close();
  return file.schema.metadata;
}

async function open(path: string): Promise<{ reader: AsyncRecordBatchFileReader<TypeMap>; close: () => Promise<void> }> {
  const file = await fs.open(path).catch((cause) => {
    throw new UserError(
      `read data: ${path} must be an Arrow file; it cannot be opened (${cause.code}). Make one with fourfold data import`,
      1,
      { cause },
    );
  });
  try {
    const reader = (await (await RecordBatchReader.from(file)).open()) as AsyncRecordBatchFileReader<TypeMap>;
    if (!reader.isFile()) throw new Error('it is a stream');
    return { reader, close: () => file.close() };
  } catch (cause) {
    await file.close();
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new UserError(
      `read data: ${path} must be an Arrow IPC file; reading it failed (${reason}). Make one with fourfold data import`,
      1,
      { cause },
    );
  }
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
