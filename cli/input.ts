import { isUtf8 } from 'node:buffer';
import { readFile } from 'node:fs/promises';
import { UserError } from '../util/errors.js';
import { errorCode } from '../util/files.js';

/** All text of a file, or of stdin where none is named. */
export async function readInput(operation: string, file?: string): Promise<string> {
  const name = file ?? 'stdin';
  const bytes = await (file === undefined ? readStdin() : readFile(file)).catch((cause) => {
    const reason = errorCode(cause) === 'EISDIR' ? 'it is a directory' : `it cannot be read (${errorCode(cause) ?? cause})`;
    throw new UserError(`${operation}: ${name} must be a text file; ${reason}. Check the path`, 1, { cause });
  });
  if (!isUtf8(bytes)) {
    throw new UserError(`${operation}: ${name} must be UTF-8; it is not from byte ${firstBad(bytes)} on. Convert it first`);
  }
  return bytes.toString('utf8');
}

async function readStdin(): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of process.stdin) parts.push(part);
  return Buffer.concat(parts);
}

/** Where what was read and what can be written again part. */
function firstBad(bytes: Buffer): number {
  const again = Buffer.from(bytes.toString('utf8'));
  return bytes.findIndex((byte, i) => byte !== again[i]);
}
