// Legend: B rows of a batch, T tokens of a row.
import * as tf from '@tensorflow/tfjs';
import { recorded } from '../backends/recording.js';
import type { ModelConfig } from '../model/config.js';
import { languageModelLosses } from '../model/heads.js';
import type { Parameters } from '../model/parameters.js';
import { forward } from '../model/transformer.js';
import { inputs } from '../training/step.js';
import { packedSequences, packedShape, type Sequence } from './packed-sequences.js';

/** What a model says of the tokens of a sequence that are to be predicted. */
export interface SequenceLoss {
  /** Sum of −log p, in nats. */
  loss: number;
  /** Those that are the likeliest one. */
  correct: number;
  /** How many there are; 0: there is nothing to be said. */
  tokens: number;
}

/**
 * −log p of the tokens of each sequence that are to be predicted (of an answer: see `ChatTemplate.encode`), without gradients.
 * @param sequences none longer than the model's context.
 * @returns in the order of the sequences.
 */
export async function sequenceLosses(
  { config, parameters }: { config: ModelConfig; parameters: Parameters },
  sequences: readonly Sequence[],
  signal?: AbortSignal,
): Promise<SequenceLoss[]> {
  const { B, T } = packedShape(sequences, config);
  const place = inputs(B, T);
  const pass = recorded(() =>
    tf.tidy(() => {
      const { losses, correct } = languageModelLosses(parameters, config, forward(parameters, config, place.batch), place.batch.targets);
      return [losses, correct];
    }),
  );
  const result = sequences.map((): SequenceLoss => ({ loss: 0, correct: 0, tokens: 0 }));
  try {
    for (const { batch, places } of packedSequences(sequences, B, T)) {
      signal?.throwIfAborted();
      place.write(batch);
      const [losses, correct] = await Promise.all(pass.run().map((tensor) => tensor.data())); // [B·T] each
      for (const { sequence, from, length } of places) {
        for (let t = from; t < from + length; t++) {
          if (batch.targets[t] < 0) continue;
          result[sequence].loss += losses[t];
          result[sequence].correct += correct[t];
          result[sequence].tokens++;
        }
      }
      await new Promise(setImmediate); // signals arrive
    }
  } finally {
    pass.dispose();
    place.dispose();
  }
  return result;
}
