// Legend: K inputs, N outputs; `..` any dimensions before them, M rows in all.
import * as tf from '@tensorflow/tfjs';
import { ShapeError } from '../util/errors.js';
import { hasKernel, offTape, onTape, runKernel, tapeIsOn } from './fused.js';
import { gelu } from './gelu.js';
import { gradientPlace, sumOfRows } from './gradients.js';
import { type Precision, precision } from './precision.js';

export type LinearActivation = 'gelu' | 'gelu_new';

/**
 * activation(x · weightᵀ + bias), in the precision that `setPrecision` set.
 *
 * @param x      [.., K] float32.
 * @param weight [N, K].
 * @param bias   [N].
 * @returns      [.., N]; a row has the same bits whatever the other rows are.
 * @throws ShapeError when weight is not [N, K] or bias not [N].
 */
export function linear<T extends tf.Tensor>(x: T, weight: tf.Tensor2D, bias?: tf.Tensor1D, activation?: LinearActivation): T {
  const K = x.shape[x.rank - 1];
  if (weight.rank !== 2 || weight.shape[1] !== K) throw new ShapeError('linear', `weight must be [N, ${K}]`, weight.shape);
  checkBias(weight.shape[0], bias);
  return hasKernel('FourfoldLinear') ? fusedLinear(x, weight, bias, activation) : composedLinear(x, weight, bias, activation);
}

/** Weights laid out for `packedLinear`. They do not follow later changes of the weights. */
export interface PackedWeights {
  readonly N: number;
  readonly K: number;
  readonly precision: Precision;
  /** Panels of a layout that only the device knows, or, where it has none, a copy of the weights. */
  readonly data: tf.Tensor;
}

/** Lays `weight` [N, K] out once for many calls with few rows, such as decoding. `data` is the caller's to dispose of. */
export function packWeights(weight: tf.Tensor2D): PackedWeights {
  const [N, K] = weight.shape;
  const data = hasKernel('FourfoldPackWeights')
    ? runKernel('FourfoldPackWeights', { weight }, { precision: precision() })[0]
    : tf.clone(weight);
  return { N, K, precision: precision(), data };
}

/** `linear` with packed weights, to the bit. Without gradient. */
export function packedLinear<T extends tf.Tensor>(x: T, weights: PackedWeights, bias?: tf.Tensor1D, activation?: LinearActivation): T {
  const { N, K, data } = weights;
  if (x.shape[x.rank - 1] !== K) throw new ShapeError('packedLinear', `x must be [.., ${K}]`, x.shape);
  checkBias(N, bias);
  if (!hasKernel('FourfoldPackWeights')) return composedLinear(x, data as tf.Tensor2D, bias, activation);
  return runKernel('FourfoldPackedLinear', { x, packed: data, bias }, { N, activation, precision: weights.precision })[0] as T;
}

function checkBias(N: number, bias?: tf.Tensor1D): void {
  if (bias && (bias.rank !== 1 || bias.shape[0] !== N)) throw new ShapeError('linear', `bias must be [${N}]`, bias.shape);
}

/** Gradients of parameters are added to their buffers where they have one; otherwise they go over the tape, or are not computed. */
function fusedLinear<T extends tf.Tensor>(x: T, weight: tf.Tensor2D, bias?: tf.Tensor1D, activation?: LinearActivation): T {
  const attributes = { activation, precision: precision() };
  const keep = activation !== undefined && tapeIsOn();
  const [y, preactivation] = runKernel('FourfoldLinear', { x, weight, bias }, { ...attributes, keep });
  const weightPlace = gradientPlace(weight);
  const biasPlace = bias && gradientPlace(bias);
  const inputs: Record<string, tf.Tensor> = { x };
  if (weightPlace.overTape) inputs.weight = weight;
  if (biasPlace?.overTape) inputs.bias = bias!;
  const kept: tf.Tensor[] = preactivation ? [x, weight, preactivation] : [x, weight];
  onTape('FourfoldLinear', inputs, [y], kept, ([dy], [x, weight, preactivation]) => {
    const dweight = weightPlace.target();
    const dbias = biasPlace?.target();
    const [dx] = runKernel('FourfoldLinearGrad', { dy, x, weight, preactivation, dweight, dbias }, attributes);
    return { x: dx, ...(weightPlace.overTape && { weight: dweight! }), ...(biasPlace?.overTape && { bias: dbias! }) };
  });
  preactivation?.dispose();
  return y as T;
}

function composedLinear<T extends tf.Tensor>(x: T, weight: tf.Tensor2D, bias?: tf.Tensor1D, activation?: LinearActivation): T {
  const [N, K] = weight.shape;
  const rows = (values: tf.Tensor, width: number): tf.Tensor2D => tf.reshape(values, [x.size / K, width]);
  const y = offTape(() => {
    const product = tf.matMul(rows(x, K), weight, false, true); // [M, N]
    return tf.reshape(bias ? tf.add(product, bias) : product, [...x.shape.slice(0, -1), N]) as T;
  });
  const weightPlace = gradientPlace(weight);
  const biasPlace = bias && gradientPlace(bias);
  const inputs: Record<string, tf.Tensor> = { x, ...(weightPlace.overTape && { weight }), ...(biasPlace?.overTape && { bias: bias! }) };
  onTape('FourfoldLinear', inputs, [y], [x, weight], ([dy], [x, weight]) => {
    const dweight = weightPlace.put(() => tf.matMul(rows(dy, N), rows(x, K), true));
    const dbias = biasPlace?.put(() => sumOfRows(dy));
    const dx = tf.reshape(tf.matMul(rows(dy, N), weight as tf.Tensor2D), x.shape);
    return { x: dx, ...(dweight && { weight: dweight }), ...(dbias && { bias: dbias }) };
  });
  if (!activation) return y;
  const activated = gelu(y, activation);
  y.dispose();
  return activated;
}
