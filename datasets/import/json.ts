import { isAscii, isUtf8 } from 'node:buffer';
import type { OpenText } from './bytes.js';
import { isRow, kindOf, type TakeRow } from './columns.js';
import { type Found, isBlank } from './found.js';
import { eachElement } from './json-array.js';
import { eachLine, type RowVisitor } from './rows.js';

/** Rows of JSON lines. Blank lines are no rows. */
export function readJsonLines(text: OpenText, found: Found, take: TakeRow): AsyncGenerator<void> {
  return eachLine(text, visitor(found, take, 'the line'));
}

/** Rows that are the elements of one JSON array, or objects one after another. */
export function readJsonArray(text: OpenText, found: Found, take: TakeRow): AsyncGenerator<void> {
  return eachElement(text, {
    ...visitor(found, take, 'the element'),
    cut: (place, bytes) => {
      if (bytes.length === 0) found.reject({}, 'cut off', 'the file ends before its array does');
      else found.reject(place, 'cut off', 'the file ends within this row', bytes);
    },
  });
}

/** Columns of the first row, as far as the first bytes of a file reach; what has a name within one is `column.name`. */
export function jsonColumns(head: Buffer): string[] {
  const json = head.toString('utf8').replace(/^\ufeff?\s*\[?\s*/, '');
  const names: string[] = [];
  let column = '';
  let depth = 0;
  for (const [token] of json.matchAll(/"(?:[^"\\]|\\(?:.|$))*(?:"(?:\s*:)?|$)|[[\]{}]/gs)) {
    if (token === '{' || token === '[') depth++;
    else if (token === '}' || token === ']') depth--;
    else if (depth === 1 && token.endsWith(':')) {
      column = keyOf(token);
      names.push(column);
    } else if (token.endsWith(':')) names.push(`${column}.${keyOf(token)}`);
    if (depth === 0) break;
  }
  return names;
}

function keyOf(token: string): string {
  const key = token.slice(0, -1).trimEnd();
  try {
    return JSON.parse(key);
  } catch {
    return key; // reading the row says what is wrong
  }
}

function visitor(found: Found, take: TakeRow, what: string): RowVisitor {
  return {
    row: (bytes, start, end, place) => {
      if (isBlank(bytes, start, end)) return;
      const json = bytes.subarray(start, end);
      if (!isUtf8(json)) return found.addBytes(bytes, start, end, place); // which says where
      let row: unknown;
      try {
        row = JSON.parse(json.toString(isAscii(json) ? 'latin1' : 'utf8'));
      } catch (error) {
        return found.reject(place, 'not JSON', (error as Error).message, json);
      }
      if (isRow(row)) take(row, place, json);
      else found.reject(place, 'not JSON', `${what} must be an object; it is ${kindOf(row)}`, json);
    },
    tooLarge: (place, size, excerpt) => found.tooLarge(place, size, excerpt, '. Cut it into several rows'),
  };
}
