import { UserError } from '../util/errors.js';
import { besides, mapInWorkers } from '../util/workers.js';
import { characterEnd, llamaScanner, wordScanner } from './scan.js';
import { SPECIAL_TOKENS } from './special-tokens.js';
import { cutBatches, lookAhead, type TextBatch } from './text-batch.js';
import type { Tokenizer } from './tokenizer.js';
import { trainBytePair } from './train-byte-pair.js';
import { VocabularyTokenizer } from './vocabulary.js';
import { type CountedWords, WordCounts } from './word-counts.js';

export interface TrainOptions {
  kind: Tokenizer['kind'];
  /** Number of ids, special tokens included (bpe: exactly, where the text has enough pairs; word: at most; char: all characters, whatever this says). */
  vocabSize?: number;
  /** bpe: a pair, word: a word seen fewer times than this is left out. Default 2. */
  minFrequency?: number;
  /** `bpe` only: no token is longer than this. Default: as long as words are. */
  maxTokenBytes?: number;
  /** `char` only: false leaves out the special tokens, so that the vocabulary is the characters alone. Default true. */
  specialTokens?: boolean;
  onProgress?: (progress: TrainProgress) => void;
}

export interface TrainProgress {
  phase: 'count' | 'merge';
  /** Bytes of text counted; tokens merged. */
  done: number;
  /** Tokens to merge; when counting, nobody knows how much there is. */
  total?: number;
}

/** Counts the words of texts given one by one, then makes the tokenizer. The order of the texts does not matter. */
export class TokenizerTrainer {
  private readonly count: (text: Uint8Array) => void;
  private readonly counts = new WordCounts();

  constructor(private readonly options: TrainOptions) {
    checkOptions(options);
    this.count = wordCounter(options.kind, this.counts);
  }

  add(text: string): void {
    this.count(Buffer.from(text, 'utf8')); // lone surrogates become U+FFFD
  }

  finish(): Tokenizer {
    return tokenizerOf(this.counts.words(), this.options);
  }
}

/** Trains a tokenizer on texts; the same texts in any order give the same tokenizer. */
export function trainTokenizer(texts: Iterable<string>, options: TrainOptions): Tokenizer {
  const trainer = new TokenizerTrainer(options);
  for (const text of texts) trainer.add(text);
  return trainer.finish();
}

/**
 * Trains a tokenizer on text of any size, its words counted in threads: the same tokenizer, to the byte, for any number of them. Memory holds
 * the different words, never the text: in each thread about 30 bytes and the word's own for each, then, for bpe, 14 for each byte of them.
 * @param batches are moved to the threads: nobody may use their arrays afterwards.
 */
export async function trainTokenizerInWorkers(
  batches: AsyncIterable<TextBatch> | Iterable<TextBatch>,
  options: TrainOptions,
  threads: number,
): Promise<Tokenizer> {
  checkOptions(options);
  const { isMore, all } = await lookAhead(cutBatches(batches));
  const module = besides(import.meta.url, './count-worker');
  const counting = mapInWorkers<TextBatch, number, CountedWords>(module, options.kind, all, isMore ? threads : 1);
  let done = 0;
  let next = await counting.next();
  for (; !next.done; next = await counting.next()) {
    done += next.value;
    options.onProgress?.({ phase: 'count', done });
  }
  return tokenizerOf(joined(next.value), options);
}

/** What counts the words of a text in UTF-8 for a kind of tokenizer. */
export function wordCounter(kind: Tokenizer['kind'], counts: WordCounts): (text: Uint8Array) => void {
  const wordEnd = { bpe: () => llamaScanner(3), word: wordScanner, char: () => characterEnd }[kind]();
  return (text) => {
    for (let i = 0; i < text.length; ) {
      const end = wordEnd(text, i, text.length);
      counts.add(text, i, end);
      i = end;
    }
  };
}

function joined(counted: CountedWords[]): CountedWords {
  if (counted.length === 1) return counted[0];
  const counts = new WordCounts();
  for (let words = counted.pop(); words !== undefined; words = counted.pop()) counts.addAll(words);
  return counts.words();
}

function checkOptions({ kind, specialTokens, maxTokenBytes }: TrainOptions): void {
  if (specialTokens === false && kind !== 'char') {
    throw new UserError(`train tokenizer: special_tokens: false needs kind: char; received kind: ${kind}`);
  }
  if (maxTokenBytes !== undefined && kind !== 'bpe') {
    throw new UserError(`train tokenizer: max_token_bytes needs kind: bpe; received kind: ${kind}`);
  }
}

function tokenizerOf(words: CountedWords, options: TrainOptions): Tokenizer {
  const { kind, vocabSize = 4096, minFrequency = 2, maxTokenBytes, specialTokens = true, onProgress } = options;
  if (words.counts.length === 0) throw new UserError('train tokenizer: there must be text to train on; received none. Check the data path');
  if (kind === 'bpe') {
    const merged = onProgress && ((done: number, total: number) => onProgress({ phase: 'merge', done, total }));
    return trainBytePair(words, { vocabSize, minFrequency, maxTokenBytes, onProgress: merged });
  }
  const special = specialTokens ? SPECIAL_TOKENS : [];
  if (kind === 'char')
    return new VocabularyTokenizer(kind, [
      ...special,
      ...frequent(words, 0)
        .map(({ word }) => word)
        .sort(byCodePoint),
    ]);
  if (vocabSize <= special.length) {
    throw new UserError(`train tokenizer: vocab_size must be above ${special.length}, the number of special tokens; received ${vocabSize}`);
  }
  const kept = frequent(words, minFrequency).sort((a, b) => b.count - a.count || byCodePoint(a.word, b.word));
  return new VocabularyTokenizer(kind, [...special, ...kept.slice(0, vocabSize - special.length).map(({ word }) => word)]);
}

/** The words that occur at least `minimum` times. */
function frequent({ bytes, ends, counts }: CountedWords, minimum: number): { word: string; count: number }[] {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const words: { word: string; count: number }[] = [];
  for (let i = 0; i < ends.length; i++) {
    if (counts[i] >= minimum) words.push({ word: text.toString('utf8', i === 0 ? 0 : ends[i - 1], ends[i]), count: counts[i] });
  }
  return words;
}

/** UTF-8 bytes sort as code points do; UTF-16 does not. */
function byCodePoint(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
