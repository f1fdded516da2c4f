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
  const gathered = new Pieces();
  let begun: Place = {};
  let bad: { line: Buffer; place: Place } | undefined;
  const add = (piece: Buffer, place: Place) => {
    if (gathered.size === 0) begun = { ...place };
    else gathered.push(LINE_FEED);
    gathered.push(piece);
  };
  const finish = () => {
    if (gathered.size === 0) return;
    gathered.give(
      {
        row: (bytes) => {
          if (bad === undefined) found.addBytes(bytes, 0, bytes.length, begun, true);
          else found.addBytes(bad.line, 0, bad.line.length, bad.place);
        },
        tooLarge: (_, size, excerpt) => found.tooLarge(begun, size, excerpt, '. Say --document line'),
      },
      begun,
    );
    bad = undefined;
  };
  yield* eachLine(text, {
    row: (bytes, start, end, place, valid) => {
      any = true;
      if (isBlank(bytes, start, end)) return finish();
      const line = bytes.subarray(start, end);
      if (!valid && !isUtf8(line)) bad ??= { line, place: { ...place } };
      add(line, place);
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
