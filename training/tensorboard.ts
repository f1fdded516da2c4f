/**
 * TensorBoard event files: TFRecords of Event messages with scalar summaries, encoded by hand.
 * Sources: tensorflow/core/util/event.proto, framework/summary.proto, lib/io/record_writer.h; CRC-32C: RFC 3720.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, writeSync } from 'node:fs';
import fs from 'node:fs/promises';
import { dirname } from 'node:path';
import { exists, writeFileAtomic } from '../util/files.js';

/** A record's frame: length (8 bytes), masked CRC of the length (4), the data, masked CRC of the data (4). */
const FRAME = { before: 12, after: 4 };

export class TensorBoardWriter {
  private constructor(private readonly file: number) {}

  /** Opens an event file to append to; events after step `keepThrough` are cut off first (-1: all). */
  static async open(path: string, keepThrough: number): Promise<TensorBoardWriter> {
    mkdirSync(dirname(path), { recursive: true });
    const kept = (await exists(path)) ? cutBack(await fs.readFile(path), keepThrough) : Buffer.alloc(0);
    await writeFileAtomic(path, kept.length > 0 ? kept : tfRecord(versionEvent()));
    return new TensorBoardWriter(openSync(path, 'a'));
  }

  /** Writes scalars by tag; what is not finite is written too, as TensorBoard shows it. */
  write(step: number, scalars: Readonly<Record<string, number>>): void {
    if (Object.keys(scalars).length > 0) writeSync(this.file, tfRecord(scalarEvent(step, scalars)));
  }

  close(): void {
    fsyncSync(this.file);
    closeSync(this.file);
  }
}

/** CRC-32C (Castagnoli). */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = CRC_TABLE[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc;
});

/** TFRecord rotates the CRC by 15 bits and adds a constant, so that a CRC of data that holds CRCs is not degenerate. */
function maskedCrc(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** A record in its frame. */
export function tfRecord(data: Uint8Array): Buffer {
  const framed = Buffer.alloc(FRAME.before + data.length + FRAME.after);
  framed.writeBigUInt64LE(BigInt(data.length));
  framed.writeUInt32LE(maskedCrc(framed.subarray(0, 8)), 8);
  framed.set(data, FRAME.before);
  framed.writeUInt32LE(maskedCrc(data), FRAME.before + data.length);
  return framed;
}

/** The whole records of `file` up to and with step `last`; a torn or damaged record ends it. */
function cutBack(file: Buffer, last: number): Buffer {
  const kept: Buffer[] = [];
  for (let at = 0; at + FRAME.before <= file.length; ) {
    const length = Number(file.readBigUInt64LE(at));
    const end = at + FRAME.before + length + FRAME.after;
    if (end > file.length) break;
    const data = file.subarray(at + FRAME.before, end - FRAME.after);
    if (file.readUInt32LE(at + 8) !== maskedCrc(file.subarray(at, at + 8)) || file.readUInt32LE(end - FRAME.after) !== maskedCrc(data))
      break;
    if (at === 0 || stepOf(data) <= last) kept.push(file.subarray(at, end)); // the first names the file's version
    at = end;
  }
  return Buffer.concat(kept);
}

// Protocol buffers: a field is (number << 3 | wire type) and its value. Wire types: 0 varint, 1 eight bytes, 2 length and bytes, 5 four bytes.

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return [...bytes, rest];
}

function bytesField(field: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([(field << 3) | 2, ...varint(bytes.length)]), bytes]);
}

function wallTime(): Buffer {
  const field = Buffer.alloc(9);
  field[0] = (1 << 3) | 1; // Event.wall_time: double
  field.writeDoubleLE(Date.now() / 1000, 1);
  return field;
}

function versionEvent(): Buffer {
  return Buffer.concat([wallTime(), bytesField(3, Buffer.from('brain.Event:2'))]); // Event.file_version
}

function scalarEvent(step: number, scalars: Readonly<Record<string, number>>): Buffer {
  const values = Object.entries(scalars).map(([tag, value]) => {
    const simpleValue = Buffer.alloc(5);
    simpleValue[0] = (2 << 3) | 5; // Summary.Value.simple_value: float
    simpleValue.writeFloatLE(value, 1);
    return bytesField(1, Buffer.concat([bytesField(1, Buffer.from(tag)), simpleValue])); // Summary.value { tag, simple_value }
  });
  return Buffer.concat([wallTime(), Buffer.from([2 << 3, ...varint(step)]), bytesField(5, Buffer.concat(values))]); // Event { step, summary }
}

/** Event.step of an event written here: the field after wall_time. */
function stepOf(event: Buffer): number {
  let step = 0;
  for (let at = 10, scale = 1; at < event.length; at++, scale *= 0x80) {
    step += (event[at] & 0x7f) * scale;
    if (event[at] < 0x80) break;
  }
  return step;
}
