// Legend: M rows (tokens), C hidden size, V vocabulary.
import * as tf from '@tensorflow/tfjs';
import { hasKernel, onTape, runKernel, tapeIsOn } from './fused.js';
import { gradientPlace } from './gradients.js';
import { logProbs, rowBlocks } from './log-probs.js';
import { precision } from './precision.js';

export interface CrossEntropyOptions {
  /** [M] float32: what a row counts; default 1. What it holds in ignored rows has no effect, as long as it is finite. */
  weights?: tf.Tensor1D;
  /** The share ε of the target distribution that is spread evenly over the vocabulary; default 0. */
  labelSmoothing?: number;
  /** Factor of the sum; default 1. */
  scale?: number;
}

/**
 * scale · Σ weight · ((1 − ε) · nll + ε · mean_v(−log p_v)) over the rows whose target is not -1, with p = softmax(hidden · tableᵀ) and
 * nll = −log p[target]. Logits are computed for some rows at a time; under a tape their gradient is taken at once, so that they are computed
 * a single time and [M, V] is never in memory. Natively an ignored row costs nothing, and no row's bits depend on which others are ignored.
 *
 * @param hidden  [M, C] float32.
 * @param table   [V, C].
 * @param targets [M] int32; -1 is ignored.
 * @returns       scalar.
 * Source: label smoothing as torch.nn.CrossEntropyLoss(label_smoothing) and Hugging Face's LabelSmoother; Szegedy et al. 2016, section 7.
 */
export function crossEntropy(hidden: tf.Tensor2D, table: tf.Tensor2D, targets: tf.Tensor1D, options: CrossEntropyOptions = {}): tf.Scalar {
  return (hasKernel('FourfoldCrossEntropy') ? fusedCrossEntropy : composedCrossEntropy)(hidden, table, targets, options);
}

export interface TokenLosses {
  /** [M] float32: −log p(target); 0 where the target is -1. */
  losses: tf.Tensor1D;
  /** [M] int32: 1 where the target is the likeliest token (of several the one with the lowest id, as argMax); 0 where the target is -1. */
  correct: tf.Tensor1D;
}

/** Of each row the loss, and whether the likeliest token is the target. Without gradient: for evaluation. */
export function tokenLosses(hidden: tf.Tensor2D, table: tf.Tensor2D, targets: tf.Tensor1D): TokenLosses {
  if (!hasKernel('FourfoldCrossEntropy')) return composedTokenLosses(hidden, table, targets);
  const attributes = { scale: 1, smoothing: 0, precision: precision(), correct: true };
  const [loss, losses, correct] = runKernel('FourfoldCrossEntropy', { hidden, table, targets }, attributes) as tf.Tensor1D[];
  loss.dispose();
  return { losses, correct };
}

function fusedCrossEntropy(
  hidden: tf.Tensor2D,
  table: tf.Tensor2D,
  targets: tf.Tensor1D,
  { weights, labelSmoothing = 0, scale = 1 }: CrossEntropyOptions,
): tf.Scalar {
  const place = gradientPlace(table);
  const gradient = { dhidden: tapeIsOn(), dtable: tapeIsOn() && place.wanted };
  const attributes = { scale, smoothing: labelSmoothing, precision: precision(), ...gradient };
  const [loss, losses, ...gradients] = runKernel('FourfoldCrossEntropy', { hidden, table, targets, weights }, attributes);
  const inputs: Record<string, tf.Tensor> = { hidden, ...(place.overTape && { table }) };
  onTape('FourfoldCrossEntropy', inputs, [loss], gradients, ([dy], [dhidden, dtable]) => {
    const target = dtable && place.target();
    const [dx] = runKernel('FourfoldCrossEntropyGrad', { dhidden, dtable, dy, target });
    return { hidden: dx, ...(place.overTape && { table: target! }) };
  });
  for (const tensor of [losses, ...gradients]) tensor.dispose();
  return loss as tf.Scalar;
}

function composedCrossEntropy(
  hidden: tf.Tensor2D,
  table: tf.Tensor2D,
  targets: tf.Tensor1D,
  { weights, labelSmoothing = 0, scale = 1 }: CrossEntropyOptions,
): tf.Scalar {
  return tf.tidy(() => {
    const { logProbs: own, logSumExp } = logProbs(hidden, table, targets);
    let rows: tf.Tensor = own;
    if (labelSmoothing !== 0) {
      const meanLogit = tf.reshape(tf.matMul(hidden, tf.mean(table, 0, true), false, true), [-1]); // [M]
      const meanLogP = tf.mul(tf.sub(meanLogit, logSumExp), tf.cast(tf.greaterEqual(targets, 0), 'float32'));
      rows = tf.add(tf.mul(own, 1 - labelSmoothing), tf.mul(meanLogP, labelSmoothing));
    }
    return tf.mul(tf.sum(weights ? tf.mul(rows, weights) : rows), -scale) as tf.Scalar;
  });
}

function composedTokenLosses(hidden: tf.Tensor2D, table: tf.Tensor2D, targets: tf.Tensor1D): TokenLosses {
  const [losses, correct] = tf.tidy(() => {
    const likeliest = rowBlocks(hidden, table).map((rows) => tf.tidy(() => tf.argMax(tf.matMul(rows, table, false, true), 1)));
    const ids = likeliest.length > 0 ? tf.concat(likeliest) : tf.zeros([0], 'int32');
    return [tf.neg(logProbs(hidden, table, targets).logProbs), tf.cast(tf.equal(ids, targets), 'int32')];
  });
  return { losses: losses as tf.Tensor1D, correct: correct as tf.Tensor1D };
}
