import { classes, END, LETTER, LINE_END, MARK, NUMBER, OTHER, SPACE } from './classes.js';

/**
 * Index after the word that begins at `i`. The text is UTF-8 and ends at `end`. Written out: many times as fast as a regular expression,
 * and linear.
 */
export type WordScanner = (text: Uint8Array, i: number, end: number) => number;

/** How Llama 3 cuts text into words before merging, as tokenizer.json states it. */
export const LLAMA3_PATTERN =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/** How Qwen 2 and 2.5 do: as Llama 3, but each digit by itself. */
export const QWEN2_PATTERN = LLAMA3_PATTERN.replace('\\p{N}{1,3}', '\\p{N}');

/** How GPT-2 does. */
export const GPT2_PATTERN = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

const APOSTROPHE = 0x27;
const BLANK = 0x20;

/** Cuts by LLAMA3_PATTERN, its alternatives tried in their order; `digits` is the most that a number has. */
export function llamaScanner(digits: number): WordScanner {
  const kinds = classes();
  return (text, i, end) => {
    const first = text[i];
    if (first === APOSTROPHE) {
      const after = contraction(text, i, end, true);
      if (after > 0) return after;
    }
    const kind = kinds[first < 0x80 ? first : codePoint(text, i)];
    if (kind === LETTER) return run(kinds, text, i, end, LETTER, LETTER);
    const second = characterEnd(text, i);
    if (kind === NUMBER) {
      let last = second;
      for (let n = 1; n < digits && kindAt(kinds, text, last, end) === NUMBER; n++) last = characterEnd(text, last);
      return last;
    }
    const secondKind = kind === LINE_END ? END : kindAt(kinds, text, second, end);
    if (secondKind === LETTER) return run(kinds, text, second, end, LETTER, LETTER); // led by one sign or space
    if (kind <= MARK || (secondKind <= MARK && first === BLANK)) {
      return run(kinds, text, run(kinds, text, second, end, OTHER, MARK), end, LINE_END, LINE_END);
    }
    const last = run(kinds, text, second, end, SPACE, LINE_END);
    for (let at = last - 1; at >= i; at--) if (text[at] === 0x0a || text[at] === 0x0d) return at + 1;
    return allButOne(text, i, last, end);
  };
}

/** Cuts by GPT2_PATTERN. */
export function gpt2Scanner(): WordScanner {
  const kinds = classes();
  return (text, i, end) => {
    const first = text[i];
    if (first === APOSTROPHE) {
      const after = contraction(text, i, end, false);
      if (after > 0) return after;
    }
    const start = first === BLANK && kindAt(kinds, text, i + 1, end) <= NUMBER ? i + 1 : i;
    const kind = kindAt(kinds, text, start, end);
    if (kind <= MARK) return run(kinds, text, start, end, OTHER, MARK);
    if (kind <= NUMBER) return run(kinds, text, start, end, kind, kind);
    return allButOne(text, i, run(kinds, text, i, end, SPACE, LINE_END), end);
  };
}

/** Cuts by WORD_PATTERN of a `word` tokenizer. */
export function wordScanner(): WordScanner {
  const kinds = classes();
  return (text, i, end) => {
    const start = text[i] === BLANK && kindAt(kinds, text, i + 1, end) <= NUMBER ? i + 1 : i;
    const kind = kindAt(kinds, text, start, end);
    if (kind === MARK || kind === LETTER) return run(kinds, text, start, end, MARK, LETTER);
    return kind === NUMBER ? run(kinds, text, start, end, NUMBER, NUMBER) : characterEnd(text, start);
  };
}

/** `\s+(?!\S)|\s+` for spaces from `i` to `last`: all at the end of the text; else all but one, which leads the next word. */
function allButOne(text: Uint8Array, i: number, last: number, end: number): number {
  if (last === end) return last;
  let before = last - 1;
  while (before > i && (text[before] & 0xc0) === 0x80) before--;
  return before > i ? before : last;
}

/** Index after 's 't 're 've 'm 'll 'd where one stands at `i`, else 0. Folding case, ſ (U+017F) is an s. */
function contraction(text: Uint8Array, i: number, end: number, foldCase: boolean): number {
  const left = end - i;
  if (left < 2) return 0;
  const fold = foldCase ? 0x20 : 0;
  const a = text[i + 1] | fold;
  if (a === 0x73 || a === 0x74 || a === 0x6d || a === 0x64) return i + 2;
  if (left < 3) return 0;
  const b = text[i + 2] | fold;
  if (((a === 0x72 || a === 0x76) && b === 0x65) || (a === 0x6c && b === 0x6c)) return i + 3;
  return foldCase && text[i + 1] === 0xc5 && text[i + 2] === 0xbf ? i + 3 : 0;
}

/** Index after a run of the classes from..to, which starts at `i`. */
function run(kinds: Uint8Array, text: Uint8Array, i: number, end: number, from: number, to: number): number {
  while (i < end) {
    const byte = text[i];
    const kind = kinds[byte < 0x80 ? byte : codePoint(text, i)];
    if (kind < from || kind > to) return i;
    i = byte < 0x80 ? i + 1 : characterEnd(text, i);
  }
  return end;
}

function kindAt(kinds: Uint8Array, text: Uint8Array, i: number, end: number): number {
  if (i >= end) return END;
  const byte = text[i];
  return kinds[byte < 0x80 ? byte : codePoint(text, i)];
}

/** Index after the character at `i`. */
export function characterEnd(text: Uint8Array, i: number): number {
  const byte = text[i];
  return i + (byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4);
}

/** Of a character of more than one byte. */
function codePoint(text: Uint8Array, i: number): number {
  const byte = text[i];
  if (byte < 0xe0) return ((byte & 0x1f) << 6) | (text[i + 1] & 0x3f);
  const tail = ((text[i + 1] & 0x3f) << 6) | (text[i + 2] & 0x3f);
  if (byte < 0xf0) return ((byte & 0x0f) << 12) | tail;
  return ((byte & 0x07) << 18) | (tail << 6) | (text[i + 3] & 0x3f);
}
