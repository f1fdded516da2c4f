import path from 'node:path';
import { readChunks, type TextChunk } from './chunks.js';
import { type Rejected, readDocuments } from './import.js';

const CHUNK_BYTES = 1 << 20;

/** The texts of corpora (.arrow) and of all else that `data import` reads, in chunks of about a megabyte; nothing is written. */
export async function* readTexts(paths: readonly string[], onRejected?: (row: Rejected) => void): AsyncGenerator<TextChunk> {
  const isCorpus = (given: string) => path.extname(given).toLowerCase() === '.arrow';
  for (const corpus of paths.filter(isCorpus)) yield* readChunks(corpus);
  const others = paths.filter((given) => !isCorpus(given));
  let texts: Buffer[] = [];
  let sources: string[] = [];
  let [first, bytes] = [0, 0];
  const flush = () => {
    const chunk = chunkOf(texts, sources, first);
    first += texts.length;
    [texts, sources, bytes] = [[], [], 0];
    return chunk;
  };
  if (others.length === 0) return;
  for await (const { text, source } of readDocuments({ paths: others, onRejected })) {
    texts.push(Buffer.from(text, 'utf8'));
    sources.push(source);
    bytes += texts.at(-1)!.length;
    if (bytes >= CHUNK_BYTES) yield flush();
  }
  if (texts.length > 0) yield flush();
}

function chunkOf(texts: readonly Buffer[], sourceNames: readonly string[], first: number): TextChunk {
  const offsets = new Int32Array(texts.length + 1);
  for (let i = 0; i < texts.length; i++) offsets[i + 1] = offsets[i] + texts[i].length;
  const text = new Uint8Array(offsets[texts.length]);
  for (let i = 0; i < texts.length; i++) text.set(texts[i], offsets[i]);
  const sources = [...new Set(sourceNames)];
  const numbers = new Map(sources.map((source, i) => [source, i]));
  return { first, text, offsets, sources, sourceOf: Uint32Array.from(sourceNames, (source) => numbers.get(source)!) };
}
