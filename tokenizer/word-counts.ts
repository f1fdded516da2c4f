import { UserError } from '../util/errors.js';
import { WordTable } from './word-table.js';

/** Words and how often each occurs: word i is the UTF-8 `bytes[ends[i - 1] … ends[i])`, the first one starts at 0. */
export interface CountedWords {
  bytes: Uint8Array<ArrayBuffer>;
  ends: Int32Array<ArrayBuffer>;
  counts: Float64Array<ArrayBuffer>;
}

const MOST_BYTES = 2 ** 31 - 1; // of different words: training numbers their bytes with 32 bits

/**
 * Counts words in flat arrays: a word costs its bytes and about 40 more. What bounds it is the number of different words, not the length of
 * the text.
 */
export class WordCounts {
  private readonly table = new WordTable();
  private counts = new Float64Array(1 << 11);
  private bytes = 0;

  /** Counts `text[start … end)` so many times. */
  add(text: Uint8Array, start: number, end: number, count = 1): void {
    const before = this.table.size;
    const word = this.table.numberOf(text, start, end);
    if (word === before) this.begin(word, end - start);
    this.counts[word] += count;
  }

  /** Adds words that were counted elsewhere. */
  addAll({ bytes, ends, counts }: CountedWords): void {
    for (let i = 0, start = 0; i < ends.length; start = ends[i++]) this.add(bytes, start, ends[i], counts[i]);
  }

  /** The words so far, in arrays of just their size. */
  words(): CountedWords {
    return { ...this.table.packed(), counts: this.counts.slice(0, this.table.size) };
  }

  private begin(word: number, bytes: number): void {
    this.bytes += bytes;
    if (this.bytes > MOST_BYTES) {
      throw new UserError(
        `train tokenizer: the different words of the text must take at most ${MOST_BYTES} bytes; received more, in ${word} words. Train on a part of the text`,
      );
    }
    if (word < this.counts.length) return;
    const counts = new Float64Array(Math.ceil(1.5 * word));
    counts.set(this.counts);
    this.counts = counts;
  }
}
