// Legend: B rows, T tokens, C hidden size.
import type { ModelConfig } from '../model/config.js';
import { tokenScores } from '../model/heads.js';
import type { Parameters } from '../model/parameters.js';
import { forward } from '../model/transformer.js';
import { batchPasses } from '../training/batch-passes.js';
import { packedRows, packedSequences } from './packed-sequences.js';

/** Gives texts the scores of a reward model, as its parameters are at the time. */
export interface Scorer {
  /** Raw scores, those of the last tokens, in the order of the texts. A score does not depend on what else is scored. */
  score(texts: readonly Int32Array[], signal?: AbortSignal): Promise<Float32Array>;
  dispose(): void;
}

/**
 * @param T     tokens of the longest text.
 * @param texts how many there are at most: few ones need few rows.
 */
export function scorer(config: ModelConfig, parameters: Parameters, T: number, texts = Number.POSITIVE_INFINITY): Scorer {
  const B = Math.max(1, Math.min(packedRows(T), texts));
  const passes = batchPasses((batch) => [tokenScores(parameters, forward(parameters, config, batch, { wanted: batch.targets }))]); // [B·T]
  return {
    async score(texts, signal) {
      const all = new Float32Array(texts.length);
      for (const { batch, places } of packedSequences(
        texts.map((ids) => ({ ids })),
        B,
        T,
      )) {
        signal?.throwIfAborted();
        batch.targets.fill(-1);
        for (const { from, length } of places) batch.targets[from + length - 1] = 0; // of the last tokens alone
        const values = await passes.run(batch)[0].data();
        for (const { sequence, from, length } of places) all[sequence] = values[from + length - 1];
        await new Promise(setImmediate); // signals are handled between macrotasks only
      }
      return all;
    },
    dispose: passes.dispose,
  };
}
