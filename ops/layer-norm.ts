// Legend: C the normalised width; `..` any dimensions before it.
import * as tf from '@tensorflow/tfjs';
import { hasKernel, onTape, runKernel, share } from './fused.js';
import { gradientPlace } from './gradients.js';

/**
 * Centres each row and divides it by its standard deviation: y = (x − mean) / √(variance + eps) · weight + bias.
 *
 * @param x      [.., C] float32.
 * @param weight [C].
 * @param bias   [C], or undefined for none.
 * @returns      [.., C].
 * Source: Ba et al. 2016.
 */
export function layerNorm<T extends tf.Tensor>(x: T, weight: tf.Tensor1D, bias: tf.Tensor1D | undefined, eps: number): T {
  return hasKernel('FourfoldLayerNorm') ? (fusedLayerNorm([x], weight, bias, eps)[0] as T) : composedLayerNorm(x, weight, bias, eps);
}

/**
 * Adds a branch to the residual stream and normalises the sum, in one pass over the memory.
 *
 * @param x     [.., C] float32, the stream.
 * @param delta [.., C], the branch.
 * @returns     [x + delta, layerNorm(x + delta, weight, bias, eps)].
 */
export function addLayerNorm<T extends tf.Tensor>(x: T, delta: T, weight: tf.Tensor1D, bias: tf.Tensor1D | undefined, eps: number): [T, T] {
  if (hasKernel('FourfoldLayerNorm')) return fusedLayerNorm([x, delta], weight, bias, eps) as [T, T];
  const total = tf.add<T>(x, delta);
  return [total, composedLayerNorm(total, weight, bias, eps)];
}

/** Of one addend: [y]; of two: [sum, y]. */
function fusedLayerNorm(addends: tf.Tensor[], weight: tf.Tensor1D, bias: tf.Tensor1D | undefined, eps: number): tf.Tensor[] {
  const [x, delta] = addends;
  const weightPlace = gradientPlace(weight);
  const biasPlace = bias && gradientPlace(bias);
  const made = runKernel('FourfoldLayerNorm', { x, delta, weight, bias }, { eps });
  const [outputs, [mean, rstd]] = [made.slice(0, -2), made.slice(-2)];
  const overTape = { ...(weightPlace.overTape && { weight }), ...(biasPlace?.overTape && { bias: bias! }) };
  const kept = [delta ? outputs[0] : x, weight, mean, rstd];
  onTape('FourfoldLayerNorm', { x, ...(delta && { delta }), ...overTape }, outputs, kept, (dys, [x, weight, mean, rstd]) => {
    const dweight = weightPlace.target();
    const dbias = biasPlace?.target();
    const [dtotal, dy] = delta ? dys : [undefined, dys[0]];
    const [dx] = runKernel('FourfoldLayerNormGrad', { x, weight, mean, rstd, dy, dtotal, dweight, dbias });
    return {
      x: dx,
      ...(delta && { delta: share(dx) }),
      ...(weightPlace.overTape && { weight: dweight! }),
      ...(biasPlace?.overTape && { bias: dbias! }),
    };
  });
  mean.dispose();
  rstd.dispose();
  return outputs;
}

function composedLayerNorm<T extends tf.Tensor>(x: T, weight: tf.Tensor1D, bias: tf.Tensor1D | undefined, eps: number): T {
  return tf.tidy(() => {
    const centred = tf.sub(x, tf.mean(x, -1, true));
    const scaled = tf.mul(tf.mul(centred, tf.rsqrt(tf.add(tf.mean(tf.square(centred), -1, true), eps))), weight);
    return (bias ? tf.add(scaled, bias) : scaled) as T;
  });
}
