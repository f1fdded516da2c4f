import { Utf8 } from 'apache-arrow';
import { UserError } from '../util/errors.js';
import { checkColumns, type RecordBatch, readBatches } from './arrow.js';

/** A few documents of a corpus as Arrow holds them. The arrays own their buffers, so that they can be moved to another thread. */
export interface TextChunk {
  /** Place of the first document in the corpus, from 0. */
  first: number;
  /** UTF-8 of all texts, one after another. */
  text: Uint8Array<ArrayBuffer>;
  /** Document i is `text[offsets[i] … offsets[i + 1])`. */
  offsets: Int32Array<ArrayBuffer>;
  /** Names of sources, and the index into them of each document. */
  sources: string[];
  sourceOf: Uint32Array<ArrayBuffer>;
}

export const CHUNK_BYTES = 1 << 20;

/** A corpus in chunks of about a megabyte, in its order: never more in memory than a record batch. */
export async function* readChunks(corpus: string, chunkBytes = CHUNK_BYTES): AsyncGenerator<TextChunk> {
  let first = 0;
  for await (const batch of readBatches(corpus)) {
    const texts = textColumn(corpus, batch, 'text');
    const sources = batch.getChild('source')!;
    textColumn(corpus, batch, 'source');
    for (let from = 0; from < batch.numRows; ) {
      let to = from + 1;
      while (to < batch.numRows && texts.offsets[to + 1] - texts.offsets[from] <= chunkBytes) to++;
      const names = new Map<string, number>();
      const sourceOf = Uint32Array.from({ length: to - from }, (_, i) => {
        const name = sources.get(from + i) as string;
        if (!names.has(name)) names.set(name, names.size);
        return names.get(name)!;
      });
      const start = texts.offsets[from];
      yield {
        first: first + from,
        text: texts.values.slice(start, texts.offsets[to]),
        offsets: Int32Array.from({ length: to - from + 1 }, (_, i) => texts.offsets[from + i] - start),
        sources: [...names.keys()],
        sourceOf,
      };
      from = to;
    }
    first += batch.numRows;
  }
}

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

/** Number of documents in a chunk. */
export function chunkLength(chunk: TextChunk): number {
  return chunk.offsets.length - 1;
}

/** Text of document `i` of a chunk. */
export function chunkText({ text, offsets }: TextChunk, i: number): string {
  return utf8.decode(text.subarray(offsets[i], offsets[i + 1]));
}

function textColumn(corpus: string, batch: RecordBatch, name: string): { values: Uint8Array<ArrayBuffer>; offsets: Int32Array } {
  checkColumns(corpus, batch, [name]);
  const column = batch.getChild(name)!;
  if (column.type instanceof Utf8 && column.nullCount === 0) {
    const { values, valueOffsets } = column.data[0];
    return { values: values as Uint8Array<ArrayBuffer>, offsets: valueOffsets as Int32Array };
  }
  const received = column.nullCount > 0 ? `${column.nullCount} empty rows in it` : String(column.type);
  throw new UserError(
    `read data: the column ${name} of ${corpus} must be utf8 without nulls; received ${received}. Make it with fourfold data import`,
  );
}
