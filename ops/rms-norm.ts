// Legend: C the normalised width; `..` any dimensions before it.
import * as tf from '@tensorflow/tfjs';
import { hasKernel, offTape, onTape, remade, runKernel, share } from './fused.js';
import { gradientPlace, sumOfRows } from './gradients.js';

/**
 * Divides each row by its root mean square: y = x / √(mean(x²) + eps) · weight.
 *
 * @param x      [.., C] float32.
 * @param weight [C].
 * @returns      [.., C].
 * Source: Zhang and Sennrich 2019; as Hugging Face's LlamaRMSNorm.
 */
export function rmsNorm<T extends tf.Tensor>(x: T, weight: tf.Tensor1D, eps: number): T {
  return (hasKernel('FourfoldRmsNorm') ? fusedRmsNorm : composedRmsNorm)([x], weight, eps)[0] as T;
}

/**
 * Adds a branch to the residual stream and normalises the sum, in one pass over the memory.
 *
 * @param x     [.., C] float32, the stream.
 * @param delta [.., C], the branch.
 * @returns     [x + delta, rmsNorm(x + delta, weight, eps)].
 */
export function addRmsNorm<T extends tf.Tensor>(x: T, delta: T, weight: tf.Tensor1D, eps: number): [T, T] {
  return (hasKernel('FourfoldRmsNorm') ? fusedRmsNorm : composedRmsNorm)([x, delta], weight, eps) as [T, T];
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

/** As the kernel's. */
function composedRmsNorm(addends: tf.Tensor[], weight: tf.Tensor1D, eps: number): tf.Tensor[] {
  const [x, delta] = addends;
  const place = gradientPlace(weight);
  const [total, y, rstd] = offTape(() => {
    const total = delta ? tf.add(x, delta) : x;
    const rstd = tf.rsqrt(tf.add(tf.mean(tf.square(total), -1, true), eps)); // [.., 1]
    return [total, tf.mul(tf.mul(total, rstd), weight), rstd];
  });
  const outputs = delta ? [total, y] : [y];
  const inputs: Record<string, tf.Tensor> = { x, ...(delta && { delta }), ...(place.overTape && { weight }) };
  const kept = [total, weight, rstd];
  remade(y, kept, ([total, weight, rstd]) => tf.mul(tf.mul(total, rstd), weight));
  onTape('FourfoldRmsNorm', inputs, outputs, kept, (dys, [total, weight, rstd]) => {
    const [dtotal, dy] = delta ? dys : [undefined, dys[0]];
    const normal = tf.mul(total, rstd);
    const dweight = place.put(() => sumOfRows(tf.mul(dy, normal)));
    const dnormal = tf.mul(dy, weight);
    const own = tf.mul(tf.sub(dnormal, tf.mul(normal, tf.mean(tf.mul(dnormal, normal), -1, true))), rstd);
    const dx = dtotal ? tf.add(own, dtotal) : own;
    return { x: dx, ...(delta && { delta: share(dx) }), ...(dweight && { weight: dweight }) };
  });
  rstd.dispose();
  return outputs;
}
