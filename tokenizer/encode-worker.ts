/** Encodes batches of texts in a thread of `mapInWorkers`. */
import type { WorkerTask } from '../util/workers.js';
import type { EncodedBatch } from './encode-batches.js';
import { IdList } from './id-list.js';
import { loadTokenizer } from './load.js';
import type { TextBatch } from './text-batch.js';

export function start(json: object): WorkerTask<TextBatch, EncodedBatch> {
  const tokenizer = loadTokenizer(json);
  const out = new IdList();
  return {
    run({ text, offsets }) {
      out.length = 0;
      const ends = new Int32Array(offsets.length);
      for (let i = 0; i + 1 < offsets.length; i++) {
        tokenizer.encodeUtf8(text.subarray(offsets[i], offsets[i + 1]), out);
        ends[i + 1] = out.length;
      }
      return { ids: out.slice(), offsets: ends };
    },
  };
}
