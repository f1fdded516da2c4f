// Legend: F intermediate size; `..` any dimensions before it.
import * as tf from '@tensorflow/tfjs';
import { ShapeError } from '../util/errors.js';
import { hasKernel, offTape, onTape, remade, runKernel } from './fused.js';

/**
 * The gated activation of Llama's MLP: silu(gate) · up, where silu(x) = x · sigmoid(x).
 *
 * @param gateUp [.., 2·F] float32: gate, then up.
 * @returns      [.., F].
 * @throws ShapeError when the last dimension is odd.
 * Source: Shazeer 2020, "GLU variants improve Transformer".
 */
export function swiglu<T extends tf.Tensor>(gateUp: T): T {
  const width = gateUp.shape[gateUp.rank - 1];
  if (width % 2 !== 0) throw new ShapeError('swiglu', 'the last dimension must be gate and up, 2·F', gateUp.shape);
  return hasKernel('FourfoldSwiglu') ? fusedSwiglu(gateUp) : composedSwiglu(gateUp, width / 2);
}

function fusedSwiglu<T extends tf.Tensor>(gateUp: T): T {
  const outputs = runKernel('FourfoldSwiglu', { x: gateUp });
  onTape('FourfoldSwiglu', { gateUp }, outputs, [gateUp], ([dy], [x]) => ({ gateUp: runKernel('FourfoldSwigluGrad', { x, dy })[0] }));
  return outputs[0] as T;
}

function composedSwiglu<T extends tf.Tensor>(gateUp: T, F: number): T {
  const parts = (x: tf.Tensor) => tf.split(x, [F, F], x.rank - 1);
  const value = ([x]: tf.Tensor[]) => {
    const [gate, up] = parts(x);
    return tf.mul(tf.mul(gate, tf.sigmoid(gate)), up);
  };
  const output = offTape(() => value([gateUp]) as T);
  remade(output, [gateUp], value);
  onTape('FourfoldSwiglu', { gateUp }, [output], [gateUp], ([dy], [x]) => {
    const [gate, up] = parts(x);
    const open = tf.sigmoid(gate);
    const dgate = tf.tidy(() => tf.mul(tf.mul(dy, up), tf.mul(open, tf.add(tf.mul(gate, tf.sub(1, open)), 1)))); // times silu's slope
    const dup = tf.tidy(() => tf.mul(dy, tf.mul(gate, open)));
    return { gateUp: tf.concat([dgate, dup], x.rank - 1) };
  });
  return output;
}
