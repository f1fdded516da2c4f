import type { Document } from './document.js';
import { documentRule, shown } from './rule.js';
import { termHash } from './words.js';

const STOP_WORDS = new Map(['the', 'be', 'to', 'of', 'and', 'that', 'have', 'with'].map((word, i) => [termHash(word), i]));

/**
 * The quality rules that Gopher's web pages were chosen by: 50 to 100,000 words, of a mean length of 3 to 10 characters; at most 0.1 `#`
 * a word and 0.1 ellipses a word; at most 90 % of lines begin with a bullet and 30 % end with an ellipsis; 80 % of words have a letter;
 * at least 2 of the words the, be, to, of, and, that, have, with.
 *
 * In a document that is mainly Chinese or Japanese the number of words is two thirds of that of characters, and the mean length of words and
 * the stop words, which are about English, are not asked for; the rest is.
 * Source: Rae et al. 2021, "Scaling language models", appendix A.1.1.
 */
export const gopherQuality = documentRule({
  name: 'gopher_quality',
  prose: true,
  about: "Gopher's quality rules: number and length of words, symbols, bullets, stop words",
  source: 'Rae et al. 2021, A1.1',
  parameters: {
    min_words: { default: 50, least: 0, meaning: 'Fewest words.' },
    max_words: { default: 100000, least: 1, meaning: 'Most words.' },
    min_word_length: { default: 3, least: 0, meaning: 'Smallest mean length of a word in characters; not in Chinese.' },
    max_word_length: { default: 10, least: 1, meaning: 'Largest mean length of a word in characters; not in Chinese.' },
    max_symbols: { default: 0.1, least: 0, meaning: 'Most `#` a word, and most ellipses a word.' },
    max_bullet_lines: { default: 0.9, least: 0, most: 1, meaning: 'Largest part of lines that begin with a bullet.' },
    max_ellipsis_lines: { default: 0.3, least: 0, most: 1, meaning: 'Largest part of lines that end with an ellipsis.' },
    min_alphabetic: { default: 0.8, least: 0, most: 1, meaning: 'Smallest part of words that have a letter.' },
    min_stop_words: { default: 2, least: 0, most: 8, whole: true, meaning: 'Fewest different stop words; not in Chinese.' },
  },
  start: (limits) => (document) => {
    const { words, lines } = document;
    const { size, count } = words;
    if (size < limits.min_words) return `${shown(size, limits.min_words)} words < ${limits.min_words}`;
    if (size > limits.max_words) return `${shown(size, limits.max_words)} words > ${limits.max_words}`;
    if (count === 0) return undefined;
    if (!words.unspaced) {
      const mean = words.spacedCharacters / (count - words.han - words.kana);
      if (mean < limits.min_word_length) return `mean word length ${shown(mean, limits.min_word_length)} < ${limits.min_word_length}`;
      if (mean > limits.max_word_length) return `mean word length ${shown(mean, limits.max_word_length)} > ${limits.max_word_length}`;
    }
    const most = limits.max_symbols;
    if (words.hashSigns / count > most) return `${shown(words.hashSigns / count, most)} # a word > ${most}`;
    if (words.ellipses / count > most) return `${shown(words.ellipses / count, most)} ellipses a word > ${most}`;
    const bullets = countLines(document, startsWithBullet) / lines.count;
    if (bullets > limits.max_bullet_lines)
      return `${shown(bullets, limits.max_bullet_lines)} of lines begin with a bullet > ${limits.max_bullet_lines}`;
    const ellipses = countLines(document, endsWithEllipsis) / lines.count;
    if (ellipses > limits.max_ellipsis_lines)
      return `${shown(ellipses, limits.max_ellipsis_lines)} of lines end with an ellipsis > ${limits.max_ellipsis_lines}`;
    const alphabetic = words.alphabetic / count;
    if (alphabetic < limits.min_alphabetic)
      return `${shown(alphabetic, limits.min_alphabetic)} of words have a letter < ${limits.min_alphabetic}`;
    if (!words.unspaced) {
      const stopWords = countStopWords(words.hash, words.terms, limits.min_stop_words);
      if (stopWords < limits.min_stop_words) return `${stopWords} stop words < ${limits.min_stop_words}`;
    }
    return undefined;
  },
});

/** Number of different stop words, as far as `enough`. */
function countStopWords(hash: Int32Array, terms: number, enough: number): number {
  let seen = 0;
  let count = 0;
  for (let i = 0; i < terms && count < enough; i++) {
    const stopWord = STOP_WORDS.get(hash[i]);
    if (stopWord === undefined || seen & (1 << stopWord)) continue;
    seen |= 1 << stopWord;
    count++;
  }
  return count;
}

function countLines({ bytes, lines }: Document, test: (bytes: Uint8Array, start: number, end: number) => boolean): number {
  let count = 0;
  for (let i = 0; i < lines.count; i++) if (test(bytes, lines.start[i], lines.end[i])) count++;
  return count;
}

/** `- `, `* `, and the bullets • ‣ ⁃ ● ○ ◦ ▪ ■ ◆ ► · (also without a space). */
function startsWithBullet(bytes: Uint8Array, start: number, end: number): boolean {
  const byte = bytes[start];
  if (byte === 0x2d || byte === 0x2a) return start + 1 < end && bytes[start + 1] === 0x20;
  if (byte === 0xc2) return bytes[start + 1] === 0xb7;
  return byte === 0xe2 && BULLETS.has((byte << 16) | (bytes[start + 1] << 8) | bytes[start + 2]);
}

const BULLETS = new Set([...'•‣⁃●○◦▪■◆►'].map((bullet) => Buffer.from(bullet).readUIntBE(0, 3)));

function endsWithEllipsis(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start < 3) return false;
  const [a, b, c] = [bytes[end - 3], bytes[end - 2], bytes[end - 1]];
  return (a === 0x2e && b === 0x2e && c === 0x2e) || (a === 0xe2 && b === 0x80 && c === 0xa6);
}
