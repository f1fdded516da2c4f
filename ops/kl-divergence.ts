// Legend: M rows (tokens), C hidden size, V vocabulary.
import * as tf from '@tensorflow/tfjs';
import { hasKernel, runKernel } from './fused.js';
import { linear } from './linear.js';
import { rowBlocks } from './log-probs.js';
import { precision } from './precision.js';

/** Hidden states and the output table [V, C] that makes logits of them. */
export interface Distributions {
  /** [M, C]. */
  hidden: tf.Tensor2D;
  table: tf.Tensor2D;
}

/**
 * Of each row Σ_v p·(log p − log q), the divergence of q from p in nats, with p and q the softmax of logits / temperature. Without gradient;
 * logits are computed for some rows at a time.
 * @param targets [M] int32; -1 is ignored: such a row gives 0. Natively it costs nothing.
 * @returns [M]; never below 0 but for rounding.
 * Source: Kullback and Leibler 1951.
 */
export function klDivergence(p: Distributions, q: Distributions, targets: tf.Tensor1D, temperature: number): tf.Tensor1D {
  if (!hasKernel('FourfoldKlDivergence')) return composedKlDivergence(p, q, targets, temperature);
  const inputs = { hiddenP: p.hidden, tableP: p.table, hiddenQ: q.hidden, tableQ: q.table, targets };
  return runKernel('FourfoldKlDivergence', inputs, { temperature, precision: precision() })[0] as tf.Tensor1D;
}

function composedKlDivergence(p: Distributions, q: Distributions, targets: tf.Tensor1D, temperature: number): tf.Tensor1D {
  const others = rowBlocks(q.hidden, q.table);
  const logP = (hidden: tf.Tensor2D, table: tf.Tensor2D) => tf.logSoftmax(tf.div(linear(hidden, table), temperature)); // [rows, V]
  const parts = rowBlocks(p.hidden, p.table).map((rows, i) =>
    tf.tidy(() => {
      const own = logP(rows, p.table);
      return tf.sum(tf.mul(tf.exp(own), tf.sub(own, logP(others[i], q.table))), 1); // [rows]
    }),
  );
  if (parts.length === 0) return tf.zeros([0]);
  return tf.tidy(() => tf.mul(tf.concat(parts), tf.cast(tf.greaterEqual(targets, 0), 'float32')) as tf.Tensor1D);
}
