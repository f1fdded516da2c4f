// Legend: M rows (all dimensions but the last), C columns.
import * as tf from '@tensorflow/tfjs';
import { lastWritten } from '../backends/recording.js';
import { hasKernel, offTape, onTape, runKernel, share } from './fused.js';
import { randomTensor } from './random-words.js';

/**
 * x + scale of the row · u, with u uniform in (−1, 1). u is a function of (seed, step, row, site, column), where rows are counted through the
 * micro-steps of a step as in `dropout`: k micro-batches draw what the one large batch would. The gradient is that of x.
 *
 * @param x     [.., C] float32.
 * @param scale [..] float32, of each row; a row of scale 0 stays as it is.
 * @param key   [4] int32 (seed low, seed high, step, micro-step), a tensor, so that recorded work finds new values in it; written by `overwrite`.
 * @param site  which draws of the model these are: another one than any dropout's.
 * @returns     the shape of x.
 * Source: Jain et al. 2023, "NEFTune: Noisy embeddings improve instruction finetuning", Algorithm 1; Philox: Salmon et al. 2011.
 */
export function noise<T extends tf.Tensor>(x: T, scale: tf.Tensor, key: tf.Tensor1D, site: number): T {
  if (hasKernel('FourfoldNoise')) return fusedNoise(x, scale, key, site);
  const output = offTape(() => tf.add(x, tf.mul(tf.expandDims(scale, -1), uniform(x.shape, lastWritten(key), site))) as T);
  onTape('FourfoldNoise', { x }, [output], [], ([dy]) => ({ x: share(dy) }));
  return output;
}

function fusedNoise<T extends tf.Tensor>(x: T, scale: tf.Tensor, key: tf.Tensor1D, site: number): T {
  const outputs = runKernel('FourfoldNoise', { x, scale, key }, { site });
  onTape('FourfoldNoise', { x }, outputs, [], ([dy]) => ({ x: share(dy) }));
  return outputs[0] as T;
}

/** Odd numbers below 2^24 in size, times 2^-24: exact in float32, symmetric about 0. The twin of backends/native/cpp/kernels/dropout.h. */
function uniform(shape: number[], key: ArrayLike<number>, site: number): tf.Tensor {
  return randomTensor(shape, key, site, (word) => (((word >>> 7) | 1) - 2 ** 24) / 2 ** 24);
}
