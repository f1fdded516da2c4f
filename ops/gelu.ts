import * as tf from '@tensorflow/tfjs';
import { hasKernel, onTape, runKernel } from './fused.js';

/**
 * GELU, x · Φ(x).
 *
 * @param x    any shape, float32.
 * @param kind `gelu`: with the error function; `gelu_new`: GPT-2's approximation ½ x (1 + tanh(√(2/π) (x + 0.044715 x³))).
 * @returns    the shape of x.
 * Source: Hendrycks and Gimpel 2016.
 */
export function gelu<T extends tf.Tensor>(x: T, kind: 'gelu' | 'gelu_new'): T {
  if (hasKernel('FourfoldGelu')) return fusedGelu(x, kind === 'gelu_new');
  return tf.tidy(() => tf.mul(tf.mul(x, 0.5), tf.add(kind === 'gelu' ? errorFunction(x) : tanhOfCubic(x), 1)) as T);
}

function fusedGelu<T extends tf.Tensor>(x: T, tanh: boolean): T {
  const outputs = runKernel('FourfoldGelu', { x }, { tanh });
  onTape('FourfoldGelu', { x }, outputs, [x], ([dy], [x]) => ({ x: runKernel('FourfoldGeluGrad', { x, dy }, { tanh })[0] }));
  return outputs[0] as T;
}

function errorFunction(x: tf.Tensor): tf.Tensor {
  return tf.erf(tf.mul(x, Math.SQRT1_2));
}

function tanhOfCubic(x: tf.Tensor): tf.Tensor {
  return tf.tanh(tf.mul(tf.mul(x, tf.add(tf.mul(tf.square(x), 0.044715), 1)), Math.sqrt(2 / Math.PI)));
}
