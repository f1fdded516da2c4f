import { UserError } from '../util/errors.js';
import { type Fields, fieldOf, fieldsOf, isFields, listOf, unreadable } from './format.js';
import { compilePattern, UnsupportedPattern } from './regex.js';
import { GPT2_PATTERN, gpt2Scanner, LLAMA3_PATTERN, llamaScanner, QWEN2_PATTERN, type WordScanner } from './scan.js';

/** How a text is cut into words: one scan, before which a space is put where none begins it (`prefixSpace`); or steps after one another. */
export type PreTokenizer = { scan: WordScanner; prefixSpace: boolean } | { split: (text: string) => string[] };

type Step = { scan: WordScanner } | { split: (text: string) => string[] };

const SCANNERS: Record<string, () => WordScanner> = {
  [LLAMA3_PATTERN]: () => llamaScanner(3),
  [QWEN2_PATTERN]: () => llamaScanner(1),
  [GPT2_PATTERN]: gpt2Scanner,
};

const WHOLE: WordScanner = (_, __, end) => end;

/**
 * Reads `pre_tokenizer` of tokenizer.json: `ByteLevel`, alone or after `Split`s by a pattern.
 * @throws UserError for any other, and for a pattern that cannot be run here to the same words.
 */
export function readPreTokenizer(json: unknown): PreTokenizer {
  const list = flattened(json, 0);
  const last = list.at(-1);
  if (last?.['type'] !== 'ByteLevel') throw unreadable('a pre_tokenizer that ends in ByteLevel', last?.['type'] ?? json);
  const prefixSpace = fieldOf(last, 'add_prefix_space', 'ByteLevel', true);
  fieldOf(last, 'trim_offsets', 'ByteLevel', true);
  const useRegex = fieldOf(last, 'use_regex', 'ByteLevel', true);
  const steps: Step[] = list.slice(0, -1).map(readSplit);
  const only = useRegex ? gpt2Scanner() : WHOLE;
  if (steps.length === 0) return { scan: only, prefixSpace };
  if (steps.length === 1 && 'scan' in steps[0] && !prefixSpace && !useRegex) return { scan: steps[0].scan, prefixSpace };
  const before = steps.map((step) => ('scan' in step ? words(step.scan) : step.split));
  const prefix = (text: string) => [prefixSpace && !text.startsWith(' ') ? ` ${text}` : text];
  const all = [...before, prefix, ...(useRegex ? [words(only)] : [])];
  return { split: (text) => all.reduce((pieces, step) => pieces.flatMap(step), text === '' ? [] : [text]) };
}

function flattened(json: unknown, depth: number): Fields[] {
  const fields = fieldsOf(json, 'pre_tokenizer');
  if (fields['type'] !== 'Sequence') return [fields];
  if (depth > 4) throw unreadable('few Sequences within each other as pre_tokenizer', 'more than 4');
  return listOf(fields['pretokenizers'], 'pre_tokenizer.pretokenizers').flatMap((step) => flattened(step, depth + 1));
}

function readSplit(step: Fields): Step {
  const { type, behavior, invert } = step;
  if (type !== 'Split') throw unreadable('a pre_tokenizer made of Split and, at its end, ByteLevel', type ?? step);
  if (behavior !== 'Isolated' || invert !== false) throw unreadable('Split with behavior: Isolated, invert: false', { behavior, invert });
  const pattern = isFields(step['pattern']) ? step['pattern'] : {};
  const source = Object.keys(pattern).length === 1 ? (pattern['Regex'] ?? pattern['String']) : undefined;
  if (typeof source !== 'string') throw unreadable('Split with a pattern: {"Regex": …} or {"String": …}', step['pattern']);
  if ('Regex' in pattern && Object.hasOwn(SCANNERS, source)) return { scan: SCANNERS[source]() };
  try {
    return { split: splitBy(compilePattern('String' in pattern ? source.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&') : source)) };
  } catch (error) {
    if (error instanceof UnsupportedPattern) throw unreadable(`a split pattern without ${error.message}`, source);
    throw error;
  }
}

/** The matches and what lies between them; a match of nothing cuts where it is. */
function splitBy(pattern: RegExp): (text: string) => string[] {
  return (text) => {
    const pieces: string[] = [];
    let position = 0;
    try {
      pattern.lastIndex = 0;
      for (let found = pattern.exec(text); found !== null; found = pattern.exec(text)) {
        const { 0: match, index } = found;
        if (match === '') pattern.lastIndex += text.codePointAt(index)! > 0xffff ? 2 : 1;
        if (index > position) pieces.push(text.slice(position, index));
        if (match !== '') pieces.push(match);
        position = index + match.length;
      }
    } catch (cause) {
      throw new UserError(
        `encode: the split pattern of the tokenizer must get through the text; it gave up (${(cause as Error).message}). Cut the text into shorter ones`,
        1,
        { cause },
      );
    }
    if (position < text.length) pieces.push(text.slice(position));
    return pieces;
  };
}

/** What a scanner cuts a text into, as strings. */
function words(scan: WordScanner): (text: string) => string[] {
  return (text) => {
    const bytes = Buffer.from(text, 'utf8');
    const pieces: string[] = [];
    for (let i = 0; i < bytes.length; ) {
      const end = scan(bytes, i, bytes.length);
      pieces.push(bytes.toString('utf8', i, end));
      i = end;
    }
    return pieces;
  };
}
