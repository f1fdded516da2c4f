/**
 * Kinds of characters, as the rules tell them apart, and the lower-case form of each. Han and kana are written without spaces, so that a
 * character there is a word of its own; the order of the numbers is used by comparisons.
 */
export const SPACE = 1;
export const OTHER = 2;
export const MARK = 3;
export const DIGIT = 4;
export const LATIN = 5;
/** A letter of another script. */
export const LETTER = 6;
export const HAN = 7;
export const KANA = 8;

/** Kinds of the characters below U+10000; 0 = not looked up yet. Ask `kindOf` then. */
export const KINDS = new Uint8Array(0x10000);
/** Lower-case forms of the characters whose kind is known; only those that are one character below U+10000. */
export const FOLDED = new Uint16Array(0x10000);

/** The kind of a character by its code point; what is none is of another kind than letters. */
export function kindOf(codePoint: number): number {
  if (codePoint > 0x10ffff) return OTHER;
  const character = String.fromCodePoint(codePoint);
  const kind = kindOfCharacter(character);
  if (codePoint < 0x10000) {
    const lower = character.toLowerCase();
    KINDS[codePoint] = kind;
    FOLDED[codePoint] = lower.length === 1 ? lower.charCodeAt(0) : codePoint;
  }
  return kind;
}

function kindOfCharacter(character: string): number {
  if (/[\p{White_Space}\ufeff]/u.test(character)) return SPACE;
  if (/\p{Script=Han}/u.test(character)) return HAN;
  if (/[\p{Script=Hiragana}\p{Script=Katakana}\u30fc]/u.test(character)) return KANA;
  if (/\p{M}/u.test(character)) return MARK;
  if (/\p{N}/u.test(character)) return DIGIT;
  if (!/\p{L}/u.test(character)) return OTHER;
  return /\p{Script=Latin}/u.test(character) ? LATIN : LETTER;
}

for (let ascii = 0; ascii < 0x80; ascii++) kindOf(ascii);
