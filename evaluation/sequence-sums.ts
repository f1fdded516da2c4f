// Legend: B rows of a batch, T tokens of a row.
import type * as tf from '@tensorflow/tfjs';
import type { ModelConfig } from '../model/config.js';
import type { Batch } from '../model/transformer.js';
import { batchPasses } from '../training/batch-passes.js';
import { packedSequences, packedShape, type Sequence } from './packed-sequences.js';

/**
 * Sums over the tokens of each sequence that are to be predicted, without gradients.
 * @param sequences none longer than the model's context.
 * @param values what is summed: of a batch some tensors [B·T].
 * @returns in the order of the sequences, a sum for each of the tensors.
 */
export async function sequenceSums(
  sequences: readonly Sequence[],
  config: ModelConfig,
  values: (batch: Required<Batch>) => tf.Tensor[],
  signal?: AbortSignal,
): Promise<number[][]> {
  const { B, T } = packedShape(sequences, config);
  const passes = batchPasses(values);
  const sums: number[][] = new Array(sequences.length);
  try {
    for (const { batch, places } of packedSequences(sequences, B, T)) {
      signal?.throwIfAborted();
      const all = await Promise.all(passes.run(batch).map((tensor) => tensor.data())); // [B·T] each
      for (const { sequence, from, length } of places) {
        sums[sequence] = all.map((of) => {
          let sum = 0;
          for (let t = from; t < from + length; t++) if (batch.targets[t] >= 0) sum += of[t];
          return sum;
        });
      }
      await new Promise(setImmediate); // signals arrive
    }
  } finally {
    passes.dispose();
  }
  return sums;
}
