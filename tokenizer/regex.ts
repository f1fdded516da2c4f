import { LETTERS, MARKS, NUMBERS, SPACES } from './unicode.js';

type Ranges = readonly (readonly [number, number])[];

/** Why a pattern cannot be run here as it is run elsewhere. */
export class UnsupportedPattern extends Error {}

/** Ranges of code points as they stand within a class of a regular expression with the flag u. */
export function codePointClass(ranges: Ranges): string {
  const point = (n: number) => `\\u{${n.toString(16)}}`;
  return ranges.map(([first, last]) => (first === last ? point(first) : `${point(first)}-${point(last)}`)).join('');
}

/**
 * A split pattern of tokenizer.json (Oniguruma's syntax) as a JavaScript expression that finds the same: spaces and Unicode classes come
 * from the pinned tables, `(?i:…)` is written out.
 * @throws UnsupportedPattern for what is not known to mean the same in both.
 */
export function compilePattern(source: string): RegExp {
  const reader = new Reader(source);
  const { text } = alternatives(reader, false);
  if (reader.more()) throw new UnsupportedPattern(') without (');
  return new RegExp(text, 'gu');
}

class Reader {
  private at = 0;
  private readonly characters: string[];
  constructor(source: string) {
    this.characters = [...source];
  }

  more(): boolean {
    return this.at < this.characters.length;
  }

  peek(): string | undefined {
    return this.characters[this.at];
  }

  take(): string {
    if (!this.more()) throw new UnsupportedPattern('an end before the pattern is complete');
    return this.characters[this.at++];
  }

  /** Takes `text` where it stands next. */
  skip(text: string): boolean {
    const length = [...text].length;
    if (this.characters.slice(this.at, this.at + length).join('') !== text) return false;
    this.at += length;
    return true;
  }

  /** Takes the characters up to `end`, and it. */
  until(end: string): string {
    let text = '';
    for (let next = this.take(); next !== end; next = this.take()) text += next;
    return text;
  }
}

/** A part of the JavaScript pattern; `repeats` where something in it may occur any number of times. */
interface Part {
  text: string;
  repeats: boolean;
}

const DEEPEST = 50;

function alternatives(reader: Reader, ignoreCase: boolean, depth = 0): Part {
  if (depth > DEEPEST) throw new UnsupportedPattern(`more than ${DEEPEST} groups in each other`);
  let text = '';
  let repeats = false;
  let before = '';
  while (reader.more() && reader.peek() !== ')') {
    if (reader.skip('|')) {
      text += '|';
      before = '';
      continue;
    }
    const letter = reader.peek()!.toLowerCase();
    if (ignoreCase && FOLDED_PAIRS.includes(before + letter)) {
      throw new UnsupportedPattern(`${before + letter} within (?i:…), which one character may also be`);
    }
    before = letter;
    const part = quantified(reader, atom(reader, ignoreCase, depth));
    text += part.text;
    repeats ||= part.repeats;
  }
  return { text, repeats };
}

/** Two letters that one character (ß, ﬀ, ﬁ, ﬂ, ﬆ) equals when case is ignored. */
const FOLDED_PAIRS = ['ss', 'ff', 'fi', 'fl', 'st'];

function atom(reader: Reader, ignoreCase: boolean, depth: number): Part {
  const character = reader.take();
  if (character === '(') return group(reader, ignoreCase, depth);
  if (character === '[') return { text: characterClass(reader, ignoreCase), repeats: false };
  if (character === '.') return { text: '[^\\n]', repeats: false };
  if ('^$'.includes(character)) throw new UnsupportedPattern(`the anchor ${character}`);
  if ('*+?{'.includes(character)) throw new UnsupportedPattern(`${character} with nothing to repeat`);
  const set = character === '\\' ? escaped(reader, ignoreCase) : literal(character, ignoreCase);
  return { text: `[${set.text}]`, repeats: false };
}

function group(reader: Reader, ignoreCase: boolean, depth: number): Part {
  let open = '(?:';
  let inner = ignoreCase;
  if (reader.skip('?i:')) inner = true;
  else if (reader.skip('?=')) open = '(?=';
  else if (reader.skip('?!')) open = '(?!';
  else if (reader.peek() === '?' && !reader.skip('?:')) {
    reader.take();
    throw new UnsupportedPattern(`the group (?${reader.peek() ?? ''}`);
  }
  const { text, repeats } = alternatives(reader, inner, depth + 1);
  if (!reader.skip(')')) throw new UnsupportedPattern('( without )');
  return { text: `${open}${text})`, repeats };
}

const MOST_REPEATS = 1000;

function quantified(reader: Reader, part: Part): Part {
  const sign = reader.peek();
  if (sign === undefined || !'*+?{'.includes(sign)) return part;
  if (part.text.startsWith('(?=') || part.text.startsWith('(?!')) throw new UnsupportedPattern('a look-ahead that is repeated');
  reader.take();
  let quantifier = sign;
  if (sign === '{') {
    const bounds = reader.until('}');
    const [, least, comma, most] = /^(\d{1,4})(,?)(\d{0,4})$/.exec(bounds) ?? [];
    if (least === undefined || Math.max(Number(least), Number(most)) > MOST_REPEATS || (most !== '' && Number(most) < Number(least))) {
      throw new UnsupportedPattern(`the repetition {${bounds}}`);
    }
    quantifier = `{${least}${comma}${most}}`;
  }
  const unbounded = quantifier.endsWith(',}') || '*+'.includes(sign);
  if (part.repeats && quantifier !== '?') throw new UnsupportedPattern('a repetition within a repetition, which may take for ever');
  const after = reader.peek();
  if (after === '?' && sign !== '{') quantifier += reader.take();
  else if (after !== undefined && '*+?{'.includes(after)) throw new UnsupportedPattern(`${quantifier}${after} (possessive or doubled)`);
  return { text: part.text + quantifier, repeats: part.repeats || unbounded || sign === '{' };
}

/** What may stand within a class; `point` where it is a single character. */
interface Member {
  text: string;
  point?: number;
}

const one = (point: number): Member => ({ text: codePointClass([[point, point]]), point });

function literal(character: string, ignoreCase: boolean): Member {
  const member = one(character.codePointAt(0)!);
  if (!ignoreCase || !/\p{L}|\p{M}|\p{N}/u.test(character)) return member;
  if (!/[a-z0-9]/i.test(character)) throw new UnsupportedPattern(`${character} within (?i:…)`);
  const folded = { s: 'ſ', k: '\u212a' }[character.toLowerCase()] ?? ''; // what else is an s or a k when case is ignored
  return { ...member, text: character.toLowerCase() + character.toUpperCase() + folded };
}

const CONTROLS: Record<string, number> = { t: 9, n: 10, v: 11, f: 12, r: 13, a: 7, e: 27 };
const PROPERTIES: Record<string, Ranges> = { L: LETTERS, N: NUMBERS, M: MARKS };

function escaped(reader: Reader, ignoreCase: boolean): Member {
  const character = reader.take();
  if (character in CONTROLS) return one(CONTROLS[character]);
  if (character === 's') return { text: codePointClass(SPACES) };
  if (character === 'S') return { text: codePointClass(complement(SPACES)) };
  if (character === 'x' || character === 'u') return one(hexadecimal(reader, character));
  if (character === 'p' || character === 'P') {
    const name = reader.skip('{') ? reader.until('}') : '';
    const ranges = Object.hasOwn(PROPERTIES, name) ? PROPERTIES[name] : undefined;
    if (ranges === undefined) throw new UnsupportedPattern(`\\${character}{${name}}: of Unicode's classes L, N and M are known`);
    if (ignoreCase) throw new UnsupportedPattern(`\\${character}{${name}} within (?i:…)`);
    return { text: codePointClass(character === 'p' ? ranges : complement(ranges)) };
  }
  if (/[\p{L}\p{N}]/u.test(character)) throw new UnsupportedPattern(`\\${character}`);
  return one(character.codePointAt(0)!);
}

function hexadecimal(reader: Reader, kind: string): number {
  const digits =
    kind === 'x' && reader.skip('{') ? reader.until('}') : Array.from({ length: kind === 'x' ? 2 : 4 }, () => reader.take()).join('');
  const point = /^[0-9a-f]{1,6}$/i.test(digits) ? Number.parseInt(digits, 16) : Number.NaN;
  if (!(point <= 0x10ffff)) throw new UnsupportedPattern(`\\${kind}${digits}`);
  return point;
}

/** After `[`, to its `]`. */
function characterClass(reader: Reader, ignoreCase: boolean): string {
  const negated = reader.skip('^');
  let text = '';
  let first = true;
  for (; first || reader.peek() !== ']'; first = false) {
    if (reader.skip('&&') || reader.peek() === '[' || (first && reader.peek() === ']')) {
      throw new UnsupportedPattern('classes within a class, && or ] as the first in one');
    }
    const member = classMember(reader, ignoreCase);
    const isRange = reader.skip('-');
    if (!isRange || reader.peek() === ']') {
      text += member.text + (isRange ? '\\-' : '');
      continue;
    }
    const last = classMember(reader, ignoreCase);
    if (member.point === undefined || last.point === undefined || last.point < member.point || ignoreCase) {
      throw new UnsupportedPattern('a range whose ends are not two characters in their order, or one within (?i:…)');
    }
    text += codePointClass([[member.point, last.point]]);
  }
  reader.take();
  return `[${negated ? '^' : ''}${text}]`;
}

function classMember(reader: Reader, ignoreCase: boolean): Member {
  const character = reader.take();
  return character === '\\' ? escaped(reader, ignoreCase) : literal(character, ignoreCase);
}

function complement(ranges: Ranges): [number, number][] {
  const out: [number, number][] = [];
  let next = 0;
  for (const [first, last] of ranges) {
    if (first > next) out.push([next, first - 1]);
    next = last + 1;
  }
  if (next <= 0x10ffff) out.push([next, 0x10ffff]);
  return out;
}
