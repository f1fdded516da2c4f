import { Counter } from './counter.js';
import type { Document } from './document.js';
import { documentRule, shown } from './rule.js';
import type { Words } from './words.js';

const part = (value: number, meaning: string) => ({ default: value, least: 0, most: 1, meaning });

/**
 * Lines and paragraphs (what blank lines part) that stand in the document before: their part of all lines or paragraphs, and the part of
 * the characters that they hold. Blank lines and the white space around lines do not count.
 * Source: Rae et al. 2021, "Scaling language models", appendix A.1.1, table A1.
 */
export const repeatedLines = documentRule({
  name: 'repeated_lines',
  prose: true,
  about: 'lines and paragraphs that stand in the document before',
  source: 'Rae et al. 2021, table A1',
  parameters: {
    lines: part(0.3, 'Largest part of lines that are repeated.'),
    line_characters: part(0.2, 'Largest part of characters in repeated lines.'),
    paragraphs: part(0.3, 'Largest part of paragraphs that are repeated.'),
    paragraph_characters: part(0.2, 'Largest part of characters in repeated paragraphs.'),
  },
  start(limits) {
    const counter = new Counter();
    return (document) => {
      const found = repeated(document, counter);
      if (found === undefined) return undefined;
      for (const name of ['lines', 'line_characters', 'paragraphs', 'paragraph_characters'] as const) {
        const limit = limits[name];
        if (found[name] > limit) return `${shown(found[name], limit)} of ${WORDING[name]} > ${limit}`;
      }
      return undefined;
    };
  },
});

const WORDING = {
  lines: 'lines are repeated',
  line_characters: 'characters are in repeated lines',
  paragraphs: 'paragraphs are repeated',
  paragraph_characters: 'characters are in repeated paragraphs',
};

/** The part of a document's lines that stand in it before. */
export function repeatedLinePart(document: Document, counter: Counter): number {
  return repeated(document, counter)?.lines ?? 0;
}

function repeated({ lines }: Document, counter: Counter) {
  const { count, hash, characters, paragraph, allCharacters } = lines;
  if (count < 2) return undefined;
  const found = { lines: 0, line_characters: 0, paragraphs: 0, paragraph_characters: 0 };
  counter.clear(count);
  for (let i = 0; i < count; i++) {
    if (counter.add(hash[i]) === 1) continue;
    found.lines++;
    found.line_characters += characters[i];
  }
  if (found.lines === 0) return undefined;
  const paragraphs = paragraph[count - 1] + 1;
  counter.clear(paragraphs);
  for (let i = 0; i < count; ) {
    let h = 0;
    let length = 0;
    const number = paragraph[i];
    for (; i < count && paragraph[i] === number; i++) {
      h = Math.imul(h, 0x2c1b3c6d) + hash[i];
      length += characters[i];
    }
    if (counter.add(h | 0) === 1) continue;
    found.paragraphs++;
    found.paragraph_characters += length;
  }
  return {
    lines: found.lines / count,
    line_characters: found.line_characters / allCharacters,
    paragraphs: found.paragraphs / paragraphs,
    paragraph_characters: found.paragraph_characters / allCharacters,
  };
}

const TOP = [2, 3, 4] as const;
const DUPLICATE = [5, 6, 7, 8, 9, 10] as const;

/**
 * Repetition within a document: the part of its characters in the most frequent 2-, 3- and 4-gram of words, and the part in 5- to 10-grams
 * that stand in it before, overlaps counted once. Characters are those of terms: letters, marks and digits. An n-gram must occur twice.
 *
 * In a document that is mainly Chinese or Japanese an n-gram is 1.5·n characters, rounded up: 3, 5, 6 and 8, 9, 11, 12, 14, 15.
 * Source: Rae et al. 2021, "Scaling language models", appendix A.1.1, table A1.
 */
export const repeatedNgrams = documentRule({
  name: 'repeated_ngrams',
  prose: true,
  about: 'word n-grams that make up too much of the document',
  source: 'Rae et al. 2021, table A1',
  parameters: {
    top_2: part(0.2, 'Largest part of characters in the most frequent 2-gram.'),
    top_3: part(0.18, 'The same of 3-grams.'),
    top_4: part(0.16, 'The same of 4-grams.'),
    duplicate_5: part(0.15, 'Largest part of characters in 5-grams that are repeated.'),
    duplicate_6: part(0.14, 'The same of 6-grams.'),
    duplicate_7: part(0.13, 'The same of 7-grams.'),
    duplicate_8: part(0.12, 'The same of 8-grams.'),
    duplicate_9: part(0.11, 'The same of 9-grams.'),
    duplicate_10: part(0.1, 'The same of 10-grams.'),
  },
  start(limits) {
    const counter = new Counter();
    const least = Math.min(...DUPLICATE.map((n) => limits[`duplicate_${n}`]));
    return (document) => {
      const { words } = document;
      let total = 0;
      let longest = 0;
      for (let i = 0; i < words.terms; i++) {
        total += words.length[i];
        if (words.length[i] > longest) longest = words.length[i];
      }
      const units = (n: number) => gramTerms(words, n);
      let most = Number.POSITIVE_INFINITY; // occurrences of the most frequent shorter n-gram, which no longer one exceeds
      for (const n of TOP) {
        const limit = limits[`top_${n}`];
        if (most < 2 || most * units(n) * longest <= limit * total) continue;
        const top = topGram(words, units(n), counter);
        most = top.count;
        const fraction = top.characters / total;
        if (fraction > limit) {
          const text = document.text(words.start[top.at], words.end[top.at + units(n) - 1]);
          return `${shown(fraction, limit)} of characters are in the ${top.count} times ${JSON.stringify(text)} > ${limit}`;
        }
      }
      for (const n of DUPLICATE) {
        const limit = limits[`duplicate_${n}`];
        const fraction = duplicateCharacters(words, units(n), counter) / total;
        if (fraction > limit) return `${shown(fraction, limit)} of characters are in repeated ${units(n)}-grams > ${limit}`;
        if (fraction <= least) break; // a longer n-gram that is repeated is made of shorter ones that are
      }
      return undefined;
    };
  },
});

/** The part of a document's characters in n-grams of words that stand in it before, overlaps counted once; see `repeatedNgrams`. */
export function repeatedNgramPart({ words }: Document, n: number, counter: Counter): number {
  let total = 0;
  for (let i = 0; i < words.terms; i++) total += words.length[i];
  return total === 0 ? 0 : duplicateCharacters(words, gramTerms(words, n), counter) / total;
}

/** Terms in an n-gram of n words. */
function gramTerms({ unspaced }: Words, n: number): number {
  return unspaced ? Math.ceil(1.5 * n) : n;
}

const MULTIPLIER = 0x2c1b3c6d;

/** The factor of the term that leaves an n-gram's rolling hash. */
function leavingFactor(n: number): number {
  let factor = 1;
  for (let i = 1; i < n; i++) factor = Math.imul(factor, MULTIPLIER);
  return factor;
}

/** The most frequent n-gram, if it occurs twice: how often, its characters in all, and its first term at one of its places. */
function topGram({ terms, hash, length }: Words, n: number, counter: Counter): { count: number; characters: number; at: number } {
  const leaving = leavingFactor(n);
  const top = { count: 1, characters: 0, at: 0 };
  counter.clear(terms);
  let rolling = 0;
  let characters = 0;
  for (let i = 0; i < terms; i++) {
    if (i >= n) {
      rolling = (rolling - Math.imul(hash[i - n], leaving)) | 0;
      characters -= length[i - n];
    }
    rolling = (Math.imul(rolling, MULTIPLIER) + hash[i]) | 0;
    characters += length[i];
    if (i < n - 1) continue;
    const count = counter.add(rolling);
    if (count > top.count || (count === top.count && count > 1 && count * characters > top.characters)) {
      top.count = count;
      top.characters = count * characters;
      top.at = i - n + 1;
    }
  }
  return top;
}

/** Characters of the terms that lie in an n-gram which stands in the document before. */
function duplicateCharacters({ terms, hash, length }: Words, n: number, counter: Counter): number {
  const leaving = leavingFactor(n);
  counter.clear(terms);
  let rolling = 0;
  let covered = 0; // terms before this one are counted
  let characters = 0;
  for (let i = 0; i < terms; i++) {
    if (i >= n) rolling = (rolling - Math.imul(hash[i - n], leaving)) | 0;
    rolling = (Math.imul(rolling, MULTIPLIER) + hash[i]) | 0;
    if (i < n - 1 || counter.add(rolling) === 1) continue;
    for (let term = Math.max(covered, i - n + 1); term <= i; term++) characters += length[term];
    covered = i + 1;
  }
  return characters;
}
