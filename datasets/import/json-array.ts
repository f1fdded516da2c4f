import type { OpenText } from './bytes.js';
import type { Place } from './found.js';
import { Pieces, type RowVisitor } from './rows.js';

const LINE_FEED = 0x0a;
const [QUOTE, BACKSLASH, COMMA, OPEN_BRACKET, CLOSE_BRACKET, OPEN_BRACE, CLOSE_BRACE] = Buffer.from('"\\,[]{}');
const isBlank = (byte: number) => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);

export interface ArrayVisitor extends RowVisitor {
  /** The file ended before the array did; `bytes` are what there is of the last element, if there is one. */
  cut(place: Place, bytes: Buffer): void;
}

/**
 * Visits the elements of a JSON array, which may span lines: found by their brackets, never the whole in memory. An object that stands in no array is
 * an element, too. Yields after each chunk.
 */
export async function* eachElement({ chunks, offset }: OpenText, visit: ArrayVisitor): AsyncGenerator<void> {
  const pending = new Pieces();
  const place: Place = { row: 0, line: 1, offset };
  let line = 1;
  let chunkOffset = offset;
  let within = false; // an element
  let outside = 1; // depth of what is no element: in an array 1, else 0
  let depth = 0;
  let quoted = false;
  let escaped = false;
  for await (const chunk of chunks) {
    let start = 0;
    const finish = (end: number) => {
      if (within && pending.size === 0) visit.row(chunk, start, end, place, false);
      else if (within) {
        pending.push(chunk.subarray(start, end));
        pending.give(visit, place);
      }
      within = false;
    };
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i];
      if (byte === LINE_FEED) line++;
      if (escaped) escaped = false;
      else if (quoted) {
        if (byte === BACKSLASH) escaped = true;
        else if (byte === QUOTE) quoted = false;
      } else if (depth === 1 && outside === 1 && (byte === COMMA || byte === CLOSE_BRACKET)) {
        finish(i);
        if (byte === CLOSE_BRACKET) depth--;
      } else if (depth === 0 && byte === OPEN_BRACKET) {
        outside = 1;
        depth++;
      } else if (depth > 0 || byte === OPEN_BRACE) {
        if (depth === 0) outside = 0;
        if (!within && !isBlank(byte)) {
          within = true;
          start = i;
          place.row!++;
          place.line = line;
          place.offset = chunkOffset === undefined ? undefined : chunkOffset + i;
        }
        if (byte === QUOTE) quoted = true;
        else if (byte === OPEN_BRACKET || byte === OPEN_BRACE) depth++;
        else if (byte === CLOSE_BRACKET || byte === CLOSE_BRACE) depth--;
        if (depth === 0) finish(i + 1);
      }
    }
    if (within) pending.push(chunk.subarray(start));
    if (chunkOffset !== undefined) chunkOffset += chunk.length;
    yield;
  }
  if (depth > 0) pending.give({ row: (bytes) => visit.cut(place, bytes), tooLarge: visit.tooLarge }, place);
  yield;
}
