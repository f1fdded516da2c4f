/**
 * Safetensors: 8 bytes of little-endian header length, a JSON header padded with spaces to 8 bytes, then the tensors without gaps.
 * Read and written one tensor at a time. Source: https://github.com/huggingface/safetensors#format
 */
import fs from 'node:fs/promises';
import { UserError } from '../util/errors.js';
import { narrowToBfloat16, narrowToFloat16, widenBfloat16, widenFloat16 } from './half.js';

export type Dtype = 'F32' | 'BF16' | 'F16' | 'I32' | 'I64' | 'U8';
/** F32, BF16 and F16 are a Float32Array here; I32, I64 and U8 what their names say. */
export type TensorData = Float32Array | Int32Array | BigInt64Array | Uint8Array;

export interface NamedArray {
  name: string;
  /** F32 when absent. */
  dtype?: Dtype;
  shape: readonly number[];
  /** The values, or how to get them when their turn comes. */
  data: TensorData | (() => TensorData | Promise<TensorData>);
}

export interface StoredTensor {
  dtype: Dtype;
  shape: number[];
  data: TensorData;
}

interface Entry {
  name: string;
  dtype: Dtype;
  shape: number[];
  begin: number;
  end: number;
}

type FileHandle = Awaited<ReturnType<typeof fs.open>>;

const ITEM_BYTES: Record<Dtype, number> = { F32: 4, BF16: 2, F16: 2, I32: 4, I64: 8, U8: 1 };
const LONGEST_HEADER = 100_000_000;
const LONGEST_READ = 1 << 30;

const itemCount = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

/** Writes tensors in the given order, those of wider items first, so that each lies aligned. The same tensors give the same bytes. */
export async function writeSafetensors(
  path: string,
  tensors: Iterable<NamedArray>,
  metadata: Readonly<Record<string, string>> = { format: 'pt' },
): Promise<void> {
  const ordered = [...tensors].sort((a, b) => ITEM_BYTES[b.dtype ?? 'F32'] - ITEM_BYTES[a.dtype ?? 'F32']);
  const header = new Map<string, unknown>([['__metadata__', metadata]]);
  let offset = 0;
  for (const { name, dtype = 'F32', shape } of ordered) {
    if (header.has(name)) throw new Error(`writing ${path}: two tensors are named ${name}`);
    const end = offset + itemCount(shape) * ITEM_BYTES[dtype];
    header.set(name, { dtype, shape, data_offsets: [offset, end] });
    offset = end;
  }
  const json = Buffer.from(JSON.stringify(Object.fromEntries(header)));
  const prefix = Buffer.alloc(8 + Math.ceil(json.length / 8) * 8, ' ');
  prefix.writeBigUInt64LE(BigInt(prefix.length - 8));
  json.copy(prefix, 8);

  const file = await fs.open(path, 'w');
  try {
    await file.writeFile(prefix);
    for (const { name, dtype = 'F32', shape, data } of ordered) {
      const values = typeof data === 'function' ? await data() : data;
      if (values.length !== itemCount(shape)) {
        throw new Error(`writing ${path}: ${name} has ${values.length} values, its shape [${shape.join(', ')}] ${itemCount(shape)}`);
      }
      await file.writeFile(encode(values, dtype, name));
    }
  } finally {
    await file.close();
  }
}

/** All tensors of a file, in its order; BF16 and F16 are widened to Float32Array. */
export async function readSafetensors(path: string): Promise<Map<string, StoredTensor>> {
  const file = await open(path);
  try {
    const { entries, dataStart } = await readHeader(file, path);
    const tensors = new Map<string, StoredTensor>();
    for (const { name, dtype, shape, begin, end } of entries) {
      const bytes = await readExactly(file, dataStart + begin, end - begin, path);
      tensors.set(name, { dtype, shape, data: decode(bytes, dtype) });
    }
    return tensors;
  } finally {
    await file.close();
  }
}

async function open(path: string): Promise<FileHandle> {
  try {
    return await fs.open(path, 'r');
  } catch (error) {
    throw new UserError(`reading ${path}: the file cannot be opened (${(error as Error).message})`, 1, { cause: error });
  }
}

async function readHeader(file: FileHandle, path: string): Promise<{ entries: Entry[]; dataStart: number }> {
  const fileBytes = (await file.stat()).size;
  const refuse = (rule: string) => new UserError(`reading ${path}: not a sound safetensors file: ${rule}`);
  if (fileBytes < 8) throw refuse(`it must begin with 8 bytes of header length; it has ${fileBytes} bytes`);
  const length = Number((await readExactly(file, 0, 8, path)).readBigUInt64LE());
  if (length > LONGEST_HEADER || 8 + length > fileBytes) {
    throw refuse(`the header must fit in the file; it claims ${length} bytes, the file has ${fileBytes}`);
  }
  const dataBytes = fileBytes - 8 - length;
  const entries = parseHeader((await readExactly(file, 8, length, path)).toString('utf8'), refuse);
  let expected = 0;
  for (const { name, dtype, shape, begin, end } of [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== expected)
      throw refuse(`tensors must follow each other without gap or overlap; ${name} begins at ${begin}, not ${expected}`);
    const bytes = itemCount(shape) * ITEM_BYTES[dtype];
    if (end - begin !== bytes) throw refuse(`${name} is ${dtype} [${shape.join(', ')}], ${bytes} bytes; its offsets span ${end - begin}`);
    expected = end;
  }
  if (expected !== dataBytes) throw refuse(`the tensors must fill the file; they take ${expected} bytes, it holds ${dataBytes}`);
  return { entries, dataStart: 8 + length };
}

function parseHeader(text: string, refuse: (rule: string) => UserError): Entry[] {
  let header: unknown;
  try {
    header = JSON.parse(text);
  } catch (error) {
    throw refuse(`the header must be JSON; ${(error as Error).message}`);
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) throw refuse('the header must be a JSON object');
  return Object.entries(header)
    .filter(([name]) => name !== '__metadata__')
    .map(([name, value]) => {
      const { dtype, shape, data_offsets: offsets } = (value ?? {}) as Record<string, unknown>;
      if (typeof dtype !== 'string' || !Object.hasOwn(ITEM_BYTES, dtype)) {
        throw refuse(`the dtype of ${name} must be one of ${Object.keys(ITEM_BYTES).join(', ')}; it is ${JSON.stringify(dtype)}`);
      }
      if (!isSizes(shape)) throw refuse(`the shape of ${name} must be a list of sizes; it is ${JSON.stringify(shape)}`);
      if (!isSizes(offsets) || offsets.length !== 2) {
        throw refuse(`data_offsets of ${name} must be [begin, end]; they are ${JSON.stringify(offsets)}`);
      }
      return { name, dtype: dtype as Dtype, shape, begin: offsets[0], end: offsets[1] };
    });
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);
}

async function readExactly(file: FileHandle, position: number, length: number, path: string): Promise<Buffer> {
  const buffer = Buffer.from(new ArrayBuffer(length)); // its own memory, so that typed arrays may lie over it
  for (let done = 0; done < length; ) {
    const { bytesRead } = await file.read(buffer, done, Math.min(length - done, LONGEST_READ), position + done);
    if (bytesRead === 0) throw new UserError(`reading ${path}: the file ended ${length - done} bytes early`);
    done += bytesRead;
  }
  return buffer;
}

function decode({ buffer }: Buffer, dtype: Dtype): TensorData {
  switch (dtype) {
    case 'F32':
      return new Float32Array(buffer);
    case 'BF16':
      return widenBfloat16(new Uint16Array(buffer));
    case 'F16':
      return widenFloat16(new Uint16Array(buffer));
    case 'I32':
      return new Int32Array(buffer);
    case 'I64':
      return new BigInt64Array(buffer);
    case 'U8':
      return new Uint8Array(buffer);
  }
}

function encode(values: TensorData, dtype: Dtype, name: string): Uint8Array {
  const expected = { F32: Float32Array, BF16: Float32Array, F16: Float32Array, I32: Int32Array, I64: BigInt64Array, U8: Uint8Array }[dtype];
  if (!(values instanceof expected))
    throw new TypeError(`${name}: ${dtype} is written from a ${expected.name}, not a ${values.constructor.name}`);
  const stored =
    dtype === 'BF16' ? narrowToBfloat16(values as Float32Array) : dtype === 'F16' ? narrowToFloat16(values as Float32Array) : values;
  return new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength);
}
