import assert from 'node:assert/strict';
import fc from 'fast-check';
import { BitSet } from '../../datasets/clean/bit-set.js';
import { Counter } from '../../datasets/clean/counter.js';
import { Document } from '../../datasets/clean/document.js';
import { termHash } from '../../datasets/clean/words.js';

const wordsOf = (text: string) => Document.of(text).words;

/** Terms of a text, as they stand in it. */
function terms(text: string): string[] {
  const document = Document.of(text);
  const { terms, start, end } = document.words;
  return Array.from({ length: terms }, (_, i) => document.text(start[i], end[i]));
}

describe('words of a document', () => {
  it('part at white space of any kind', () =>
    assert.deepEqual(terms('one two\tthree\nfour\u00a0five\u3000six'), ['one', 'two', 'three', 'four', 'five', 'six']));

  it('a Han or kana character is a word, with the punctuation after it', () =>
    assert.deepEqual(terms('用GPT4写“代码”。ひらガナ, ok'), ['用', 'GPT4', '写“', '代', '码”。', 'ひ', 'ら', 'ガ', 'ナ,', 'ok']));

  it('counts words, characters of words, letters by script, and signs', () => {
    const { count, han, kana, spacedCharacters, alphabetic, latinLetters, otherLetters, hashSigns, ellipses, digits, atSigns } = wordsOf(
      'Été 12 … привет, # a@b ... 模か 🎉',
    );
    assert.deepEqual([count, han, kana, alphabetic], [10, 1, 1, 5]);
    assert.equal(spacedCharacters, 3 + 2 + 1 + 7 + 1 + 3 + 3 + 1);
    assert.deepEqual(
      { latinLetters, otherLetters, hashSigns, ellipses, digits, atSigns },
      { latinLetters: 5, otherLetters: 6, hashSigns: 1, ellipses: 2, digits: 2, atSigns: 1 },
    );
  });

  it('a word of punctuation has no term; case and punctuation do not tell terms apart', () => {
    const { terms, hash } = wordsOf("Don’t -- DONT, “don't” ÉTÉ été");
    assert.equal(terms, 5);
    assert.ok(hash[0] === hash[1] && hash[1] === hash[2] && hash[0] === termHash('dont'));
    assert.equal(hash[3], hash[4]);
    assert.notEqual(hash[0], hash[3]);
  });

  it('a combining mark belongs to its letter, a variation selector alone is no term', () => {
    assert.notEqual(termHash('e\u0301'), termHash('e'));
    assert.equal(wordsOf('❤️ ✈️').terms, 0);
  });

  it('any text: the terms are those that a regular expression finds', () => {
    const unit = fc.oneof(
      fc.constantFrom(' ', '\n', 'a', 'B', 'é', 'ß', '模', '。', '，', 'の', '1', '٣', 'ж', '🎉', '𠀀', '-', '.', 'n\u0303'),
      fc.string({ unit: 'grapheme', maxLength: 2 }),
    );
    const unspaced = '\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\u30fc';
    const space = '\\p{White_Space}\\ufeff';
    const word = new RegExp(`[${unspaced}][^${unspaced}${space}\\p{L}\\p{N}]*|[^${unspaced}${space}]+`, 'gu');
    const hasTerm = (text: string) => /[\p{L}\p{N}]/u.test(text);
    const expected = (text: string) => [...text.matchAll(word)].map(([found]) => found).filter(hasTerm);
    fc.assert(
      fc.property(fc.array(unit, { maxLength: 30 }), (units) => {
        const text = Buffer.from(units.join('')).toString();
        assert.deepEqual(terms(text).filter(hasTerm), expected(text));
      }),
      { numRuns: 500, seed: 1 },
    );
  });

  it('bytes that are not UTF-8 do no harm', () => {
    for (let byte = 0x80; byte < 0x100; byte++) new Document().become(Uint8Array.of(0x61, byte, 0xbf, 0xbf, 0xbf, 0x20, byte)).words;
  });
});

describe('lines of a document', () => {
  it('are trimmed, and blank lines part paragraphs', () => {
    const document = Document.of('\n\n  one \n\u3000\u3000模型\r\n \t\n\nthree\nfour');
    const { count, start, end, characters, paragraph, allCharacters } = document.lines;
    const rows = Array.from({ length: count }, (_, i) => [document.text(start[i], end[i]), characters[i], paragraph[i]]);
    assert.deepEqual(rows, [
      ['one', 3, 0],
      ['模型', 2, 0],
      ['three', 5, 1],
      ['four', 4, 1],
    ]);
    assert.equal(allCharacters, 14);
  });

  it('many lines', () => assert.equal(Document.of('x\n'.repeat(1000)).lines.count, 1000));
});

describe('counting numbers', () => {
  it('counts as a map does, again and again', () => {
    const counter = new Counter();
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -5, max: 60 }), { maxLength: 400 }), (numbers) => {
        const map = new Map<number, number>();
        counter.clear(numbers.length);
        for (const n of numbers) {
          map.set(n, (map.get(n) ?? 0) + 1);
          assert.equal(counter.add(n), map.get(n));
        }
      }),
    );
  });
});

describe('a set of numbers', () => {
  it('finds members by value, order and rank', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(50000), { minLength: 1 }), fc.nat(50000), (numbers, probe) => {
        const set = new BitSet();
        for (const n of numbers) set.add(n);
        const sorted = numbers.toSorted((a, b) => a - b);
        assert.equal(set.has(probe), sorted.includes(probe));
        assert.equal(set.next(probe), sorted.find((n) => n >= probe) ?? -1);
        for (const [k, n] of sorted.entries()) assert.equal(set.select(k), n);
        assert.equal(set.select(sorted.length), -1);
      }),
    );
  });
});
