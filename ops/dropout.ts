// Legend: M rows (all dimensions but the last), C columns.
import * as tf from '@tensorflow/tfjs';
import { lastWritten } from '../backends/recording.js';
import { hasKernel, offTape, onTape, runKernel } from './fused.js';
import { randomTensor } from './random-words.js';

/**
 * Sets each element to 0 with probability p and divides the others by 1 − p. Whether an element is kept is a function of
 * (seed, step, row, site, column), where rows are counted through the micro-steps of a step: k micro-batches drop what the
 * one large batch would. Natively nothing is stored: the gradient computes the mask again.
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
  return composedDropout(x, p, key, site);
}

function fusedDropout<T extends tf.Tensor>(x: T, p: number, key: tf.Tensor1D, site: number): T {
  const outputs = runKernel('FourfoldDropout', { x, key }, { p, site });
  onTape('FourfoldDropout', { x }, outputs, [key], ([dy], [key]) => ({ x: runKernel('FourfoldDropout', { x: dy, key }, { p, site })[0] }));
  return outputs[0] as T;
}

/** The mask is made by JavaScript, once, and kept as a byte an element. */
function composedDropout<T extends tf.Tensor>(x: T, p: number, key: tf.Tensor1D, site: number): T {
  const masked = (values: tf.Tensor, kept: tf.Tensor) => tf.mul(values, tf.mul(tf.cast(kept, 'float32'), 1 / (1 - p)));
  const kept = keptMask(x.shape, p, lastWritten(key), site);
  const output = offTape(() => masked(x, kept) as T);
  onTape('FourfoldDropout', { x }, [output], [kept], ([dy], [kept]) => ({ x: masked(dy, kept) }));
  kept.dispose();
  return output;
}

/** Bool, 1 = the element is kept. The twin of backends/native/cpp/kernels/dropout.h. */
function keptMask(shape: number[], p: number, key: ArrayLike<number>, site: number): tf.Tensor {
  const threshold = Math.floor(p * 2 ** 32);
  return offTape(() =>
    tf.cast(
      randomTensor(shape, key, site, (word) => (word >= threshold ? 1 : 0)),
      'bool',
    ),
  );
}
