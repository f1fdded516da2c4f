// Legend: F intermediate size; `..` any dimensions before it.
import * as tf from '@tensorflow/tfjs';
import { ShapeError } from '../util/errors.js';
import { hasKernel, onTape, runKernel } from './fused.js';

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
  return tf.tidy(() => {
    const [gate, up] = tf.split(gateUp, [F, F], gateUp.rank - 1);
    return tf.mul(tf.mul(gate, tf.sigmoid(gate)), up) as T;
  });
}
