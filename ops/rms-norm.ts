// Legend: C the normalised width; `..` any dimensions before it.
import * as tf from '@tensorflow/tfjs';
import { hasKernel, onTape, runKernel, share } from './fused.js';
import { gradientPlace } from './gradients.js';

/**
 * Divides each row by its root mean square: y = x / √(mean(x²) + eps) · weight.
 *
 * @param x      [.., C] float32.
 * @param weight [C].
 * @returns      [.., C].
 * Source: Zhang and Sennrich 2019; as Hugging Face's LlamaRMSNorm.
 */
export function rmsNorm<T extends tf.Tensor>(x: T, weight: tf.Tensor1D, eps: number): T {
  return hasKernel('FourfoldRmsNorm') ? (fusedRmsNorm([x], weight, eps)[0] as T) : composedRmsNorm(x, weight, eps);
}

/**
 * Adds a branch to the residual stream and normalises the sum, in one pass over the memory.
 *
 * @param x     [.., C] float32, the stream.
 * @param delta [.., C], the branch.
 * @returns     [x + delta, rmsNorm(x + delta, weight, eps)].
 */
export function addRmsNorm<T extends tf.Tensor>(x: T, delta: T, weight: tf.Tensor1D, eps: number): [T, T] {
  if (hasKernel('FourfoldRmsNorm')) return fusedRmsNorm([x, delta], weight, eps) as [T, T];
  const total = tf.add<T>(x, delta);
  return [total, composedRmsNorm(total, weight, eps)];
}

/** Of one addend: [y]; of two: [sum, y]. */
function fusedRmsNorm(addends: tf.Tensor[], weight: tf.Tensor1D, eps: number): tf.Tensor[] {
  const [x, delta] = addends;
  const place = gradientPlace(weight);
  const made = runKernel('FourfoldRmsNorm', { x, delta, weight }, { eps });
  const [outputs, rstd] = [made.slice(0, -1), made[made.length - 1]];
  const inputs: Record<string, tf.Tensor> = { x, ...(delta && { delta }), ...(place.overTape && { weight }) };
  onTape('FourfoldRmsNorm', inputs, outputs, [delta ? outputs[0] : x, weight, rstd], (dys, [x, weight, rstd]) => {
    const dweight = place.target();
    const [dtotal, dy] = delta ? dys : [undefined, dys[0]];
    const [dx] = runKernel('FourfoldRmsNormGrad', { x, weight, rstd, dy, dtotal, dweight });
    return { x: dx, ...(delta && { delta: share(dx) }), ...(place.overTape && { weight: dweight! }) };
  });
  rstd.dispose();
  return outputs;
}

function composedRmsNorm<T extends tf.Tensor>(x: T, weight: tf.Tensor1D, eps: number): T {
  return tf.tidy(() => tf.mul(tf.mul(x, tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), eps))), weight));
}
