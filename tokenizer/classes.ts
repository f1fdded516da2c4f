import { LETTERS, MARKS, NUMBERS, SPACES } from './unicode.js';

export const OTHER = 0;
export const MARK = 1;
export const LETTER = 2;
export const NUMBER = 3;
export const SPACE = 4; // but \r and \n
export const LINE_END = 5;
export const END = 6; // of the text

let table: Uint8Array | undefined;

/** The class of each code point. */
export function classes(): Uint8Array {
  if (table !== undefined) return table;
  table = new Uint8Array(0x110000);
  for (const [kind, ranges] of [[MARK, MARKS] as const, [LETTER, LETTERS] as const, [NUMBER, NUMBERS] as const, [SPACE, SPACES] as const]) {
    for (const [first, last] of ranges) table.fill(kind, first, last + 1);
  }
  table[0x0a] = LINE_END;
  table[0x0d] = LINE_END;
  return table;
}
