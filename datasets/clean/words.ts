import { mix } from '../../util/hashing.js';
import { DIGIT, FOLDED, HAN, KANA, KINDS, kindOf, LATIN, LETTER, MARK, OTHER, SPACE } from './characters.js';

const LARGE = 1 << 20;

/**
 * The words of a document, found in one pass over its UTF-8 and shared by the rules.
 *
 * A word is a run of characters without white space; a Han or kana character is a word of its own, with the punctuation after it. A term
 * is what is left of a word when its case and everything but letters, marks and digits are taken away, and is known by its hash; a word
 * of punctuation alone has none. Where sizes of texts are compared, a Han or kana character weighs 2 and any other word 3: a Chinese
 * word is taken to be 1.5 characters long.
 */
export class Words {
  /** Words, and how many of them are Han and kana characters. */
  count = 0;
  han = 0;
  kana = 0;
  /** Characters in the words that are not Han or kana, punctuation included. */
  spacedCharacters = 0;
  /** Words that have a letter. */
  alphabetic = 0;
  /** Letters of the Latin script, and of others but Han and kana. */
  latinLetters = 0;
  otherLetters = 0;
  /** Digits and other numerals. */
  digits = 0;
  atSigns = 0;
  /** `#`, and `...` or `…`. */
  hashSigns = 0;
  ellipses = 0;
  /** Terms, their hashes, characters, weights, and where they stand in the text. Only the first `terms` elements mean anything. */
  terms = 0;
  hash = new Int32Array(0);
  length = new Int32Array(0);
  weight = new Uint8Array(0);
  start = new Int32Array(0);
  end = new Int32Array(0);

  /** Whether Han and kana are more than half of the text. */
  get unspaced(): boolean {
    return 2 * (this.han + this.kana) > 3 * (this.count - this.han - this.kana);
  }

  /** Number of words, a Han or kana character as two thirds of one. */
  get size(): number {
    return this.count - (this.han + this.kana) / 3;
  }

  /** Finds the words of `bytes`; what was there of another text is overwritten. */
  scan(bytes: Uint8Array): this {
    const n = bytes.length;
    this.reserve((n >>> 1) + 1);
    const { hash, length, weight, start, end } = this;
    let count = 0;
    let han = 0;
    let kana = 0;
    let spacedCharacters = 0;
    let alphabetic = 0;
    let latinLetters = 0;
    let otherLetters = 0;
    let digits = 0;
    let atSigns = 0;
    let hashSigns = 0;
    let ellipses = 0;
    let terms = 0;
    let within = 0; // kind of the word that is open: 0 none, HAN, KANA, or OTHER for all that have spaces
    let from = 0; // where it begins
    let characters = 0;
    let letters = 0;
    let folded = 0; // characters of its term
    let h = 0;
    let dots = 0;
    for (let i = 0; i <= n; ) {
      let c = i < n ? bytes[i] : 0x20;
      let size = 1;
      let kind: number;
      if (c < 0x80) kind = KINDS[c];
      else if (c < 0xf0) {
        if (c < 0xe0) {
          c = ((c & 0x1f) << 6) | (bytes[i + 1] & 0x3f);
          size = 2;
        } else {
          c = ((c & 0x0f) << 12) | ((bytes[i + 1] & 0x3f) << 6) | (bytes[i + 2] & 0x3f);
          size = 3;
        }
        kind = KINDS[c];
        if (kind === 0) kind = kindOf(c);
      } else {
        c = ((c & 0x07) << 18) | ((bytes[i + 1] & 0x3f) << 12) | ((bytes[i + 2] & 0x3f) << 6) | (bytes[i + 3] & 0x3f);
        size = 4;
        kind = kindOf(c);
      }
      if (within !== 0 && (kind === SPACE || kind >= HAN || (within >= HAN && kind >= DIGIT))) {
        count++;
        if (letters > 0) alphabetic++;
        if (within === HAN) han++;
        else if (within === KANA) kana++;
        else spacedCharacters += characters;
        if (folded > 0) {
          hash[terms] = mix(h);
          length[terms] = folded;
          weight[terms] = within >= HAN ? 2 : 3;
          start[terms] = from;
          end[terms] = i;
          terms++;
        }
        within = 0;
      }
      if (kind !== SPACE) {
        if (within === 0) {
          within = kind >= HAN ? kind : OTHER;
          from = i;
          characters = 0;
          letters = 0;
          folded = 0;
          h = 0;
        }
        characters++;
        if (kind > MARK || (kind === MARK && folded > 0)) {
          h = Math.imul(h ^ (c < 0x10000 ? FOLDED[c] : c), 0x01000193) + 0x9e3779b9;
          folded++;
          if (kind >= LATIN) {
            letters++;
            if (kind === LATIN) latinLetters++;
            else if (kind === LETTER) otherLetters++;
          } else if (kind === DIGIT) digits++;
        } else if (c === 0x2e) {
          if (++dots === 3) ellipses++;
        } else if (c === 0x23) hashSigns++;
        else if (c === 0x40) atSigns++;
        else if (c === 0x2026) ellipses++;
        if (c !== 0x2e) dots = 0;
      } else dots = 0;
      i += size;
    }
    this.count = count;
    this.han = han;
    this.kana = kana;
    this.spacedCharacters = spacedCharacters;
    this.alphabetic = alphabetic;
    this.latinLetters = latinLetters;
    this.otherLetters = otherLetters;
    this.digits = digits;
    this.atSigns = atSigns;
    this.hashSigns = hashSigns;
    this.ellipses = ellipses;
    this.terms = terms;
    return this;
  }

  /** Room for so many terms; what a very large document took is given back by the next one. */
  private reserve(terms: number): void {
    const room = this.hash.length;
    if (room >= terms && (room <= LARGE || terms > LARGE >> 2)) return;
    const size = Math.max(terms, 1 << 14);
    this.hash = new Int32Array(size);
    this.length = new Int32Array(size);
    this.weight = new Uint8Array(size);
    this.start = new Int32Array(size);
    this.end = new Int32Array(size);
  }
}

const single = new Words();

/** The hash by which `Words` knows a term. */
export function termHash(word: string): number {
  return single.scan(Buffer.from(word)).hash[0];
}
