import type * as tf from '@tensorflow/tfjs';
import { type PackedWeights, packWeights } from '../ops/linear.js';
import { type ModelConfig, outputName } from './config.js';
import type { Parameters } from './parameters.js';

/** Name → matrix, laid out for many passes with few rows. */
export type PackedParameters = ReadonlyMap<string, PackedWeights>;

/** Lays out every matrix that hidden states are multiplied with. Later changes of the parameters do not reach them. */
export function packParameters(parameters: Parameters, config: ModelConfig): PackedParameters {
  const packed = new Map<string, PackedWeights>();
  for (const [name, parameter] of parameters) {
    const lookedUp = /\.(embed_tokens|wte|wpe)\.weight$/.test(name);
    if (parameter.rank === 2 && (!lookedUp || name === outputName(config)))
      packed.set(name, packWeights(parameter as tf.Tensor as tf.Tensor2D));
  }
  return packed;
}

export function disposePacked(packed: PackedParameters): void {
  for (const { data } of packed.values()) data.dispose();
}
