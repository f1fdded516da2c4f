import { isUtf8 } from 'node:buffer';
import type { OpenText } from './bytes.js';
import type { TakeRow } from './columns.js';
import type { Found, Place } from './found.js';
import { Pieces, type RowVisitor } from './rows.js';

const [QUOTE, LINE_FEED, RETURN] = Buffer.from('"\n\r');
const DELIMITERS = [',', '\t', ';'];

/**
 * Rows of CSV (RFC 4180): the first record names the columns; a field in double quotes may hold delimiters, line breaks and doubled quotes. A quote in
 * a field that does not begin with one is a quote. Fields are parted by what the first line has most of: comma, tab or semicolon.
 */
export async function* readCsv(text: OpenText, found: Found, take: TakeRow): AsyncGenerator<void> {
  let delimiter = ',';
  let header: string[] | undefined;
  const record = (bytes: Buffer, place: Place) => {
    if (!isUtf8(bytes)) return found.addBytes(bytes, 0, bytes.length, place); // which says where
    const fields = splitRecord(bytes.toString('utf8'), delimiter);
    if (header === undefined) header = fields.map((name) => name.trim());
    else if (fields.length === header.length) take(Object.fromEntries(header.map((name, i) => [name, fields[i]])), place, bytes);
    else found.reject(place, 'wrong number of columns', `it has ${fields.length}; the header has ${header.length}`, bytes);
  };
  const onFirst = (first: Buffer) => {
    delimiter = delimiterOf(first);
    return delimiter.charCodeAt(0);
  };
  yield* eachRecord(text, onFirst, {
    row: (bytes, start, end, place) => {
      const last = end > start && bytes[end - 1] === RETURN ? end - 1 : end;
      if (last > start) record(bytes.subarray(start, last), place);
    },
    tooLarge: (place, size, excerpt) => found.tooLarge(place, size, excerpt, '. A quote that is never closed makes one, too'),
  });
}

/** Names of the columns, from the first bytes of a file. */
export function csvColumns(head: Buffer): string[] {
  const [line] = head
    .toString('utf8')
    .replace(/^\ufeff/, '')
    .split(/\r?\n/, 1);
  return splitRecord(line, delimiterOf(head)).map((name) => name.trim());
}

function delimiterOf(first: Buffer): string {
  const line = first.toString('latin1').split('\n', 1)[0];
  return DELIMITERS.reduce((most, other) => (line.split(other).length > line.split(most).length ? other : most));
}

/** Visits records: lines, but that a line break within quotes does not end one. */
async function* eachRecord({ chunks, offset }: OpenText, onFirst: (chunk: Buffer) => number, visit: RowVisitor): AsyncGenerator<void> {
  const pending = new Pieces();
  const place: Place = { row: 0, line: 1, offset };
  let delimiter = 0;
  let line = 1;
  let chunkOffset = offset;
  let quoted = false;
  let open = true; // a quote here begins a quoted field, or goes on with one that seemed to have ended
  for await (const chunk of chunks) {
    delimiter ||= onFirst(chunk);
    let start = 0;
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i];
      if (byte === QUOTE) {
        if (quoted) {
          quoted = false;
          open = true;
        } else if (open) quoted = true;
      } else if (byte === LINE_FEED) {
        line++;
        if (quoted) continue;
        if (pending.size === 0) visit.row(chunk, start, i, place, false);
        else {
          pending.push(chunk.subarray(start, i));
          pending.give(visit, place);
        }
        start = i + 1;
        place.row!++;
        place.line = line;
        if (chunkOffset !== undefined) place.offset = chunkOffset + start;
        open = true;
      } else if (!quoted) open = byte === delimiter;
    }
    if (start < chunk.length) pending.push(chunk.subarray(start));
    if (chunkOffset !== undefined) chunkOffset += chunk.length;
    yield;
  }
  if (pending.size > 0) pending.give(visit, place);
  yield;
}

/** Fields of one record. */
function splitRecord(record: string, delimiter: string): string[] {
  const fields: string[] = [];
  for (let start = 0; start <= record.length; ) {
    let field = '';
    let from = start;
    while (record[from] === '"' && (from === start || field !== '' || record[from - 1] === '"')) {
      const close = record.indexOf('"', from + 1);
      field += (from > start ? '"' : '') + record.slice(from + 1, close < 0 ? record.length : close);
      from = close < 0 ? record.length : close + 1;
    }
    const end = record.indexOf(delimiter, from);
    fields.push(field + record.slice(from, end < 0 ? record.length : end));
    start = end < 0 ? record.length + 1 : end + 1;
  }
  return fields;
}
