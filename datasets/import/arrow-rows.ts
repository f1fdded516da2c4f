import fs from 'node:fs/promises';
import { DataType, type RecordBatch, StructRow, Vector } from 'apache-arrow';
import { UserError } from '../../util/errors.js';
import { ArrowFault } from '../arrow-flatbuffer.js';
import { readFileOrStream } from '../arrow-read.js';
import { Unreadable } from './bytes.js';
import { checkNeeded, type Row, type TakeRow } from './columns.js';
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
export function readArrow(path: string, found: Found, { column, ownSources }: ArrowRequest): AsyncGenerator<void> {
  return eachRow(path, found, ownSources, (batch) => adder(textColumn(path, batch, column), found));
}

/**
 * Rows of an Arrow file or stream, as `readArrow`.
 * @param needed of each list of columns one must be there.
 * @param wanted columns to read.
 * @throws UserError when a column is not there.
 */
export function readArrowRows(
  path: string,
  found: Found,
  { needed, wanted, ownSources }: { needed: readonly (readonly string[])[]; wanted: readonly string[]; ownSources: boolean },
  take: TakeRow,
): AsyncGenerator<void> {
  return eachRow(path, found, ownSources, (batch) => {
    const names = batch.schema.names.map(String);
    checkNeeded(path, needed, names, (column) => columnOf(batch, column) !== null);
    const columns = wanted.flatMap((name) => {
      const vector = columnOf(batch, name);
      return vector === null ? [] : [{ name, vector }];
    });
    return (i, place) => {
      const row: Row = {};
      for (const { name, vector } of columns) row[name] = plain(vector.get(i));
      take(row, place, row);
    };
  });
}

/** Names of an Arrow file's columns, those within one as `column.name`; none where it has no rows or cannot be read. */
export async function arrowColumns(path: string): Promise<string[]> {
  const file = await fs.open(path);
  try {
    for await (const batch of readFileOrStream(file))
      return batch.schema.fields.flatMap(({ name, type }) => [name, ...namesWithin(type).map((inner) => `${name}.${inner}`)]);
  } catch (cause) {
    if (!(cause instanceof ArrowFault)) throw cause; // reading the file will say it in its place
  } finally {
    await file.close();
  }
  return [];
}

function namesWithin(type: DataType): string[] {
  const own = DataType.isStruct(type) ? type.children.map(({ name }) => name) : [];
  return [...own, ...(type.children ?? []).flatMap((field) => namesWithin(field.type))];
}

async function* eachRow(
  path: string,
  found: Found,
  ownSources: boolean,
  open: (batch: RecordBatch) => (i: number, place: { row: number }) => void,
): AsyncGenerator<void> {
  const file = await fs.open(path);
  try {
    const { source } = found;
    let first = 0;
    for await (const batch of readFileOrStream(file)) {
      const add = open(batch);
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

/** Lists and structs of Arrow as those of JSON. */
function plain(value: unknown): unknown {
  if (value instanceof Vector) return Array.from(value, plain);
  if (value instanceof StructRow) return Object.fromEntries(Object.entries(value.toJSON()).map(([key, inner]) => [key, plain(inner)]));
  return value;
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

/** A column by its very name, or else along the dots. */
function columnOf(batch: RecordBatch, column: string): Vector | null {
  const direct = batch.getChild(column);
  return (
    direct ?? (column.split('.').reduce<RecordBatch | Vector | null>((parent, name) => parent?.getChild(name) ?? null, batch) as Vector)
  );
}

function textColumn(path: string, batch: RecordBatch, column: string): Vector {
  const vector = columnOf(batch, column);
  if (vector === null) {
    const names = batch.schema.names.join(', ');
    throw new UserError(
      `import: ${path} must have the column ${column}; it has ${names}. Say which holds the text with --columns text=NAME`,
    );
  }
  const { type } = vector;
  const value = DataType.isDictionary(type) ? type.dictionary : type;
  if (DataType.isUtf8(value) || DataType.isLargeUtf8(value) || DataType.isUtf8View(value)) return vector;
  throw new UserError(
    `import: the column ${column} of ${path} must be text; it is ${type}. Say which holds the text with --columns text=NAME`,
  );
}
