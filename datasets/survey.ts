import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { UserError } from '../util/errors.js';
import { type Metadata, readMetadata } from './arrow.js';
import { readChunks, type TextChunk } from './chunks.js';
import { charactersIn } from './documents.js';
import { type Origin, originOf } from './origin.js';

/** What corpora hold, found by reading them once. */
export interface Survey extends Origin {
  /** Of the documents with their sources, their order and their record batches; the files' names and dates do not matter. */
  sha256: string;
  documents: number;
  /** UTF-8 bytes of all texts. */
  bytes: number;
  /** Code points of all texts; counted only where asked for. */
  characters: number;
  /** Names, in the order in which they are first met. */
  sources: string[];
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
  const origins: Metadata[] = [];
  let [documents, bytes, characters] = [0, 0, 0];
  for (const corpus of corpora) {
    origins.push(await readMetadata(corpus));
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
    ...originOf(origins),
  };
}

function checkText(corpus: string, { first, text, offsets }: TextChunk): void {
  const wrong = isUtf8(text)
    ? offsets.subarray(0, -1).findIndex((from, i) => from < offsets[i + 1] && (text[from] & 0xc0) === 0x80) // two halves of a character
    : offsets.findIndex((from, i) => !isUtf8(text.subarray(from, offsets[i + 1])));
  if (wrong < 0) return;
  throw new UserError(
    `read data: every text of ${corpus} must be UTF-8; that of document ${first + wrong} is not. Make the corpus with fourfold data import`,
  );
}
