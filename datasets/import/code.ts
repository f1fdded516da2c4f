import fs from 'node:fs/promises';
import { openText, type Packing } from './bytes.js';
import type { Found } from './found.js';
import { wholeFile } from './text.js';

/** Larger source files are made by programs, or hold data. */
const MAX_SOURCE_BYTES = 1 << 20;

/** A source file is a document. Binary and large ones are left out and counted. */
export async function* readCode(file: string, packing: Packing, found: Found, encoding?: string): AsyncGenerator<void> {
  if ((await fs.stat(file)).size > MAX_SOURCE_BYTES) return found.skip('source files of more than 1 MiB');
  const text = await openText(file, packing, encoding);
  found.encoding = text.encoding;
  yield* wholeFile(text, found, (bytes, place) => {
    if (bytes.subarray(0, 8192).includes(0)) found.skip('binary files');
    else found.addBytes(bytes, 0, bytes.length, place);
  });
}
