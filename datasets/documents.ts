import { createHash } from 'node:crypto';
import { readChunks, type TextChunk } from './chunks.js';

export interface SplitOptions {
  /**
   * `hash`: each document by the hash of its text, so that none moves when data is added.
   * `tail`: the end of the text, counted in characters over all documents; the one that the cut goes through becomes two.
   */
  split: 'hash' | 'tail';
  /** Part of the data that is held out, in [0, 1). */
  evalFraction: number;
}

export type PartName = 'train' | 'eval';

/** A chunk of a corpus that knows where it lies. */
export interface PlacedChunk extends TextChunk {
  /** Index of its corpus. */
  corpus: number;
  /** `tail`: characters from here on that are for training. */
  left: number;
}

/** A document of a chunk, or a part of one: its text is `text[from … to)`. */
export interface Piece {
  document: number;
  from: number;
  to: number;
  part: PartName;
}

const SALT = 'fourfold held out\n'; // one for the project: a text held out once stays held out in every stage

/** Whether the hash of a text (a string, or its UTF-8) puts it into the held-out part. */
export function isHeldOut(text: string | Uint8Array, evalFraction: number): boolean {
  return createHash('sha256').update(SALT).update(text).digest().readUIntBE(0, 6) < evalFraction * 2 ** 48;
}

/** Characters of the training part where the split is `tail`: nanoGPT's int(0.9 · n). */
export function trainCharacters(characters: number, evalFraction: number): number {
  return Math.floor(characters * (1 - evalFraction));
}

/**
 * The chunks of several corpora, one corpus after another.
 * @param left `tail`: characters for training in all, see `trainCharacters`.
 */
export async function* placedChunks(
  corpora: readonly string[],
  options: { split: SplitOptions['split']; left: number; chunkBytes?: number },
): AsyncGenerator<PlacedChunk> {
  let { left } = options;
  for (const [corpus, path] of corpora.entries()) {
    for await (const chunk of readChunks(path, options.chunkBytes)) {
      const here = left;
      if (options.split === 'tail' && left > 0) left = Math.max(0, left - charactersIn(chunk.text));
      yield { ...chunk, corpus, left: here };
    }
  }
}

/** Documents of a chunk in their order, each with the part it belongs to. */
export function* pieces(chunk: PlacedChunk, { split, evalFraction }: SplitOptions): Generator<Piece> {
  const { text, offsets } = chunk;
  let { left } = chunk;
  for (let document = 0; document + 1 < offsets.length; document++) {
    const [from, to] = [offsets[document], offsets[document + 1]];
    if (split === 'hash') {
      yield { document, from, to, part: isHeldOut(text.subarray(from, to), evalFraction) ? 'eval' : 'train' };
      continue;
    }
    const characters = left > 0 ? charactersIn(text, from, to) : 0;
    const cut = left <= 0 ? from : characters <= left ? to : endOfCharacters(text, from, left);
    left -= Math.min(left, characters);
    if (cut > from) yield { document, from, to: cut, part: 'train' };
    if (cut < to) yield { document, from: cut, to, part: 'eval' };
  }
}

/** Characters (code points) of UTF-8: the bytes that do not continue one. */
export function charactersIn(text: Uint8Array, from = 0, to = text.length): number {
  let characters = 0;
  for (let i = from; i < to; i++) if ((text[i] & 0xc0) !== 0x80) characters++;
  return characters;
}

/** Place at which `count` characters from `from` on end. There must be more than `count`. */
function endOfCharacters(text: Uint8Array, from: number, count: number): number {
  let i = from;
  for (let seen = -1; ; i++) if ((text[i] & 0xc0) !== 0x80 && ++seen === count) return i;
}
