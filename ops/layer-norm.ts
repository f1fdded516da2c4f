// Legend: C the normalised width; `..` any dimensions before it.
import * as tf from '@tensorflow/tfjs';
import { hasKernel, offTape, onTape, remade, runKernel, share } from './fused.js';
import { gradientPlace, sumOfRows } from './gradients.js';

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
  return (hasKernel('FourfoldLayerNorm') ? fusedLayerNorm : composedLayerNorm)([x], weight, bias, eps)[0] as T;
}

/**
 * Adds a branch to the residual stream and normalises the sum, in one pass over the memory.
 *
 * @param x     [.., C] float32, the stream.
 * @param delta [.., C], the branch.
 * @returns     [x + delta, layerNorm(x + delta, weight, bias, eps)].
 */
export function addLayerNorm<T extends tf.Tensor>(x: T, delta: T, weight: tf.Tensor1D, bias: tf.Tensor1D | undefined, eps: number): [T, T] {
  return (hasKernel('FourfoldLayerNorm') ? fusedLayerNorm : composedLayerNorm)([x, delta], weight, bias, eps) as [T, T];
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

/** As the kernel's. */
function composedLayerNorm(addends: tf.Tensor[], weight: tf.Tensor1D, bias: tf.Tensor1D | undefined, eps: number): tf.Tensor[] {
  const [x, delta] = addends;
  const weightPlace = gradientPlace(weight);
  const biasPlace = bias && gradientPlace(bias);
  const scaled = (total: tf.Tensor, weight: tf.Tensor, mean: tf.Tensor, rstd: tf.Tensor, bias?: tf.Tensor): tf.Tensor => {
    const product = tf.mul(tf.mul(tf.sub(total, mean), rstd), weight);
    return bias ? tf.add(product, bias) : product;
  };
  const [total, y, mean, rstd] = offTape(() => {
    const total = delta ? tf.add(x, delta) : x;
    const mean = tf.mean(total, -1, true); // [.., 1]
    const rstd = tf.rsqrt(tf.add(tf.mean(tf.square(tf.sub(total, mean)), -1, true), eps)); // [.., 1]
    return [total, scaled(total, weight, mean, rstd, bias), mean, rstd];
  });
  const outputs = delta ? [total, y] : [y];
  const overTape = { ...(weightPlace.overTape && { weight }), ...(biasPlace?.overTape && { bias: bias! }) };
  const kept = [total, weight, mean, rstd];
  remade(y, bias ? [...kept, bias] : kept, ([total, weight, mean, rstd, bias]) => scaled(total, weight, mean, rstd, bias));
  onTape('FourfoldLayerNorm', { x, ...(delta && { delta }), ...overTape }, outputs, kept, (dys, [total, weight, mean, rstd]) => {
    const [dtotal, dy] = delta ? dys : [undefined, dys[0]];
    const normal = tf.mul(tf.sub(total, mean), rstd);
    const dweight = weightPlace.put(() => sumOfRows(tf.mul(dy, normal)));
    const dbias = biasPlace?.put(() => sumOfRows(dy));
    const dnormal = tf.mul(dy, weight);
    const along = tf.mul(normal, tf.mean(tf.mul(dnormal, normal), -1, true));
    const own = tf.mul(tf.sub(tf.sub(dnormal, tf.mean(dnormal, -1, true)), along), rstd);
    const dx = dtotal ? tf.add(own, dtotal) : own;
    return { x: dx, ...(delta && { delta: share(dx) }), ...(dweight && { weight: dweight }), ...(dbias && { bias: dbias }) };
  });
  mean.dispose();
  rstd.dispose();
  return outputs;
}
