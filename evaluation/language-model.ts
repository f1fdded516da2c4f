// Legend: B batch, T tokens.
import * as tf from '@tensorflow/tfjs';
import { recorded } from '../backends/recording.js';
import type { Pass } from '../datasets/pass.js';
import type { ModelConfig } from '../model/config.js';
import { languageModelLosses } from '../model/heads.js';
import type { Parameters } from '../model/parameters.js';
import { forward } from '../model/transformer.js';
import { inputs } from '../training/step.js';

/** Metrics of a language model on held-out text; where that has several sources, `eval/loss/SOURCE` and so on, too. */
export interface LanguageModelMetrics {
  /** Mean of -log p over the predicted tokens, in nats. */
  'eval/loss': number;
  'eval/perplexity': number;
  /** Bits that the model needs for a byte of UTF-8: comparable between tokenizers. */
  'eval/bits_per_byte': number;
  /** Share of the predicted tokens that are the likeliest one. */
  'eval/token_accuracy': number;
  [bySource: `eval/${'loss' | 'bits_per_byte' | 'token_accuracy'}/${string}`]: number;
}

export interface Evaluator {
  /** One pass over the whole of `heldOut`, without gradients. */
  evaluate(heldOut: Pass): Promise<LanguageModelMetrics>;
  /** The same, by source, as sums. */
  measure(heldOut: Pass, signal?: AbortSignal): Promise<Map<string, TokenSums>>;
  dispose(): void;
}

/** Evaluates the model that `parameters` are at the time, in batches of [B, T]. */
export function evaluator(config: ModelConfig, parameters: Parameters, B: number, T: number): Evaluator {
  const place = inputs(B, T);
  const pass = recorded(() =>
    tf.tidy(() => {
      const { losses, correct } = languageModelLosses(parameters, config, forward(parameters, config, place.batch), place.batch.targets);
      return [losses, correct];
    }),
  );
  const measure: Evaluator['measure'] = async (heldOut, signal) => {
    const sums = new Map(heldOut.sources.map((source) => [source, { loss: 0, correct: 0, tokens: 0, bytes: 0 }]));
    for await (const { source, batch } of heldOut.batches()) {
      signal?.throwIfAborted();
      const sum = sums.get(source)!;
      place.write(batch);
      const [losses, correct] = await Promise.all(pass.run().map((tensor) => tensor.data()));
      for (const loss of losses) sum.loss += loss;
      for (const one of correct) sum.correct += one;
      sum.tokens += batch.supervised;
      sum.bytes += batch.bytes;
      await new Promise(setImmediate); // signals are handled between macrotasks only
    }
    return sums;
  };
  return {
    measure,
    evaluate: async (heldOut) => metricsOf(await measure(heldOut)),
    dispose() {
      pass.dispose();
      place.dispose();
    },
  };
}

/** Of predicted tokens. */
export interface TokenSums {
  /** Of -log p, in nats. */
  loss: number;
  /** Tokens that were the likeliest one. */
  correct: number;
  tokens: number;
  bytes: number;
}

/** The sum of several, each token counted once. */
export function totalOf(sums: Iterable<TokenSums>): TokenSums {
  const all: TokenSums = { loss: 0, correct: 0, tokens: 0, bytes: 0 };
  for (const sum of sums) {
    for (const key of ['loss', 'correct', 'tokens', 'bytes'] as const) all[key] += sum[key];
  }
  return all;
}

/** The metrics of all sources together, then of each. */
function metricsOf(sums: ReadonlyMap<string, TokenSums>): LanguageModelMetrics {
  const all = totalOf(sums.values());
  const loss = all.loss / all.tokens;
  const metrics: LanguageModelMetrics = {
    'eval/loss': loss,
    'eval/perplexity': Math.exp(loss),
    'eval/bits_per_byte': bitsPerByte(all),
    'eval/token_accuracy': all.correct / all.tokens,
  };
  if (sums.size === 1) return metrics;
  for (const [source, sum] of sums) {
    metrics[`eval/loss/${source}`] = sum.loss / sum.tokens;
    metrics[`eval/bits_per_byte/${source}`] = bitsPerByte(sum);
    metrics[`eval/token_accuracy/${source}`] = sum.correct / sum.tokens;
  }
  return metrics;
}

/** Bits that the model needs for a byte of UTF-8. */
export function bitsPerByte({ loss, bytes }: TokenSums): number {
  return loss / Math.LN2 / bytes;
}
