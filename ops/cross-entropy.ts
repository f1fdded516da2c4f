// Legend: M rows (tokens), C hidden size, V vocabulary.
import * as tf from '@tensorflow/tfjs';
import { hasKernel, onTape, runKernel, tapeIsOn } from './fused.js';
import { gradientOf } from './gradients.js';
import { logProbs } from './log-probs.js';
import { precision } from './precision.js';

/**
 * scale · Σ −log softmax(hidden · tableᵀ)[target], over the rows whose target is not -1. Logits are computed for some rows at a time;
 * under a tape their gradient is taken at once, so that they are computed a single time and [M, V] is never in memory.
 *
 * @param hidden  [M, C] float32.
 * @param table   [V, C].
 * @param targets [M] int32; -1 is ignored.
 * @returns       scalar.
 */
export function crossEntropy(hidden: tf.Tensor2D, table: tf.Tensor2D, targets: tf.Tensor1D, scale: number): tf.Scalar {
  if (hasKernel('FourfoldCrossEntropy')) return fusedCrossEntropy(hidden, table, targets, scale);
  return tf.tidy(() => tf.mul(tf.sum(logProbs(hidden, table, targets).logProbs), -scale) as tf.Scalar);
}

/** −log softmax(hidden · tableᵀ)[target] of each row, [M]; 0 where the target is -1. Without gradient: for evaluation. */
export function tokenLosses(hidden: tf.Tensor2D, table: tf.Tensor2D, targets: tf.Tensor1D): tf.Tensor1D {
  if (!hasKernel('FourfoldCrossEntropy')) return tf.tidy(() => tf.neg(logProbs(hidden, table, targets).logProbs));
  const [loss, nll] = runKernel(
    'FourfoldCrossEntropy',
    { hidden, table, targets },
    { scale: 1, bf16: precision() === 'bf16', gradients: false },
  );
  loss.dispose();
  return nll as tf.Tensor1D;
}

function fusedCrossEntropy(hidden: tf.Tensor2D, table: tf.Tensor2D, targets: tf.Tensor1D, scale: number): tf.Scalar {
  const buffer = gradientOf(table);
  const attributes = { scale, bf16: precision() === 'bf16', gradients: tapeIsOn() };
  const [loss, nll, ...gradients] = runKernel('FourfoldCrossEntropy', { hidden, table, targets }, attributes);
  const inputs: Record<string, tf.Tensor> = buffer ? { hidden } : { hidden, table };
  onTape('FourfoldCrossEntropy', inputs, [loss], gradients, ([dy], [dhidden, dtable]) => {
    const target = buffer ?? tf.zerosLike(dtable);
    const [dx] = runKernel('FourfoldCrossEntropyGrad', { dhidden, dtable, dy, target });
    return { hidden: dx, ...(!buffer && { table: target }) };
  });
  for (const tensor of [nll, ...gradients]) tensor.dispose();
  return loss as tf.Scalar;
}
