import { createReadStream, createWriteStream } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createInflateRaw } from 'node:zlib';
import { UserError, writeError } from '../../util/errors.js';

interface Member {
  name: string;
  method: number;
  /** In the archive. */
  bytes: number;
  offset: number;
}

const STORED = 0;
const DEFLATED = 8;
const END_BYTES = 22;
const LONGEST_COMMENT = 0xffff;

/**
 * Unpacks some members of a zip archive of less than 4 GiB, each as a stream: neither the archive nor a member is ever whole in memory.
 * @param place where a member goes; undefined leaves it where it is.
 * @returns how many were unpacked.
 */
export async function unpackMembers(archive: string, place: (name: string) => string | undefined): Promise<number> {
  const handle = await fs.open(archive, 'r');
  try {
    let unpacked = 0;
    for (const member of await membersOf(archive, handle)) {
      const target = place(member.name);
      if (target === undefined) continue;
      await fs.mkdir(path.dirname(target), { recursive: true });
      await unpack(archive, member, await dataOffset(handle, member), target);
      unpacked++;
    }
    return unpacked;
  } finally {
    await handle.close();
  }
}

async function read(handle: fs.FileHandle, offset: number, bytes: number): Promise<Buffer> {
  const buffer = Buffer.alloc(bytes);
  const { bytesRead } = await handle.read(buffer, 0, bytes, offset);
  return buffer.subarray(0, bytesRead);
}

/** The central directory. Source: PKWARE's APPNOTE.TXT, 4.3.12 and 4.3.16. */
async function membersOf(archive: string, handle: fs.FileHandle): Promise<Member[]> {
  const { size } = await handle.stat();
  const tail = Math.min(size, END_BYTES + LONGEST_COMMENT);
  const ending = await read(handle, size - tail, tail);
  const end = ending.lastIndexOf('PK\x05\x06', undefined, 'latin1');
  if (end < 0) throw new UserError(`unpack ${archive}: it must be a zip archive; it has no directory. Get it again`);
  const directory = await read(handle, ending.readUInt32LE(end + 16), ending.readUInt32LE(end + 12));
  const members: Member[] = [];
  for (let at = 0; at + 46 <= directory.length; ) {
    const nameBytes = directory.readUInt16LE(at + 28);
    members.push({
      name: directory.toString('utf8', at + 46, at + 46 + nameBytes),
      method: directory.readUInt16LE(at + 10),
      bytes: directory.readUInt32LE(at + 20),
      offset: directory.readUInt32LE(at + 42),
    });
    at += 46 + nameBytes + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
  }
  return members;
}

/** Where a member's bytes begin: after its local header, whose lengths are its own. */
async function dataOffset(handle: fs.FileHandle, { offset }: Member): Promise<number> {
  const header = await read(handle, offset, 30);
  return offset + 30 + header.readUInt16LE(26) + header.readUInt16LE(28);
}

async function unpack(archive: string, { name, method, bytes }: Member, start: number, target: string): Promise<void> {
  if (method !== STORED && method !== DEFLATED) {
    throw new UserError(`unpack ${archive}: members must be stored or deflated; ${name} has method ${method}`);
  }
  try {
    if (bytes === 0) return await fs.writeFile(target, '');
    const packed = createReadStream(archive, { start, end: start + bytes - 1, highWaterMark: 1 << 20 });
    const written = createWriteStream(target);
    await (method === DEFLATED ? pipeline(packed, createInflateRaw({ chunkSize: 1 << 20 }), written) : pipeline(packed, written));
  } catch (error) {
    throw writeError(target, error);
  }
}
