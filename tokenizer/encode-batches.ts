import { besides, mapInWorkers } from '../util/workers.js';
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
  yield* mapInWorkers<TextBatch, EncodedBatch>(besides(import.meta.url, './encode-worker'), tokenizer.toJSON(), all, isMore ? threads : 1);
}
