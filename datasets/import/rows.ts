import { isUtf8 } from 'node:buffer';
import type { OpenText } from './bytes.js';
import { MAX_DOCUMENT_BYTES, type Place } from './found.js';

/** Is called with each row where it lies: `bytes[start … end)`. The place is one object that changes from row to row. */
export interface RowVisitor {
  /** @param valid the row is known to be UTF-8. */
  row(bytes: Buffer, start: number, end: number, place: Place, valid: boolean): void;
  /** A row of more bytes than a document may have; they are gone but for the first. */
  tooLarge(place: Place, size: number, excerpt: Buffer): void;
}

const LINE_FEED = 0x0a;
const RETURN = 0x0d;
const EXCERPT = 800;

/** The pieces of a row that goes over chunks; once they are more than a document may have, only their size is kept. */
export class Pieces {
  size = 0;
  private pieces: Buffer[] = [];

  push(piece: Buffer): void {
    this.size += piece.length;
    if (this.size <= MAX_DOCUMENT_BYTES) this.pieces.push(piece);
    else if (this.pieces.length > 0) this.pieces = [Buffer.from(Buffer.concat(this.pieces).subarray(0, EXCERPT))];
  }

  /** Gives the row to the visitor and begins anew. */
  give(visit: RowVisitor, place: Place, isLine = false): void {
    const bytes = Buffer.concat(this.pieces);
    const { size } = this;
    this.pieces = [];
    this.size = 0;
    if (size > MAX_DOCUMENT_BYTES) visit.tooLarge(place, size, bytes);
    else visit.row(bytes, 0, isLine && bytes.at(-1) === RETURN ? bytes.length - 1 : bytes.length, place, false);
  }
}

/** Visits the lines of a text without their line ends (\n or \r\n). Yields after each chunk. */
export async function* eachLine({ chunks, offset }: OpenText, visit: RowVisitor): AsyncGenerator<void> {
  const pending = new Pieces();
  const place: Place = { line: 1, offset };
  const next = (size: number) => {
    place.line!++;
    if (place.offset !== undefined) place.offset += size + 1;
  };
  for await (const chunk of chunks) {
    const last = chunk.lastIndexOf(LINE_FEED);
    let start = 0;
    if (last >= 0 && pending.size > 0) {
      start = chunk.indexOf(LINE_FEED) + 1;
      pending.push(chunk.subarray(0, start - 1));
      const { size } = pending;
      pending.give(visit, place, true);
      next(size);
    }
    const valid = isUtf8(chunk.subarray(start, last + 1));
    while (start <= last) {
      const end = lineEnd(chunk, start);
      visit.row(chunk, start, end > start && chunk[end - 1] === RETURN ? end - 1 : end, place, valid);
      next(end - start);
      start = end + 1;
    }
    if (start < chunk.length) pending.push(chunk.subarray(start));
    yield;
  }
  if (pending.size > 0) pending.give(visit, place, true);
  yield;
}

/** Place of the next line feed, which there must be. Most lines are short, and a call costs more than a few steps. */
function lineEnd(chunk: Buffer, start: number): number {
  const near = Math.min(start + 64, chunk.length);
  for (let i = start; i < near; i++) if (chunk[i] === LINE_FEED) return i;
  return chunk.indexOf(LINE_FEED, near);
}
