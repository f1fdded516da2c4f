import type { Document } from './document.js';
import { type Change, documentRule, shown } from './rule.js';
import { Words } from './words.js';

/** Bytes of a text as a string with a character for each, as `Document.byteString` has them. */
const bytesOf = (text: string) => Buffer.from(text).toString('latin1');
const anyOf = (...texts: string[]) => texts.map(bytesOf).join('|');

const ELLIPSIS = new RegExp(`(?:\\.\\.\\.|${bytesOf('…')})$`);
const TERMINAL = new RegExp(`(?:[.?!"]|${anyOf('。', '？', '！', '．', '｡', '”', '」', '』', '＂')})$`);
/** Brackets and quotation marks after the end of a sentence belong to it; full-width ends need no space after them. */
const SENTENCE_END = new RegExp(
  `[.?!]+(?:["')\\]]|${anyOf('”', '’', '」', '』', '）')})*(?=[ \\t\\n]|$)|(?:${anyOf('。', '？', '！', '｡')})+`,
  'g',
);
const CITATION = /\[\d*\]|\[edit\]|\[citation needed\]/g;
const POLICY = /terms of use|privacy policy|cookie policy|uses cookies|use of cookies|use cookies/i;

/**
 * The rules that C4's web pages were chosen by. Line by line: citation marks (`[1]`, `[edit]`, `[citation needed]`) are taken out; a line is
 * kept only if it ends with . ? ! or a quotation mark (not with an ellipsis), has 5 words, none of more than 1,000 characters, no "javascript" and
 * no phrase of a cookie or privacy policy. A page is dropped where "lorem ipsum" or { stands in it, or fewer than 3 sentences are left.
 *
 * Full-width 。？！ and Chinese quotation marks end lines and sentences, too; a Chinese character is two thirds of a word. The numbers
 * are those of the published data set's program; the first edition of the paper has 3 words and 5 sentences. The list of bad words is left out:
 * it takes away texts about minorities rather than bad ones (Dodge et al. 2021). Spans of three sentences that other pages have are not looked for.
 * Source: Raffel et al. 2020, "Exploring the limits of transfer learning", §2.2.
 */
export const c4Quality = documentRule({
  name: 'c4_quality',
  prose: true,
  about: "C4's rules for web pages: lines that are no sentences, boilerplate, code",
  source: 'Raffel et al. 2020, §2.2',
  parameters: {
    terminal_punctuation: { default: true, meaning: 'Keep only lines that end with a terminal punctuation mark.' },
    min_words: { default: 5, least: 0, meaning: 'Fewest words in a line.' },
    max_word_length: { default: 1000, least: 1, whole: true, meaning: 'Longest word in a line, in characters.' },
    min_sentences: { default: 3, least: 0, whole: true, meaning: 'Fewest sentences in a page.' },
    curly_bracket: { default: true, meaning: 'Drop pages with {, which are code.' },
  },
  start(limits) {
    const words = new Words();
    return (document) => {
      const page = document.byteString;
      const lorem = page.search(/lorem ipsum/i);
      if (lorem >= 0) return `"lorem ipsum" at byte ${lorem}`;
      const bracket = limits.curly_bracket ? page.indexOf('{') : -1;
      if (bracket >= 0) return `{ at byte ${bracket}`;
      const edit = edited(document, limits, words);
      const sentences = (edit.text.match(SENTENCE_END) ?? []).length;
      if (sentences < limits.min_sentences) {
        const after = edit.reasons.length > 0 ? ` after lines were removed (${edit.reasons.join('; ')})` : '';
        return `${sentences} sentences < ${limits.min_sentences}${after}`;
      }
      if (edit.reasons.length === 0) return undefined;
      return { bytes: Buffer.from(edit.text, 'latin1'), at: edit.at, reason: edit.reasons.join('; ') } satisfies Change;
    };
  },
});

interface Limits {
  terminal_punctuation: boolean;
  min_words: number;
  max_word_length: number;
}

/** The lines that are kept, as bytes; how many of each kind went; and where the first change is. */
function edited(document: Document, limits: Limits, words: Words): { text: string; reasons: string[]; at: number } {
  const page = document.byteString;
  const removed = new Map<string, number>();
  const kept: string[] = [];
  let at = -1;
  for (let from = 0; from <= page.length; ) {
    const next = page.indexOf('\n', from);
    const to = next < 0 ? page.length : next;
    const given = page.slice(from, to);
    const line = given.includes('[') ? given.replace(CITATION, '') : given;
    const blank = given.trim() === '';
    const fault = blank ? undefined : faultOf(line, limits, words);
    if (fault === undefined) kept.push(line);
    if (fault !== undefined || line !== given) {
      if (at < 0) at = from;
      const kind = fault ?? 'citation marks';
      removed.set(kind, (removed.get(kind) ?? 0) + 1);
    }
    from = to + 1;
  }
  return { text: kept.join('\n'), reasons: [...removed].map(([kind, lines]) => `${lines} ${lines === 1 ? 'line' : 'lines'}: ${kind}`), at };
}

function faultOf(line: string, limits: Limits, words: Words): string | undefined {
  const text = line.trimEnd();
  if (limits.terminal_punctuation && (ELLIPSIS.test(text.slice(-3)) || !TERMINAL.test(text.slice(-3))))
    return 'no terminal punctuation mark';
  const size = words.scan(Buffer.from(line, 'latin1')).size;
  if (size < limits.min_words) return `words < ${limits.min_words}`;
  if (line.length > limits.max_word_length && longestWord(line) > limits.max_word_length)
    return `a word > ${shown(limits.max_word_length)} characters`;
  if (/javascript/i.test(line)) return 'javascript';
  if (POLICY.test(line)) return 'cookie or privacy policy';
  return undefined;
}

/** In characters: bytes that go on a character are not counted. */
function longestWord(line: string): number {
  let longest = 0;
  for (const word of line.split(/[ \t\r]+/)) {
    if (word.length <= longest) continue;
    longest = Math.max(longest, word.replace(/[\x80-\xbf]/g, '').length);
  }
  return longest;
}
