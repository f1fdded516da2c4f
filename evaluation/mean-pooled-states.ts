// Legend: B rows of a batch, T tokens of a row, C hidden size.
import type { ModelConfig } from '../model/config.js';
import type { Parameters } from '../model/parameters.js';
import { forward } from '../model/transformer.js';
import { batchPasses } from '../training/batch-passes.js';
import { packedSequences, packedShape } from './packed-sequences.js';

interface Model {
  config: ModelConfig;
  parameters: Parameters;
}

/**
 * The mean over its tokens of a text's hidden states after the last norm: a vector for the whole text, by which texts can be compared. Each text
 * is read by itself, whatever stands beside it in a batch.
 * @param texts ids of each, at least one and no more than the model's context; a conversation's with the marks of its template.
 * @returns     of each text [C].
 */
export async function meanPooledStates(model: Model, texts: readonly ArrayLike<number>[]): Promise<Float32Array[]> {
  const pooling = pooler(model, packedShape(texts.map((ids) => ({ ids })), model.config)); // biome-ignore format: short
  try {
    return await pooling.states(texts);
  } finally {
    pooling.dispose();
  }
}

/** What makes them again and again, as the model's parameters are at the time. */
export interface Pooler {
  /** @param texts none longer than a row. */
  states(texts: readonly ArrayLike<number>[]): Promise<Float32Array[]>;
  dispose(): void;
}

/** @param B, T rows of a batch, at most, and their tokens. */
export function pooler({ config, parameters }: Model, { B, T }: { B: number; T: number }): Pooler {
  const C = config.hidden_size;
  const passes = batchPasses((batch) => [forward(parameters, config, batch)]); // [B, T, C]
  return {
    async states(texts) {
      const means: Float32Array[] = new Array(texts.length);
      const sequences = texts.map((ids) => ({ ids }));
      for (const { batch, places } of packedSequences(sequences, B, T)) {
        const states = (await passes.run(batch)[0].data()) as Float32Array;
        for (const { sequence, from, length } of places) means[sequence] = meanOfRows(states, from, length, C);
        await new Promise(setImmediate); // signals arrive
      }
      return means;
    },
    dispose: passes.dispose,
  };
}

/** The mean of `length` rows of C numbers, summed in double precision in their order. */
function meanOfRows(values: Float32Array, from: number, length: number, C: number): Float32Array {
  const sums = new Float64Array(C);
  for (let row = from; row < from + length; row++) for (let c = 0; c < C; c++) sums[c] += values[row * C + c];
  return Float32Array.from(sums, (sum) => sum / length);
}
