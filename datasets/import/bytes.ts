import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream';
import { TextDecoder } from 'node:util';
import { createGunzip } from 'node:zlib';
import { Decompress } from 'fzstd';
import { UserError } from '../../util/errors.js';
import { errorCode } from '../../util/files.js';
import type { Reason } from './found.js';

/** A file cannot be read further than it was: it is cut off, damaged, or not what its format says. The rest of the import goes on. */
export class Unreadable extends Error {
  constructor(
    readonly reason: Reason,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

export type Packing = 'gzip' | 'zstd' | undefined;

/** UTF-8 of a file without its byte order mark. */
export interface OpenText {
  chunks: AsyncIterable<Buffer>;
  /** Offset in the file of the first byte; undefined where the text was converted, so that offsets say nothing. */
  offset: number | undefined;
  /** What the text was converted from; undefined for UTF-8. */
  encoding: string | undefined;
}

const CHUNK = 1 << 20;
const ZSTD_SLICE = 1 << 14; // a packed slice may hold thousands of times as much

/** What a file is packed with, by its first bytes. */
export function packingOf(head: Buffer): Packing {
  if (head.length >= 2 && head[0] === 0x1f && head[1] === 0x8b) return 'gzip';
  if (head.length < 4) return undefined;
  const magic = head.readUInt32LE(0);
  return magic === 0xfd2fb528 || (magic & 0xfffffff0) >>> 0 === 0x184d2a50 ? 'zstd' : undefined;
}

/** Bytes of a file, unpacked, chunk by chunk. */
export async function* readBytes(file: string, packing: Packing, length = Number.POSITIVE_INFINITY): AsyncGenerator<Buffer> {
  try {
    let left = length;
    for await (const chunk of packing === 'gzip' ? gunzip(file) : packing === 'zstd' ? unzstd(file) : plain(file, length)) {
      yield chunk.length <= left ? chunk : chunk.subarray(0, left);
      left -= chunk.length;
      if (left <= 0) return;
    }
  } catch (cause) {
    throw readingError(file, packing, cause);
  }
}

/** The first bytes of a file, unpacked; fewer where there are no more or they cannot be unpacked. */
export async function readHead(file: string, packing: Packing, length: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of readBytes(file, packing, length)) chunks.push(chunk);
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error; // reading the file will say it in its place
  }
  return Buffer.concat(chunks);
}

/** The text of a file as UTF-8. A byte order mark says what it is where no encoding is given. */
export async function openText(file: string, packing: Packing, given?: string): Promise<OpenText> {
  const chunks = readBytes(file, packing);
  const first: Buffer[] = [];
  for (let size = 0; size < 4; size += first.at(-1)!.length) {
    const { done, value } = await chunks.next();
    if (done) break;
    first.push(value);
  }
  const head = Buffer.concat(first);
  const encoding = given ?? encodingOfMark(head);
  const decoder = encoding === undefined ? undefined : decoderOf(encoding);
  if (decoder !== undefined && decoder.encoding !== 'utf-8') {
    return { chunks: convert(head, chunks, decoder), offset: undefined, encoding };
  }
  const marked = head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf;
  return { chunks: joined(marked ? head.subarray(3) : head, chunks), offset: marked ? 3 : 0, encoding: undefined };
}

/** @throws UserError for a name that stands for no encoding. */
export function decoderOf(encoding: string): TextDecoder {
  try {
    return new TextDecoder(encoding);
  } catch (cause) {
    const known =
      'utf-8, utf-16le, utf-16be, gb18030, gbk, big5, latin1, windows-1251, shift_jis, euc-kr or another of the WHATWG standard';
    throw new UserError(`import: --encoding must be ${known}; received ${encoding}`, 1, { cause });
  }
}

function encodingOfMark(head: Buffer): string | undefined {
  if (head[0] === 0xff && head[1] === 0xfe) return 'utf-16le';
  return head[0] === 0xfe && head[1] === 0xff ? 'utf-16be' : undefined;
}

async function* joined(head: Buffer, rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  if (head.length > 0) yield head;
  yield* rest;
}

/** UTF-8 of bytes in another encoding; what is not of it becomes U+FFFD, for which documents are put aside. */
async function* convert(head: Buffer, rest: AsyncIterable<Buffer>, decoder: TextDecoder): AsyncGenerator<Buffer> {
  for await (const chunk of joined(head, rest)) yield Buffer.from(decoder.decode(chunk, { stream: true }), 'utf8');
  yield Buffer.from(decoder.decode(), 'utf8');
}

function plain(file: string, length: number): AsyncIterable<Buffer> {
  return createReadStream(file, { highWaterMark: CHUNK, end: length - 1 });
}

function gunzip(file: string): AsyncIterable<Buffer> {
  const unpacked = createGunzip({ chunkSize: 1 << 18 });
  pipeline(createReadStream(file, { highWaterMark: CHUNK }), unpacked, () => {}); // its errors come out of `unpacked`
  return unpacked;
}

async function* unzstd(file: string): AsyncGenerator<Buffer> {
  let blocks: Buffer[] = [];
  const unpacked = new Decompress((block) => blocks.push(Buffer.from(block.buffer, block.byteOffset, block.byteLength)));
  const take = () => {
    const taken = Buffer.concat(blocks); // one chunk a slice
    blocks = [];
    return taken;
  };
  for await (const chunk of createReadStream(file, { highWaterMark: CHUNK }) as AsyncIterable<Buffer>) {
    for (let i = 0; i < chunk.length; i += ZSTD_SLICE) {
      unpacked.push(chunk.subarray(i, i + ZSTD_SLICE));
      if (blocks.length > 0) yield take();
    }
  }
  unpacked.push(new Uint8Array(0), true);
  if (blocks.length > 0) yield take();
}

function readingError(file: string, packing: Packing, cause: unknown): unknown {
  const code = errorCode(cause);
  const message = cause instanceof Error ? cause.message : String(cause);
  if (packing === 'gzip' && code?.startsWith('Z_')) {
    if (code === 'Z_BUF_ERROR') return new Unreadable('cut off', 'the gzip file ends too early; what follows is lost', { cause });
    return new Unreadable('damaged', `the gzip file is damaged (${message}); what follows is lost`, { cause });
  }
  if (packing === 'zstd' && code === undefined) {
    if (/unexpected EOF/i.test(message)) return new Unreadable('cut off', 'the zstd file ends too early; what follows is lost', { cause });
    return new Unreadable('damaged', `the zstd file is damaged (${message}); what follows is lost`, { cause });
  }
  if (code !== undefined && /^E[A-Z]+$/.test(code)) {
    return new UserError(
      `import: ${file} must be a file that can be read; reading it failed (${code}). Check what it is, and its rights`,
      1,
      { cause },
    );
  }
  return cause;
}
