// Legend: B rows of a batch, T tokens of a row, C hidden size.
import * as tf from '@tensorflow/tfjs';
import { recorded } from '../backends/recording.js';
import type { ModelConfig } from '../model/config.js';
import type { Parameters } from '../model/parameters.js';
import { forward } from '../model/transformer.js';
import { inputs } from '../training/step.js';
import { packedSequences, packedShape } from './packed-sequences.js';

/**
 * The mean over its tokens of a text's hidden states after the last norm: a vector for the whole text, by which texts can be compared. Each text
 * is read by itself, whatever stands beside it in a batch.
 * @param texts ids of each, at least one and no more than the model's context; a conversation's with the marks of its template.
 * @returns     of each text [C].
 */
export async function meanPooledStates(
  { config, parameters }: { config: ModelConfig; parameters: Parameters },
  texts: readonly ArrayLike<number>[],
): Promise<Float32Array[]> {
  const sequences = texts.map((ids) => ({ ids }));
  const { B, T } = packedShape(sequences, config);
  const C = config.hidden_size;
  const place = inputs(B, T);
  const pass = recorded(() => tf.tidy(() => [forward(parameters, config, place.batch)])); // [B, T, C]
  const means: Float32Array[] = new Array(texts.length);
  try {
    for (const { batch, places } of packedSequences(sequences, B, T)) {
      place.write(batch);
      const states = (await pass.run()[0].data()) as Float32Array;
      for (const { sequence, from, length } of places) means[sequence] = meanOfRows(states, from, length, C);
      await new Promise(setImmediate); // signals arrive
    }
  } finally {
    pass.dispose();
    place.dispose();
  }
  return means;
}

/** The mean of `length` rows of C numbers, summed in double precision in their order. */
function meanOfRows(values: Float32Array, from: number, length: number, C: number): Float32Array {
  const sums = new Float64Array(C);
  for (let row = from; row < from + length; row++) for (let c = 0; c < C; c++) sums[c] += values[row * C + c];
  return Float32Array.from(sums, (sum) => sum / length);
}
