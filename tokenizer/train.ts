import { UserError } from '../util/errors.js';
import { SPECIAL_TOKENS } from './special-tokens.js';
import { splitBytePairWords, splitCharacters, splitWords, wellFormed } from './split.js';
import type { Tokenizer } from './tokenizer.js';
import { trainBytePair } from './train-byte-pair.js';
import { VocabularyTokenizer } from './vocabulary.js';

export interface TrainOptions {
  kind: 'bpe' | 'char' | 'word';
  /** Number of ids, special tokens included (bpe: exactly, where the text has enough pairs; word: at most; char: all characters, whatever this says). */
  vocabSize?: number;
  /** bpe: a pair, word: a word seen fewer times than this is left out. Default 2. */
  minFrequency?: number;
  /** `char` only: false leaves out the special tokens, so that the vocabulary is the characters alone. Default true. */
  specialTokens?: boolean;
  onProgress?: (done: number, total: number) => void;
}

const SPLITTERS = { bpe: splitBytePairWords, char: splitCharacters, word: splitWords };

/** Counts the words of texts given one by one, then makes the tokenizer. The order of the texts does not matter. */
export class TokenizerTrainer {
  private readonly counts = new Map<string, number>();

  constructor(private readonly options: TrainOptions) {
    if (options.specialTokens === false && options.kind !== 'char') {
      throw new UserError(`train tokenizer: special_tokens: false needs kind: char; received kind: ${options.kind}`);
    }
  }

  add(text: string): void {
    const { counts } = this;
    SPLITTERS[this.options.kind](wellFormed(text), (piece) => {
      counts.set(piece, (counts.get(piece) ?? 0) + 1);
    });
  }

  finish(): Tokenizer {
    const { kind, vocabSize = 4096, minFrequency = 2, specialTokens = true, onProgress } = this.options;
    if (this.counts.size === 0) throw new UserError('train tokenizer: there must be text to train on; received none. Check the data path');
    if (kind === 'bpe') return trainBytePair(this.counts, { vocabSize, minFrequency, onProgress });
    const special = specialTokens ? SPECIAL_TOKENS : [];
    if (kind === 'char') return new VocabularyTokenizer(kind, [...special, ...[...this.counts.keys()].sort(byCodePoint)]);
    if (vocabSize <= special.length) {
      throw new UserError(
        `train tokenizer: vocab_size must be above ${special.length}, the number of special tokens; received ${vocabSize}`,
      );
    }
    const words = [...this.counts].filter(([, count]) => count >= minFrequency);
    words.sort(([a, m], [b, n]) => n - m || byCodePoint(a, b));
    return new VocabularyTokenizer(kind, [...special, ...words.slice(0, vocabSize - special.length).map(([word]) => word)]);
  }
}

/** UTF-8 bytes sort as code points do; UTF-16 does not. */
function byCodePoint(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** Trains a tokenizer on texts; the same texts in any order give the same tokenizer. */
export function trainTokenizer(texts: Iterable<string>, options: TrainOptions): Tokenizer {
  const trainer = new TokenizerTrainer(options);
  for (const text of texts) trainer.add(text);
  return trainer.finish();
}
