import * as tf from '@tensorflow/tfjs';
import { hasKernel, offTape, onTape, remade, runKernel } from './fused.js';

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
  return composedGelu(x, kind === 'gelu' ? normal : approximation);
}

function fusedGelu<T extends tf.Tensor>(x: T, tanh: boolean): T {
  const outputs = runKernel('FourfoldGelu', { x }, { tanh });
  onTape('FourfoldGelu', { x }, outputs, [x], ([dy], [x]) => ({ x: runKernel('FourfoldGeluGrad', { x, dy }, { tanh })[0] }));
  return outputs[0] as T;
}

/** What x is multiplied by, and its derivative. */
interface Gate {
  value(x: tf.Tensor): tf.Tensor;
  slope(x: tf.Tensor): tf.Tensor;
}

const normal: Gate = {
  value: (x) => tf.mul(tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1), 0.5),
  slope: (x) => tf.mul(tf.exp(tf.mul(tf.square(x), -0.5)), 1 / Math.sqrt(2 * Math.PI)),
};

/** ½ (1 + tanh(u)) as sigmoid(2u), which keeps its digits where tanh is all but -1. */
const approximation: Gate = {
  value: (x) => tf.sigmoid(tf.mul(tf.mul(x, tf.add(tf.mul(tf.square(x), 0.044715), 1)), 2 * Math.sqrt(2 / Math.PI))),
  slope: (x) => {
    const gate = approximation.value(x);
    const slopeOfU = tf.mul(tf.add(tf.mul(tf.square(x), 3 * 0.044715), 1), 2 * Math.sqrt(2 / Math.PI));
    return tf.mul(tf.mul(gate, tf.sub(1, gate)), slopeOfU);
  },
};

function composedGelu<T extends tf.Tensor>(x: T, { value, slope }: Gate): T {
  const output = offTape(() => tf.mul(x, value(x)) as T);
  remade(output, [x], ([x]) => tf.mul(x, value(x)));
  onTape('FourfoldGelu', { x }, [output], [x], ([dy], [x]) => ({ x: tf.mul(dy, tf.add(value(x), tf.mul(x, slope(x)))) }));
  return output;
}
