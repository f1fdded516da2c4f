// Legend: M rows (all dimensions but the last), C columns.
import * as tf from '@tensorflow/tfjs';
import { lastWritten } from '../backends/recording.js';
import { hasKernel, onTape, runKernel } from './fused.js';
import { randomTensor } from './random-words.js';

/**
 * Sets each element to 0 with probability p and divides the others by 1 − p. Whether an element is kept is a function of
 * (seed, step, row, site, column), where rows are counted through the micro-steps of a step: k micro-batches drop what the
 * one large batch would. Nothing is stored: the gradient computes the mask again.
 *
 * @param x    [.., C] float32.
 * @param p    in [0, 1).
 * @param key  [4] int32 (seed low, seed high, step, micro-step), a tensor, so that recorded work finds new values in it; written by `overwrite`.
 * @param site which dropout of the model this is.
 * @returns    the shape of x.
 * Source: Srivastava et al. 2014; Philox: Salmon et al. 2011.
 */
export function dropout<T extends tf.Tensor>(x: T, p: number, key: tf.Tensor1D, site: number): T {
  if (hasKernel('FourfoldDropout')) return fusedDropout(x, p, key, site);
  return tf.tidy(() => tf.mul(x, dropoutMask(x.shape, p, lastWritten(key), site)) as T);
}

function fusedDropout<T extends tf.Tensor>(x: T, p: number, key: tf.Tensor1D, site: number): T {
  const outputs = runKernel('FourfoldDropout', { x, key }, { p, site });
  onTape('FourfoldDropout', { x }, outputs, [key], ([dy], [key]) => ({ x: runKernel('FourfoldDropout', { x: dy, key }, { p, site })[0] }));
  return outputs[0] as T;
}

/** 0 where an element is dropped, 1/(1 − p) where it is kept. The twin of backends/native/cpp/kernels/dropout.h. */
function dropoutMask(shape: number[], p: number, key: ArrayLike<number>, site: number): tf.Tensor {
  const threshold = Math.floor(p * 2 ** 32);
  const kept = 1 / (1 - p);
  return randomTensor(shape, key, site, (word) => (word >= threshold ? kept : 0));
}
