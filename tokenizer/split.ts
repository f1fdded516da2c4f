import { classes, END, LETTER, MARK, NUMBER } from './classes.js';

/** How a `word` tokenizer cuts text: a word, a number or a sign, each with the space before it; any other space by itself. */
export const WORD_PATTERN = ' ?[\\p{L}\\p{M}]+| ?\\p{N}+| ?[^\\s\\p{L}\\p{M}\\p{N}]|\\s';

/** How a `char` tokenizer cuts text: every character, line ends too. */
export const CHARACTER_PATTERN = '[\\s\\S]';

/** Calls `visit` with each piece of the text; the pieces joined are the text. */
export type Splitter = (text: string, visit: (piece: string) => void) => void;

/** Reads the classes of a text's characters; where a character is two UTF-16 units, `step` says so. */
class Scanner {
  private readonly kinds = classes();
  constructor(private readonly text: string) {}

  kind(i: number): number {
    const unit = this.text.charCodeAt(i);
    if (unit < 0xd800) return this.kinds[unit];
    return i < this.text.length ? this.kinds[this.text.codePointAt(i)!] : END;
  }

  step(i: number): number {
    const unit = this.text.charCodeAt(i);
    return unit >= 0xd800 && unit < 0xdc00 && this.text.codePointAt(i)! > 0xffff ? i + 2 : i + 1;
  }

  /** Index after a run of the classes from..to, which starts at `i`. */
  run(i: number, from: number, to: number): number {
    let end = i;
    for (let kind = this.kind(end); kind >= from && kind <= to; kind = this.kind(end)) end = this.step(end);
    return end;
  }
}

/** Cuts by WORD_PATTERN. */
export const splitWords: Splitter = (text, visit) => {
  const scanner = new Scanner(text);
  for (let i = 0; i < text.length; ) {
    const start = text.charCodeAt(i) === 0x20 && scanner.kind(i + 1) <= NUMBER ? i + 1 : i;
    const kind = scanner.kind(start);
    let end = scanner.step(start);
    if (kind === MARK || kind === LETTER) end = scanner.run(start, MARK, LETTER);
    else if (kind === NUMBER) end = scanner.run(start, NUMBER, NUMBER);
    visit(text.slice(i, end));
    i = end;
  }
};

export const splitCharacters: Splitter = (text, visit) => {
  for (const character of text) visit(character);
};

/** Text with each lone surrogate, which no encoding can hold, replaced by U+FFFD. */
export function wellFormed(text: string): string {
  return /[\ud800-\udfff]/.test(text) ? text.replace(/\p{Cs}/gu, '\ufffd') : text;
}
