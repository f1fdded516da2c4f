import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { UserError } from '../util/errors.js';
import { readMetadata } from './arrow.js';
import { readChunks, type TextChunk } from './chunks.js';
import { charactersIn } from './documents.js';

/** What corpora hold, found by reading them once. */
export interface Survey {
  /** Of the documents with their sources, their order and their record batches; the files' names and dates do not matter. */
  sha256: string;
  documents: number;
  /** UTF-8 bytes of all texts. */
  bytes: number;
  /** Code points of all texts; counted only where asked for. */
  characters: number;
  /** Names, in the order in which they are first met. */
  sources: string[];
  /** The importers of the corpora. */
  importer: string;
  /** Of what was imported: of one corpus its own, of several that of the list of them. */
  sourceSha256: string;
}

/**
 * Reads corpora from end to end, so that what is wrong with them is known before the work begins.
 * @throws UserError when one cannot be read, or a text in it is not UTF-8.
 */
export async function surveyCorpora(
  corpora: readonly string[],
  options: { characters: boolean; signal?: AbortSignal; onProgress?: (bytes: number) => void },
): Promise<Survey> {
  const hash = createHash('sha256');
  const sources = new Set<string>();
  const importers = new Set<string>();
  const origins: string[] = [];
  let [documents, bytes, characters] = [0, 0, 0];
  for (const corpus of corpora) {
    const origin = await readMetadata(corpus);
    importers.add(origin.get('importer') ?? 'unknown');
    origins.push(origin.get('source_sha256') ?? 'unknown');
    for await (const chunk of readChunks(corpus)) {
      options.signal?.throwIfAborted();
      checkText(corpus, chunk);
      hash.update(JSON.stringify(chunk.sources)).update(chunk.offsets).update(chunk.sourceOf).update(chunk.text);
      for (const source of chunk.sources) sources.add(source);
      documents += chunk.sourceOf.length;
      bytes += chunk.text.length;
      if (options.characters) characters += charactersIn(chunk.text);
      options.onProgress?.(bytes);
    }
    hash.update('end of corpus');
  }
  return {
    sha256: hash.digest('hex'),
    documents,
    bytes,
    characters,
    sources: [...sources],
    importer: [...importers].join(', '),
    sourceSha256: origins.length === 1 ? origins[0] : createHash('sha256').update(origins.join('\n')).digest('hex'),
  };
}

function checkText(corpus: string, { first, text, offsets }: TextChunk): void {
  let wrong = -1;
  if (!isUtf8(text)) wrong = offsets.findIndex((from, i) => !isUtf8(text.subarray(from, offsets[i + 1])));
  else wrong = offsets.subarray(0, -1).findIndex((from, i) => from < offsets[i + 1] && (text[from] & 0xc0) === 0x80); // two halves of a character
  if (wrong < 0) return;
  throw new UserError(
    `read data: every text of ${corpus} must be UTF-8; that of document ${first + wrong} is not. Make the corpus with fourfold data import`,
  );
}
