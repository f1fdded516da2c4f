import fs, { type FileHandle } from 'node:fs/promises';
import type { RecordBatch, Schema } from 'apache-arrow';
import { UserError } from '../util/errors.js';
import { errorCode } from '../util/files.js';
import { type Dictionaries, MESSAGE, type Message, readBatch, readDictionary, readMessage } from './arrow-batch.js';
import { ArrowFault } from './arrow-flatbuffer.js';
import { type Block, readFooter, readSchema, type SchemaAndDictionaries } from './arrow-schema.js';

/** An Arrow IPC file whose record batches can be read in any order. */
export interface OpenArrow {
  schema: Schema;
  /** Number of record batches. */
  batches: number;
  /** @throws UserError when the batch is damaged. */
  batch(index: number): Promise<RecordBatch>;
  close(): Promise<void>;
}

const MAGIC = 'ARROW1';
const END = 4 + MAGIC.length; // the footer's length and the magic
const MAX_METADATA = 1 << 28; // bytes
const MAX_BODY = 2 ** 31 - 1; // bytes

/**
 * Opens an Arrow IPC file. Nothing in it is believed: what its lengths and offsets say is compared with what is there before it is used.
 * @throws UserError when there is no such file at `path`, or it is damaged.
 */
export async function openArrow(path: string): Promise<OpenArrow> {
  const stat = await fs.stat(path).catch((cause) => {
    throw unreadable(path, cause);
  });
  // A pipe would be waited for.
  if (!stat.isFile()) throw notArrow(path, new ArrowFault(`it is ${stat.isDirectory() ? 'a directory' : 'no file'}`, 'Name the file'));
  const file = await fs.open(path).catch((cause) => {
    throw unreadable(path, cause);
  });
  try {
    const { schema, blocks, dictionaries } = await openFile(file, stat.size);
    return {
      schema,
      batches: blocks.length,
      async batch(index) {
        try {
          return await fileBatch(file, schema, blocks[index], dictionaries);
        } catch (error) {
          throw notArrow(path, error);
        }
      },
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw notArrow(path, error);
  }
}

/**
 * Record batches of an Arrow IPC file or stream, one in memory at a time.
 * @throws ArrowFault when it is neither, or damaged.
 */
export async function* readFileOrStream(file: FileHandle): AsyncGenerator<RecordBatch> {
  const { size } = await file.stat();
  if (!startsWith(await readAt(file, 0, Math.min(size, 8)), MAGIC)) {
    yield* readStream(file, size);
    return;
  }
  const { schema, blocks, dictionaries } = await openFile(file, size);
  for (const block of blocks) yield await fileBatch(file, schema, block, dictionaries);
}

async function* readStream(file: FileHandle, size: number): AsyncGenerator<RecordBatch> {
  let read: SchemaAndDictionaries | undefined;
  const dictionaries: Dictionaries = new Map();
  for (let at = 0; at + 4 <= size; ) {
    const mark = new DataView((await readAt(file, at, Math.min(8, size - at))).buffer);
    const prefix = mark.getInt32(0, true) === -1 && mark.byteLength === 8 ? 8 : 4; // older streams have no mark of continuation
    const length = mark.getInt32(prefix - 4, true);
    if (length === 0) return;
    const body = at + prefix + length;
    if (length < 0 || length > MAX_METADATA || body > size) throw new ArrowFault(at === 0 ? 'it is no Arrow' : 'it ends within a message');
    const message = readMessage(await readAt(file, at + prefix, length));
    at = body + message.bodyLength;
    if (at > size) throw new ArrowFault('it ends within a message');
    if (message.bodyLength > MAX_BODY) throw new ArrowFault('a record batch is of 2 GiB or more', 'Write smaller ones');
    if (read === undefined) {
      if (message.kind !== MESSAGE.schema) throw new ArrowFault('its schema is missing');
      read = readSchema(message.header);
      continue;
    }
    const bytes = await readAt(file, body, message.bodyLength);
    if (message.kind === MESSAGE.dictionary) readDictionary(read.dictionaries, message, bytes, dictionaries);
    else yield readBatch(read.schema, message, bytes, dictionaries);
  }
  if (read === undefined) throw new ArrowFault('its schema is missing');
}

async function openFile(file: FileHandle, size: number): Promise<{ schema: Schema; blocks: Block[]; dictionaries: Dictionaries }> {
  const { schema, dictionaries: types, dictionaryBlocks, blocks } = readFooter(await footerBytes(file, size));
  checkBlocks([...dictionaryBlocks, ...blocks], size);
  const dictionaries: Dictionaries = new Map();
  for (const block of dictionaryBlocks) readDictionary(types, ...(await readBlock(file, block)), dictionaries);
  return { schema, blocks, dictionaries };
}

async function fileBatch(file: FileHandle, schema: Schema, block: Block, dictionaries: Dictionaries): Promise<RecordBatch> {
  return readBatch(schema, ...(await readBlock(file, block)), dictionaries);
}

async function footerBytes(file: FileHandle, size: number): Promise<Uint8Array> {
  const begin = await readAt(file, 0, Math.min(size, 8));
  if (!startsWith(begin, MAGIC)) throw otherFormat(begin);
  const end = size >= 2 * END ? await readAt(file, size - END, END) : new Uint8Array(END);
  if (!startsWith(end.subarray(4), MAGIC))
    throw new ArrowFault('its end is missing', 'It was cut short: make it again, or bring another copy');
  const length = new DataView(end.buffer).getInt32(0, true);
  if (length <= 0 || length > Math.min(size - END - 8, MAX_METADATA)) throw new ArrowFault('its footer is not where it should be');
  return readAt(file, size - END - length, length);
}

function otherFormat(begin: Uint8Array): ArrowFault {
  if (begin.length === 0) return new ArrowFault('it is empty', 'Make it with fourfold data import');
  if (begin.length >= 4 && begin.subarray(0, 4).every((byte) => byte === 0xff)) {
    return new ArrowFault('it is an Arrow stream', 'Write it in the file format (pyarrow.ipc.new_file)');
  }
  const name = startsWith(begin, 'PAR1') ? 'Parquet' : startsWith(begin, 'FEA1') ? 'Feather, version 1' : undefined;
  return new ArrowFault(name ? `it is ${name}` : `it does not begin with ${MAGIC}`, 'Make one with fourfold data import');
}

function startsWith(bytes: Uint8Array, text: string): boolean {
  return Buffer.from(bytes.subarray(0, text.length)).toString('latin1') === text;
}

function checkBlocks(blocks: readonly Block[], size: number): void {
  let sum = 0;
  for (const { offset, metadataLength, bodyLength } of blocks) {
    sum += metadataLength + bodyLength;
    if (offset + metadataLength + bodyLength > size || sum > size) throw new ArrowFault('a record batch lies out of it');
    if (metadataLength > MAX_METADATA) throw new ArrowFault('the description of a record batch is too long');
    if (bodyLength > MAX_BODY) throw new ArrowFault('a record batch is of 2 GiB or more', 'Write smaller ones');
  }
}

async function readBlock(file: FileHandle, block: Block): Promise<[Message, body: Uint8Array<ArrayBuffer>]> {
  const { offset, metadataLength, bodyLength } = block;
  const message = await readAt(file, offset, metadataLength);
  const body = await readAt(file, offset + metadataLength, bodyLength);
  const view = new DataView(message.buffer);
  const prefix = message.length >= 4 && view.getInt32(0, true) === -1 ? 4 : 0; // older files have no mark of continuation
  if (message.length < prefix + 4) throw new ArrowFault('a record batch is missing');
  const length = view.getInt32(prefix, true);
  if (length < 0 || length > message.length - prefix - 4) throw new ArrowFault('a record batch is missing');
  return [readMessage(message.subarray(prefix + 4, prefix + 4 + length)), body];
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length; ) {
    const { bytesRead } = await file.read(bytes, done, length - done, position + done);
    if (bytesRead === 0) throw new ArrowFault('it became shorter while it was read', 'Read it when nothing writes it');
    done += bytesRead;
  }
  return bytes;
}

function unreadable(path: string, cause: unknown): UserError {
  const code = errorCode(cause) ?? String(cause);
  return new UserError(`read data: ${path} must be an Arrow file; it cannot be opened (${code}). Make one with fourfold data import`, 1, {
    cause,
  });
}

function notArrow(path: string, cause: unknown): unknown {
  if (cause instanceof ArrowFault)
    return new UserError(`read data: ${path} must be an Arrow IPC file; ${cause.message}. ${cause.wayOut}`, 1, { cause });
  const code = errorCode(cause);
  return code === undefined
    ? cause
    : new UserError(`read data: ${path} cannot be read (${code}). See to its disk and permissions`, 1, { cause });
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

/** What a table came from and was made with; the file's schema carries it. */
export async function readMetadata(path: string): Promise<ReadonlyMap<string, string>> {
  const file = await openArrow(path);
  await file.close();
  return file.schema.metadata;
}
