/** Encodes batches of texts in a thread of `mapInWorkers`. */
import type { WorkerTask } from '../util/workers.js';
import { batchEncoder, type EncodedBatch } from './encode-batches.js';
import { loadTokenizer } from './load.js';
import type { TextBatch } from './text-batch.js';

export function start(json: object): WorkerTask<TextBatch, EncodedBatch> {
  return { run: batchEncoder(loadTokenizer(json)) };
}
