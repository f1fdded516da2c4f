// Legend: B batch, T tokens.
import * as tf from '@tensorflow/tfjs';
import { recorded } from '../backends/recording.js';
import type { Loader } from '../datasets/loader.js';
import type { ModelConfig } from '../model/config.js';
import { languageModelLosses } from '../model/heads.js';
import type { Parameters } from '../model/parameters.js';
import { forward } from '../model/transformer.js';
import { inputs } from '../training/step.js';

/** Metrics of a language model on held-out text. */
export interface LanguageModelMetrics {
  /** Mean of -log p over the predicted tokens, in nats. */
  'eval/loss': number;
  'eval/perplexity': number;
  /** Bits that the model needs for a byte of UTF-8: comparable between tokenizers. */
  'eval/bits_per_byte': number;
}

export interface Evaluator {
  /** One pass over the whole of `heldOut`, without gradients. */
  evaluate(heldOut: Loader): Promise<LanguageModelMetrics>;
  dispose(): void;
}

/** Evaluates the model that `parameters` are at the time, in batches of [B, T]. */
export function evaluator(config: ModelConfig, parameters: Parameters, B: number, T: number): Evaluator {
  const place = inputs(B, T);
  const pass = recorded(() =>
    tf.tidy(() => [languageModelLosses(parameters, config, forward(parameters, config, place.batch), place.batch.targets)]),
  );
  return {
    async evaluate(heldOut) {
      let sum = 0;
      let tokens = 0;
      let bytes = 0;
      for await (const batch of heldOut.epochBatches()) {
        place.write(batch);
        for (const loss of await pass.run()[0].data()) sum += loss;
        tokens += batch.supervised;
        bytes += batch.bytes;
      }
      const loss = sum / tokens;
      return { 'eval/loss': loss, 'eval/perplexity': Math.exp(loss), 'eval/bits_per_byte': sum / Math.LN2 / bytes };
    },
    dispose() {
      pass.dispose();
      place.dispose();
    },
  };
}
