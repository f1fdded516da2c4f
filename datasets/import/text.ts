import { isUtf8 } from 'node:buffer';
import type { OpenText } from './bytes.js';
import { type Found, isBlank, type Place } from './found.js';
import { eachLine, Pieces } from './rows.js';

export type DocumentRule = 'file' | 'line' | 'blank_line';

/** Documents of plain text. Blank lines and what is between blank lines are no documents. */
export function readText(text: OpenText, found: Found, document: DocumentRule): AsyncGenerator<void> {
  return { file: readWhole, line: readLines, blank_line: readParagraphs }[document](text, found);
}

function readWhole(text: OpenText, found: Found): AsyncGenerator<void> {
  return wholeFile(text, found, (bytes, place) => found.addBytes(bytes, 0, bytes.length, place), '. Say --document blank_line or line');
}

/** Gives the whole text of a file, which must not be larger than a document may be. */
export async function* wholeFile(
  { chunks, offset }: OpenText,
  found: Found,
  take: (bytes: Buffer, place: Place) => void,
  wayOut = '',
): AsyncGenerator<void> {
  const pieces = new Pieces();
  const place = { offset };
  for await (const chunk of chunks) pieces.push(chunk);
  if (pieces.size === 0) found.reject({}, 'empty', 'the file is empty');
  else {
    pieces.give({ row: (bytes) => take(bytes, place), tooLarge: (_, size, excerpt) => found.tooLarge({}, size, excerpt, wayOut) }, place);
  }
  yield;
}

async function* readLines(text: OpenText, found: Found): AsyncGenerator<void> {
  let any = false;
  yield* eachLine(text, {
    row: (bytes, start, end, place, valid) => {
      any = true;
      if (!isBlank(bytes, start, end)) found.addBytes(bytes, start, end, place, valid);
    },
    tooLarge: (place, size, excerpt) => {
      any = true;
      found.tooLarge(place, size, excerpt, '. Break it into lines');
    },
  });
  if (!any) found.reject({}, 'empty', 'the file is empty');
}

const LINE_FEED = Buffer.from('\n');

async function* readParagraphs(text: OpenText, found: Found): AsyncGenerator<void> {
  let any = false;
  let begun: Place | undefined; // of the paragraph; undefined between two
  let bad: { line: Buffer; place: Place } | undefined;
  const earlier = new Pieces(); // lines of it that are not beside the last ones
  let [last, start, end]: [bytes: Buffer, start: number, end: number] = [LINE_FEED, 0, 0];
  const finish = () => {
    if (begun === undefined) return;
    if (bad !== undefined)
      found.addBytes(bad.line, 0, bad.line.length, bad.place); // which says why not
    else if (earlier.size === 0) found.addBytes(last, start, end, begun, true);
    if (earlier.size > 0) {
      const place = begun;
      const isGood = bad === undefined;
      earlier.push(last.subarray(start, end));
      earlier.give(
        {
          row: (bytes) => isGood && found.addBytes(bytes, 0, bytes.length, place, true),
          tooLarge: (_, size, excerpt) => isGood && found.tooLarge(place, size, excerpt, '. Say --document line'),
        },
        place,
      );
    }
    begun = undefined;
    bad = undefined;
  };
  yield* eachLine(text, {
    row: (bytes, from, to, place, valid) => {
      any = true;
      if (isBlank(bytes, from, to)) {
        finish();
        return;
      }
      if (!valid && !isUtf8(bytes.subarray(from, to))) bad ??= { line: bytes.subarray(from, to), place: { ...place } };
      if (begun !== undefined && bytes === last && from === end + 1) {
        end = to; // beside the line before: a line feed is between them
        return;
      }
      if (begun !== undefined) {
        earlier.push(last.subarray(start, end));
        earlier.push(LINE_FEED);
      }
      begun ??= { ...place };
      [last, start, end] = [bytes, from, to];
    },
    tooLarge: (place, size, excerpt) => {
      any = true;
      finish();
      found.tooLarge(place, size, excerpt, '. Break it into lines');
    },
  });
  finish();
  if (!any) found.reject({}, 'empty', 'the file is empty');
  yield;
}
