import { makeData, RecordBatch, type Schema, Struct, Utf8 } from 'apache-arrow';
import { ArrowFile, corpusSchema, type Metadata } from '../arrow.js';

const BATCH_BYTES = 1 << 20;
const BATCH_ROWS = 1 << 16;

/** Texts as Arrow holds them, and the source of each. */
export interface Texts {
  text: Uint8Array<ArrayBuffer>;
  offsets: Int32Array<ArrayBuffer>;
  sources: readonly string[];
  sourceOf: Uint32Array<ArrayBuffer>;
}

/** Writes a corpus from UTF-8, in record batches of about a megabyte. */
export class CorpusWriter {
  private readonly file: ArrowFile;
  private pending: Texts[] = [];
  private bytes = 0;
  private rows = 0;
  documents = 0;
  textBytes = 0;

  constructor(path: string, metadata: Metadata) {
    this.file = new ArrowFile(path, corpusSchema(metadata));
  }

  async add(texts: Texts): Promise<void> {
    const rows = texts.offsets.length - 1;
    const bytes = texts.offsets[rows];
    if (rows === 0) return;
    this.pending.push(texts);
    this.rows += rows;
    this.bytes += bytes;
    this.documents += rows;
    this.textBytes += bytes;
    if (this.bytes >= BATCH_BYTES || this.rows >= BATCH_ROWS) await this.flush();
  }

  async close(): Promise<void> {
    await this.flush();
    await this.file.close();
  }

  /** Closes the file as it is, after an error. */
  async abandon(): Promise<void> {
    await this.file.abandon();
  }

  private async flush(): Promise<void> {
    if (this.rows > 0) await this.file.write(batchOf(this.file.schema, this.pending, this.rows, this.bytes));
    this.pending = [];
    this.rows = 0;
    this.bytes = 0;
  }
}

function batchOf(schema: Schema, pending: readonly Texts[], rows: number, bytes: number): RecordBatch {
  const data = new Uint8Array(bytes);
  const valueOffsets = new Int32Array(rows + 1);
  const names: Buffer[] = [];
  const nameOffsets = new Int32Array(rows + 1);
  let row = 0;
  for (const { text, offsets, sources, sourceOf } of pending) {
    const encoded = sources.map((source) => Buffer.from(source, 'utf8'));
    const base = valueOffsets[row];
    data.set(text.subarray(0, offsets[sourceOf.length]), base);
    for (let i = 0; i < sourceOf.length; i++, row++) {
      valueOffsets[row + 1] = base + offsets[i + 1];
      names.push(encoded[sourceOf[i]]);
      nameOffsets[row + 1] = nameOffsets[row] + encoded[sourceOf[i]].length;
    }
  }
  const column = (values: Uint8Array, columnOffsets: Int32Array) =>
    makeData({ type: new Utf8(), length: rows, nullCount: 0, valueOffsets: columnOffsets, data: values });
  const children = [column(data, valueOffsets), column(Buffer.concat(names), nameOffsets)];
  return new RecordBatch(schema, makeData({ type: new Struct(schema.fields), length: rows, nullCount: 0, children }));
}
