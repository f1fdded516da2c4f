import { isUtf8 } from 'node:buffer';
import fs from 'node:fs/promises';
import { type AsyncBuffer, type FileMetaData, parquetMetadataAsync, parquetReadObjects, parquetSchema, type SchemaTree } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { UserError } from '../../util/errors.js';
import { errorCode } from '../../util/files.js';
import { Unreadable } from './bytes.js';
import { checkNeeded, type Row, type TakeRow } from './columns.js';
import { CheckedPages } from './parquet-pages.js';

/** Names of a Parquet file's columns, those within one as `column.name`. */
export async function parquetColumns(path: string): Promise<string[]> {
  const file = await openParquet(path);
  await file.close();
  const within = ({ children }: SchemaTree): string[] => children.flatMap((child) => [child.element.name, ...within(child)]);
  return file.schema.children.flatMap((column) => [column.element.name, ...within(column).map((name) => `${column.element.name}.${name}`)]);
}

/** Which columns of a Parquet file are read. A name with dots leads into nested ones. */
export interface ParquetRequest {
  /** Must hold text. */
  text?: string;
  /** Of any type; they may be missing. No further column is read. */
  others: readonly string[];
  /** Of each list of names one must be there. */
  needed?: readonly (readonly string[])[];
}

/**
 * Rows of a Parquet file, one row group in memory at a time.
 * @throws UserError when a column is not there, or the one of text is of another type.
 */
export async function* readParquet(path: string, { text, others, needed = [] }: ParquetRequest, take: TakeRow): AsyncGenerator<void> {
  const { file, metadata, schema, close } = await openParquet(path);
  try {
    if (text !== undefined) checkText(path, schema, text);
    const names = schema.children.map(({ element }) => element.name);
    checkNeeded(path, needed, names, (column) => find(schema, column) !== undefined);
    const wanted = [...(text === undefined ? [] : [text]), ...others].map((name) => (names.includes(name) ? name : name.split('.')[0]));
    const columns = names.filter((name) => wanted.includes(name));
    const parsers = { stringFromBytes: others.length > 0 ? textOrBytes : bytesOf };
    const pages = new CheckedPages(file, schema, compressors);
    let rowStart = 0;
    for (const group of metadata.row_groups) {
      const rowEnd = rowStart + Number(group.num_rows);
      await pages.check(group, columns);
      const rows: Row[] = await parquetReadObjects({
        file: pages.file,
        metadata,
        columns,
        rowStart,
        rowEnd,
        compressors: pages.compressors,
        parsers,
      });
      for (let i = 0; i < rows.length; i++) {
        take(rows[i], { row: rowStart + i + 1 }, rows[i]);
        if (i % 256 === 255) yield;
      }
      yield;
      rowStart = rowEnd;
    }
  } catch (cause) {
    throw readingError(cause);
  } finally {
    await close();
  }
}

/** Text goes to the corpus as bytes; `Found` looks whether they are UTF-8. */
const bytesOf = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const textOrBytes = (bytes: Uint8Array | undefined) => bytes && (isUtf8(bytes) ? bytesOf(bytes)!.toString('utf8') : bytesOf(bytes));

interface OpenParquet {
  file: AsyncBuffer;
  metadata: FileMetaData;
  schema: SchemaTree;
  close(): Promise<void>;
}

async function openParquet(path: string): Promise<OpenParquet> {
  const handle = await fs.open(path);
  const close = () => handle.close();
  try {
    const { size } = await handle.stat();
    const ends = Buffer.alloc(8);
    await handle.read(ends, 0, 4, 0);
    await handle.read(ends, 4, 4, Math.max(0, size - 4));
    if (size < 12 || ends.toString('latin1', 4) !== 'PAR1')
      throw new Unreadable('cut off', 'the Parquet file ends before its footer; it cannot be read');
    const file = { byteLength: size, slice: (start: number, end = size) => readSlice(handle, start, Math.min(end, size)) };
    const metadata = await parquetMetadataAsync(file, { geoparquet: false });
    return { file, metadata, schema: parquetSchema(metadata), close };
  } catch (cause) {
    await close();
    throw readingError(cause);
  }
}

async function readSlice(handle: fs.FileHandle, start: number, end: number): Promise<ArrayBuffer> {
  const bytes = new Uint8Array(Math.max(0, end - start));
  for (let done = 0; done < bytes.length; ) {
    const { bytesRead } = await handle.read(bytes, done, bytes.length - done, start + done);
    if (bytesRead === 0) throw new Unreadable('cut off', 'the Parquet file ends within a column');
    done += bytesRead;
  }
  return bytes.buffer;
}

function readingError(cause: unknown): unknown {
  const code = errorCode(cause);
  if (cause instanceof Unreadable || cause instanceof UserError || (code !== undefined && !code.startsWith('ERR_'))) return cause;
  // What is damaged shows in hyparquet as the error of whatever it did with it.
  const said = cause instanceof Error && cause.name === 'Error' && !cause.message.includes('undefined') ? ` (${cause.message})` : '';
  return new Unreadable('damaged', `the Parquet file is damaged${said}`, { cause });
}

function checkText(path: string, schema: SchemaTree, column: string): void {
  const leaf = find(schema, column);
  if (leaf === undefined) {
    const names = schema.children.map(({ element }) => element.name).join(', ');
    throw new UserError(
      `import: ${path} must have the column ${column}; it has ${names}. Say which holds the text with --columns text=NAME`,
    );
  }
  const type = typeOf(leaf);
  if (type !== 'text') {
    throw new UserError(
      `import: the column ${column} of ${path} must be text; it is ${type}. Say which holds the text with --columns text=NAME`,
    );
  }
}

function find(tree: SchemaTree, column: string): SchemaTree | undefined {
  const direct = tree.children.find(({ element }) => element.name === column);
  const dot = column.indexOf('.');
  if (direct !== undefined || dot < 0) return direct;
  const parent = find(tree, column.slice(0, dot));
  return parent && find(parent, column.slice(dot + 1));
}

function typeOf({ element, children }: SchemaTree): string {
  const { type, converted_type: converted, logical_type: logical, repetition_type: repetition } = element;
  if (repetition === 'REPEATED' || converted === 'LIST') return 'a list';
  if (children.length > 0) return converted === 'MAP' ? 'a map' : `a struct of ${children.map((child) => child.element.name).join(', ')}`;
  const meaning = converted ?? logical?.type;
  if (type === 'BYTE_ARRAY' && (meaning === undefined || ['UTF8', 'STRING', 'ENUM'].includes(meaning))) return 'text';
  return meaning === undefined ? String(type) : `${type} (${meaning})`;
}
