import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { readChunks, type TextChunk } from './chunks.js';
import { corpusFrom } from './corpus.js';

/** The texts of corpora and of whatever `data import` reads, in chunks. */
export async function* readTexts(paths: readonly string[]): AsyncGenerator<TextChunk> {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'fourfold-'));
  try {
    for (const given of paths) {
      const { corpus } = await corpusFrom({ path: given, document: 'file', output: path.join(folder, 'corpus.arrow') });
      yield* readChunks(corpus);
    }
  } finally {
    await fs.rm(folder, { recursive: true, force: true });
  }
}
