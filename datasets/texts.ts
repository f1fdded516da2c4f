import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { wordsBegin } from '../tokenizer/index.js';
import { readChunks, type TextChunk } from './chunks.js';
import { type OpenText, openText } from './import/bytes.js';
import { Found, MAX_DOCUMENT_BYTES, type Rejected } from './import/found.js';
import { type DetectedInput, openInputs, readInputs } from './import/read.js';
import { requireCorpus } from './import/tables.js';

const CHUNK_BYTES = 1 << 20;
const PIECE_BYTES = 1 << 23;

/**
 * The texts of corpora (.arrow) and of all else that `data import` reads, in chunks; nothing is written, and no more than a document is in
 * memory. A text file that is too large for a document comes in pieces that hold its words whole.
 * @param onRejected is told of what cannot be used.
 * @throws UserError where a path leads nowhere.
 */
export async function* readTexts(paths: readonly string[], onRejected?: (row: Rejected) => void): AsyncGenerator<TextChunk> {
  const isCorpus = (given: string) => path.extname(given).toLowerCase() === '.arrow';
  for (const corpus of paths.filter(isCorpus)) yield* readChunks(corpus);
  const others = paths.filter((given) => !isCorpus(given));
  if (others.length === 0) return;
  const found = new Found();
  let first = 0;
  const take = () => {
    const chunk = chunkOf(found, first);
    first += chunk.sourceOf.length;
    return chunk;
  };
  for await (const _ of findTexts(others, found)) {
    for (const row of found.takeRejected()) onRejected?.(row);
    if (found.size >= CHUNK_BYTES) yield take();
  }
  for (const row of found.takeRejected()) onRejected?.(row);
  if (found.length > 0) yield take();
}

async function* findTexts(paths: readonly string[], found: Found): AsyncGenerator<void> {
  let scratch: string | undefined;
  const makeScratch = async () => {
    scratch ??= await fs.mkdtemp(path.join(os.tmpdir(), 'fourfold-'));
    return scratch;
  };
  try {
    const inputs = await openInputs({ paths }, found);
    requireCorpus(inputs);
    for (const input of inputs) {
      if (!(await isLargeText(input))) yield* readInputs([input], { paths }, found, makeScratch);
      else {
        [found.file, found.source] = [input.path, input.source];
        yield* readPieces(await openText(input.path, input.packing), found);
      }
    }
  } finally {
    if (scratch !== undefined) await fs.rm(scratch, { recursive: true, force: true });
  }
}

/** Whether it is plain text of more bytes than a document may have, or may be, packed as it is. */
async function isLargeText({ path, format, container, packing }: DetectedInput): Promise<boolean> {
  if (format !== 'text' || container !== 'text') return false;
  return (await fs.stat(path)).size > (packing === undefined ? MAX_DOCUMENT_BYTES : PIECE_BYTES);
}

async function* readPieces({ chunks, encoding }: OpenText, found: Found): AsyncGenerator<void> {
  found.encoding = encoding;
  let held: Buffer[] = [];
  let size = 0;
  let offset = 0;
  let enough = PIECE_BYTES;
  const add = (bytes: Buffer, end: number) => {
    found.addBytes(bytes, 0, end, { offset });
    offset += end;
    [held, size, enough] = [[bytes.subarray(end)], bytes.length - end, PIECE_BYTES];
  };
  for await (const chunk of chunks) {
    held.push(chunk);
    size += chunk.length;
    if (size < enough) continue;
    const bytes = Buffer.concat(held, size);
    const cut = wordsBegin(bytes, PIECE_BYTES / 2);
    if (cut < bytes.length || size > MAX_DOCUMENT_BYTES) add(bytes, cut);
    else [held, enough] = [[bytes], 2 * size]; // a very long line
    yield;
  }
  if (size > 0) add(Buffer.concat(held, size), size);
  yield;
}

function chunkOf(found: Found, first: number): TextChunk {
  const { bytes, offsets, sources: names } = found.take();
  const sources = [...new Set(names)];
  const numbers = new Map(sources.map((source, i) => [source, i]));
  const sourceOf = Uint32Array.from(names, (source) => numbers.get(source)!);
  return { first, text: Uint8Array.from(bytes), offsets: Int32Array.from(offsets), sources, sourceOf };
}
