// Legend: B batch, T tokens, C hidden size, V vocabulary.
import * as tf from '@tensorflow/tfjs';
import { crossEntropy, tokenLosses } from '../ops/cross-entropy.js';
import { linear, packedLinear } from '../ops/linear.js';
import { type ModelConfig, outputName } from './config.js';
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

/** Sum over the tokens whose target is not -1 of -log p(target). All logits are never in memory at once. */
export function languageModelLoss(parameters: Parameters, config: ModelConfig, hidden: tf.Tensor3D, targets: tf.Tensor2D): tf.Scalar {
  const [rows, flat] = flatten(hidden, targets);
  return crossEntropy(rows, outputTable(parameters, config), flat, 1);
}

/** -log p(target) of each token [B·T], 0 where the target is -1; without gradient. */
export function languageModelLosses(parameters: Parameters, config: ModelConfig, hidden: tf.Tensor3D, targets: tf.Tensor2D): tf.Tensor1D {
  const [rows, flat] = flatten(hidden, targets);
  return tokenLosses(rows, outputTable(parameters, config), flat);
}

function flatten(hidden: tf.Tensor3D, targets: tf.Tensor2D): [tf.Tensor2D, tf.Tensor1D] {
  const [B, T, C] = hidden.shape;
  return [tf.reshape(hidden, [B * T, C]), tf.reshape(targets, [B * T])];
}
