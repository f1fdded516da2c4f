// Legend: B batch, T tokens, C hidden size, V vocabulary, N texts.
import * as tf from '@tensorflow/tfjs';
import { crossEntropy, type TokenLosses, tokenLosses } from '../ops/cross-entropy.js';
import { embedding } from '../ops/embedding.js';
import { klDivergence } from '../ops/kl-divergence.js';
import { linear, packedLinear } from '../ops/linear.js';
import { type LogProbs, logProbs } from '../ops/log-probs.js';
import { type ModelConfig, outputName, SCORE } from './config.js';
import type { PackedParameters } from './packed.js';
import type { Parameters } from './parameters.js';

function outputTable(parameters: Parameters, config: ModelConfig): tf.Tensor2D {
  return parameters.get(outputName(config))! as tf.Tensor as tf.Tensor2D;
}

/** Logits [.., V] of hidden states [.., C]. */
export function logits(parameters: Parameters, config: ModelConfig, hidden: tf.Tensor, packed?: PackedParameters): tf.Tensor {
  const weights = packed?.get(outputName(config));
  return weights ? packedLinear(hidden, weights) : linear(hidden, outputTable(parameters, config));
}

/** How a token's loss counts. */
export interface LossOptions {
  /** [B, T] float32: what a token counts; default 1. */
  weights?: tf.Tensor2D;
  /** See `crossEntropy`. */
  labelSmoothing?: number;
}

/** Sum over the tokens whose target is not -1 of weight · −log p(target), with label smoothing where asked for. All logits are never in memory at once. */
export function languageModelLoss(
  parameters: Parameters,
  config: ModelConfig,
  hidden: tf.Tensor3D,
  targets: tf.Tensor2D,
  { weights, labelSmoothing }: LossOptions = {},
): tf.Scalar {
  const [rows, flat] = flatten(hidden, targets);
  return crossEntropy(rows, outputTable(parameters, config), flat, {
    weights: weights && tf.reshape(weights, [rows.shape[0]]),
    labelSmoothing,
  });
}

/** −log p(target) of each token [B·T], 0 where the target is -1, and where the likeliest token is the target; without gradient. */
export function languageModelLosses(parameters: Parameters, config: ModelConfig, hidden: tf.Tensor3D, targets: tf.Tensor2D): TokenLosses {
  const [rows, flat] = flatten(hidden, targets);
  return tokenLosses(rows, outputTable(parameters, config), flat);
}

/** Of each token [B·T] the log-probability of its target and the entropy, each with its gradient; 0 where the target is -1. See `logProbs`. */
export function targetLogProbs(
  parameters: Parameters,
  config: ModelConfig,
  hidden: tf.Tensor3D,
  targets: tf.Tensor2D,
  temperature: number,
): LogProbs {
  const [rows, flat] = flatten(hidden, targets);
  return logProbs(rows, outputTable(parameters, config), flat, { temperature });
}

/** A language model and the hidden states [B, T, C] that it has of a batch. */
export interface Predictions {
  parameters: Parameters;
  config: ModelConfig;
  hidden: tf.Tensor3D;
}

/** Of each token [B·T] the divergence of `other`'s next token from `own`'s, in nats, 0 where the target is -1; without gradient. */
export function divergence(own: Predictions, other: Predictions, targets: tf.Tensor2D, temperature: number): tf.Tensor1D {
  const [p, q] = [own, other].map(({ parameters, config, hidden }) => {
    const [B, T, C] = hidden.shape;
    return { hidden: tf.reshape(hidden, [B * T, C]) as tf.Tensor2D, table: outputTable(parameters, config) };
  });
  return klDivergence(p, q, tf.reshape(targets, [targets.size]), temperature);
}

/**
 * The score of each text: its last token's hidden state times the head's row, which has no bias.
 * @param hidden [B, T, C].
 * @param ends   [N] int32: the last tokens, `row · T + column`.
 * @returns      [N].
 * Source: Stiennon et al. 2020, section 3.4; transformers' LlamaForSequenceClassification with one label.
 */
export function scores(parameters: Parameters, hidden: tf.Tensor3D, ends: tf.Tensor1D): tf.Tensor1D {
  const [B, T, C] = hidden.shape;
  return scored(parameters, embedding(ends, tf.reshape(hidden, [B * T, C])));
}

/** The score that each token would give, were it the last: [B·T]. */
export function tokenScores(parameters: Parameters, hidden: tf.Tensor3D): tf.Tensor1D {
  const [B, T, C] = hidden.shape;
  return scored(parameters, tf.reshape(hidden, [B * T, C]));
}

function scored(parameters: Parameters, states: tf.Tensor2D): tf.Tensor1D {
  return tf.reshape(linear(states, parameters.get(SCORE)! as tf.Tensor as tf.Tensor2D), [states.shape[0]]);
}

function flatten(hidden: tf.Tensor3D, targets: tf.Tensor2D): [tf.Tensor2D, tf.Tensor1D] {
  const [B, T, C] = hidden.shape;
  return [tf.reshape(hidden, [B * T, C]), tf.reshape(targets, [B * T])];
}
