/** Counts words in a thread of `mapInWorkers`; gives the bytes of each batch, and at its end all words with their counts. */
import type { WorkerTask } from '../util/workers.js';
import type { TextBatch } from './text-batch.js';
import type { Tokenizer } from './tokenizer.js';
import { wordCounter } from './train.js';
import { type CountedWords, WordCounts } from './word-counts.js';

export function start(kind: Tokenizer['kind']): WorkerTask<TextBatch, number, CountedWords> {
  const counts = new WordCounts();
  const count = wordCounter(kind, counts);
  return {
    run({ text, offsets }) {
      for (let i = 0; i + 1 < offsets.length; i++) count(text.subarray(offsets[i], offsets[i + 1]));
      return text.length;
    },
    finish: () => counts.words(),
  };
}
