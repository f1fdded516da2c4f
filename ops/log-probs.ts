// Legend: M rows (tokens), C hidden size, V vocabulary.
import * as tf from '@tensorflow/tfjs';
import { hasKernel, offTape, onTape, runKernel } from './fused.js';
import { gradientPlace } from './gradients.js';
import { precision } from './precision.js';

export interface LogProbs {
  /** log p(target). */
  logProbs: tf.Tensor1D;
  /** −Σ p log p, in nats. */
  entropy: tf.Tensor1D;
  /** log Σ e^(logit / temperature). */
  logSumExp: tf.Tensor1D;
}

/**
 * Of each row's distribution softmax(hidden · tableᵀ / temperature): the log-probability of the target, the entropy and the log-sum-exp, each
 * with its gradient. Logits are computed for some rows at a time, and again in the backward pass: [M, V] is never in memory. Natively an
 * ignored row costs nothing.
 *
 * @param hidden  [M, C] float32.
 * @param table   [V, C].
 * @param targets [M] int32; -1 is ignored: such a row gives 0 and no gradient.
 * @returns       three tensors [M].
 */
export function logProbs(
  hidden: tf.Tensor2D,
  table: tf.Tensor2D,
  targets: tf.Tensor1D,
  { temperature = 1 }: { temperature?: number } = {},
): LogProbs {
  const run = hasKernel('FourfoldLogProbs') ? fusedLogProbs : composedLogProbs;
  const [logProbs, entropy, logSumExp] = run(hidden, table, targets, temperature) as tf.Tensor1D[];
  return { logProbs, entropy, logSumExp };
}

function fusedLogProbs(hidden: tf.Tensor2D, table: tf.Tensor2D, targets: tf.Tensor1D, temperature: number): tf.Tensor[] {
  const attributes = { temperature, precision: precision() };
  const place = gradientPlace(table);
  const outputs = runKernel('FourfoldLogProbs', { hidden, table, targets }, attributes);
  const inputs: Record<string, tf.Tensor> = { hidden, ...(place.overTape && { table }) };
  const kept = [hidden, table, targets, outputs[1], outputs[2]];
  return onTape('FourfoldLogProbs', inputs, outputs, kept, (dys, [hidden, table, targets, entropy, logSumExp]) => {
    const dtable = place.target();
    const [dLogProbs, dEntropy, dLogSumExp] = dys;
    const given = { hidden, table, targets, entropy, logSumExp, dLogProbs, dEntropy, dLogSumExp, dtable };
    const [dhidden] = runKernel('FourfoldLogProbsGrad', given, attributes);
    return { hidden: dhidden, ...(place.overTape && { table: dtable! }) };
  });
}

/** Rows a block: about 4 MB of logits. */
function rowsTogether(V: number): number {
  return Math.min(1024, Math.max(64, Math.floor(2 ** 20 / V)));
}

/** The rows of hidden [M, C], so many at a time that their logits are no more than about 4 MB. */
export function rowBlocks(hidden: tf.Tensor2D, table: tf.Tensor2D): tf.Tensor2D[] {
  const [M, together] = [hidden.shape[0], rowsTogether(table.shape[0])];
  return Array.from({ length: Math.ceil(M / together) }, (_, i) =>
    tf.slice(hidden, [i * together, 0], [Math.min(together, M - i * together), -1]),
  );
}

/** The block's logits as far as the values and their gradients need them; `counted` is 1 in rows whose target is not -1. */
function block(hidden: tf.Tensor2D, table: tf.Tensor2D, targets: tf.Tensor1D, temperature: number, from: number) {
  const rows = Math.min(rowsTogether(table.shape[0]), hidden.shape[0] - from);
  const h = tf.slice(hidden, [from, 0], [rows, -1]);
  const own = tf.slice(targets, [from], [rows]);
  const logits = tf.div(tf.matMul(h, table, false, true), temperature); // [rows, V]
  const top = tf.max(logits, 1, true);
  const below = tf.sub(logits, top);
  const logTotal = tf.log(tf.sum(tf.exp(below), 1, true)); // [rows, 1]
  const logP = tf.sub(below, logTotal);
  const p = tf.exp(logP);
  const target = tf.oneHot(own, table.shape[0]); // all 0 for -1
  const counted = tf.cast(tf.greaterEqual(own, 0), 'float32');
  const entropy = tf.neg(tf.sum(tf.mul(p, logP), 1)); // [rows]
  return { h, logP, p, target: tf.cast(target, 'float32'), counted, entropy, logSumExp: tf.reshape(tf.add(top, logTotal), [rows]) };
}

function composedLogProbs(hidden: tf.Tensor2D, table: tf.Tensor2D, targets: tf.Tensor1D, temperature: number): tf.Tensor[] {
  const M = hidden.shape[0];
  const together = rowsTogether(table.shape[0]);
  const blocks = Array.from({ length: Math.ceil(M / together) }, (_, i) => i * together);
  if (M === 0) return [tf.zeros([0]), tf.zeros([0]), tf.zeros([0])];
  const outputs = offTape(() => {
    const parts = blocks.map((from) =>
      tf.tidy(() => {
        const { logP, target, counted, entropy, logSumExp } = block(hidden, table, targets, temperature, from);
        return tf.stack([tf.sum(tf.mul(logP, target), 1), tf.mul(entropy, counted), tf.mul(logSumExp, counted)]); // [3, rows]
      }),
    );
    return tf.unstack(tf.concat(parts, 1));
  });
  const place = gradientPlace(table);
  const inputs: Record<string, tf.Tensor> = { hidden, ...(place.overTape && { table }) };
  return onTape('FourfoldLogProbs', inputs, outputs, [hidden, table, targets], (dys, kept) => {
    const [hidden, table, targets] = kept as [tf.Tensor2D, tf.Tensor2D, tf.Tensor1D];
    let dtable: tf.Tensor | undefined = place.overTape ? tf.zerosLike(table) : undefined;
    const dhidden = blocks.map((from) => {
      const [dh, more] = tf.tidy(() => {
        const { h, logP, p, target, counted, entropy } = block(hidden, table, targets, temperature, from);
        const [dLogProbs, dEntropy, dLogSumExp] = dys.map((dy) => tf.reshape(tf.mul(tf.slice(dy, [from], [h.shape[0]]), counted), [-1, 1]));
        const surprise = tf.add(logP, tf.reshape(entropy, [-1, 1]));
        const perP = tf.sub(tf.sub(dLogSumExp, dLogProbs), tf.mul(dEntropy, surprise));
        const dlogits = tf.div(tf.add(tf.mul(target, dLogProbs), tf.mul(p, perP)), temperature) as tf.Tensor2D; // [rows, V]
        const own = place.put(() => tf.matMul(dlogits, h, true)); // [V, C]
        return [tf.matMul(dlogits, table), ...(own ? [tf.add(dtable!, own)] : [])];
      });
      if (more) dtable?.dispose();
      dtable = more ?? dtable;
      return dh;
    });
    return { hidden: tf.concat(dhidden, 0), ...(dtable && { table: dtable }) };
  });
}
