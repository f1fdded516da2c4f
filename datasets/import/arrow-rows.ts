import fs from 'node:fs/promises';
import { DataType, type RecordBatch, type Vector } from 'apache-arrow';
import { UserError } from '../../util/errors.js';
import { ArrowFault } from '../arrow-flatbuffer.js';
import { readFileOrStream } from '../arrow-read.js';
import { Unreadable } from './bytes.js';
import type { Found } from './found.js';

export interface ArrowRequest {
  /** Column that holds the text: utf8, large_utf8, string_view, or a dictionary of them; with dots where it is nested. */
  column: string;
  /** Take each row's source from its own column where the file is a corpus of ours. */
  ownSources: boolean;
}

/**
 * Documents of an Arrow file or stream, one record batch in memory at a time.
 * @throws UserError when the column is not there or not text.
 */
export async function* readArrow(path: string, found: Found, { column, ownSources }: ArrowRequest): AsyncGenerator<void> {
  const file = await fs.open(path);
  try {
    const { source } = found;
    let first = 0;
    for await (const batch of readFileOrStream(file)) {
      const add = adder(textColumn(path, batch, column), found);
      const sources = ownSources && batch.schema.metadata.has('importer') ? batch.getChild('source') : null;
      for (let i = 0; i < batch.numRows; i++) {
        found.source = sources?.get(i) ?? source;
        add(i, { row: first + i + 1 });
        if (i % 1024 === 1023) yield;
      }
      first += batch.numRows;
      yield;
    }
  } catch (cause) {
    if (!(cause instanceof ArrowFault)) throw cause;
    throw new Unreadable('damaged', `the Arrow file cannot be read: ${cause.message}. ${cause.wayOut}`, { cause });
  } finally {
    await file.close();
  }
}

function adder(vector: Vector, found: Found): (i: number, place: { row: number }) => void {
  const missing = (place: { row: number }) => found.reject(place, 'empty', 'its text is null');
  if (DataType.isUtf8(vector.type) || DataType.isLargeUtf8(vector.type)) {
    const { values, valueOffsets } = vector.data[0];
    const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
    return (i, place) => {
      if (vector.isValid(i)) found.addBytes(bytes, Number(valueOffsets[i]), Number(valueOffsets[i + 1]), place);
      else missing(place);
    };
  }
  return (i, place) => {
    const text: string | null = vector.get(i);
    if (text === null) missing(place);
    else found.addText(text, place);
  };
}

function textColumn(path: string, batch: RecordBatch, column: string): Vector {
  const direct = batch.getChild(column);
  const vector = direct ?? column.split('.').reduce<RecordBatch | Vector | null>((parent, name) => parent?.getChild(name) ?? null, batch);
  if (vector === null) {
    const names = batch.schema.names.join(', ');
    throw new UserError(
      `import: ${path} must have the column ${column}; it has ${names}. Say which holds the text with --columns text=NAME`,
    );
  }
  const { type } = vector as Vector;
  const value = DataType.isDictionary(type) ? type.dictionary : type;
  if (DataType.isUtf8(value) || DataType.isLargeUtf8(value) || DataType.isUtf8View(value)) return vector as Vector;
  throw new UserError(
    `import: the column ${column} of ${path} must be text; it is ${type}. Say which holds the text with --columns text=NAME`,
  );
}
