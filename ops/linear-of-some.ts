// Legend: K inputs, N outputs; `..` any dimensions before them, M rows in all.
import * as tf from '@tensorflow/tfjs';
import { ShapeError } from '../util/errors.js';
import { hasKernel, offTape, onTape, runKernel } from './fused.js';
import { gradientPlace } from './gradients.js';
import { linear } from './linear.js';
import { precision } from './precision.js';

/**
 * `linear` of the rows that are wanted; the others are 0, whatever stands in x, and give no gradient. Natively they cost nothing.
 *
 * @param x      [.., K] float32, finite.
 * @param weight [N, K].
 * @param wanted [..] int32: 0 or more where the row is wanted, -1 elsewhere; targets serve.
 * @param bias   [N].
 * @returns      [.., N]; a wanted row has the bits that `linear` gives.
 * @throws ShapeError when weight is not [N, K], or wanted not [..].
 */
export function linearOfSome<T extends tf.Tensor>(x: T, weight: tf.Tensor2D, wanted: tf.Tensor, bias?: tf.Tensor1D): T {
  const K = x.shape[x.rank - 1];
  if (weight.rank !== 2 || weight.shape[1] !== K) throw new ShapeError('linearOfSome', `weight must be [N, ${K}]`, weight.shape);
  const rows = x.shape.slice(0, -1);
  if (!tf.util.arraysEqual(wanted.shape, rows)) throw new ShapeError('linearOfSome', `wanted must be [${rows}]`, wanted.shape);
  if (hasKernel('FourfoldLinearOfSome')) return fusedLinearOfSome(x, weight, wanted, bias);
  return composedLinearOfSome(x, weight, wanted, bias);
}

/** Gradients of parameters are added to their buffers where they have one; otherwise they go over the tape, or are not computed. */
function fusedLinearOfSome<T extends tf.Tensor>(x: T, weight: tf.Tensor2D, wanted: tf.Tensor, bias?: tf.Tensor1D): T {
  const attributes = { precision: precision() };
  const [y] = runKernel('FourfoldLinearOfSome', { x, weight, bias, wanted }, attributes);
  const weightPlace = gradientPlace(weight);
  const biasPlace = bias && gradientPlace(bias);
  const inputs: Record<string, tf.Tensor> = { x, ...(weightPlace.overTape && { weight }), ...(biasPlace?.overTape && { bias: bias! }) };
  onTape('FourfoldLinearOfSome', inputs, [y], [x, weight, wanted], ([dy], [x, weight, wanted]) => {
    const dweight = weightPlace.target();
    const dbias = biasPlace?.target();
    const [dx] = runKernel('FourfoldLinearOfSomeGrad', { dy, x, weight, wanted, dweight, dbias }, attributes);
    return { x: dx, ...(weightPlace.overTape && { weight: dweight! }), ...(biasPlace?.overTape && { bias: dbias! }) };
  });
  return y as T;
}

function composedLinearOfSome<T extends tf.Tensor>(x: T, weight: tf.Tensor2D, wanted: tf.Tensor, bias?: tf.Tensor1D): T {
  const only = (rows: tf.Tensor, wanted: tf.Tensor) => tf.mul(rows, tf.cast(tf.greaterEqual(tf.expandDims(wanted, -1), 0), 'float32'));
  const all = linear(x, weight, bias);
  const output = offTape(() => only(all, wanted) as T);
  onTape('FourfoldLinearOfSome', { all }, [output], [wanted], ([dy], [wanted]) => ({ all: only(dy, wanted) }));
  all.dispose();
  return output;
}
