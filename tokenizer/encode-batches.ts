import { besides, mapInWorkers } from '../util/workers.js';
import { IdList } from './id-list.js';
import { lookAhead, type TextBatch } from './text-batch.js';
import type { Tokenizer } from './tokenizer.js';

/** Ids of texts, one after another: those of text i are `ids[offsets[i] … offsets[i + 1])`. */
export interface EncodedBatch {
  ids: Int32Array<ArrayBuffer>;
  offsets: Int32Array<ArrayBuffer>;
}

/**
 * Encodes batches of texts in threads, in their order; each text as `tokenizer.encode(text)`. Little text takes no threads.
 * @param batches are moved to the threads: nobody may use their arrays afterwards.
 */
export async function* encodeBatches(
  tokenizer: Tokenizer,
  batches: AsyncIterable<TextBatch> | Iterable<TextBatch>,
  threads: number,
): AsyncGenerator<EncodedBatch> {
  const { isMore, all } = await lookAhead(batches);
  if (isMore && threads > 1) {
    yield* mapInWorkers<TextBatch, EncodedBatch>(besides(import.meta.url, './encode-worker'), tokenizer.toJSON(), all, threads);
  } else {
    const encode = batchEncoder(tokenizer);
    for await (const batch of all) yield encode(batch);
  }
}

/** Encodes one batch after another. */
export function batchEncoder(tokenizer: Tokenizer): (batch: TextBatch) => EncodedBatch {
  const out = new IdList();
  return ({ text, offsets }) => {
    out.length = 0;
    const ends = new Int32Array(offsets.length);
    for (let i = 0; i + 1 < offsets.length; i++) {
      tokenizer.encodeUtf8(text.subarray(offsets[i], offsets[i + 1]), out);
      ends[i + 1] = out.length;
    }
    return { ids: out.slice(), offsets: ends };
  };
}
