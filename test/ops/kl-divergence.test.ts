import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs';
import { klDivergence } from '../../ops/kl-divergence.js';
import { assertSameBitsOnAnyThreads, float64, onEveryDevice, onNative, randomTensor } from './conformance.js';

/** log softmax(table · h / temperature) by plain loops. */
function logSoftmax(h: ArrayLike<number>, table: ArrayLike<number>, V: number, temperature: number): number[] {
  const C = h.length;
  const logits = Array.from({ length: V }, (_, v) => Array.from(h, (x, c) => x * table[v * C + c]).reduce((a, b) => a + b) / temperature);
  const top = Math.max(...logits);
  const total = Math.log(logits.reduce((sum, x) => sum + Math.exp(x - top), 0)) + top;
  return logits.map((x) => x - total);
}

/** Every fifth row is ignored. */
const targetsOf = (M: number) => tf.tensor1d(Int32Array.from({ length: M }, (_, m) => (m % 5 === 3 ? -1 : 0)), 'int32'); // biome-ignore format: short

describe('the divergence of two models', () => {
  // 2,100 rows are several blocks; the models differ in width.
  for (const [M, C, D, V] of [
    [1, 3, 3, 2],
    [7, 5, 8, 33],
    [2100, 4, 4, 9],
  ]) {
    // biome-ignore format: rows
    onEveryDevice(`is Σ p·(log p − log q) of ${M} rows over ${V} tokens, 0 where a row is ignored`, async () => {
      const p = { hidden: randomTensor([M, C], 1) as tf.Tensor2D, table: randomTensor([V, C], 2) as tf.Tensor2D };
      const q = { hidden: randomTensor([M, D], 3) as tf.Tensor2D, table: randomTensor([V, D], 4) as tf.Tensor2D };
      const found = await klDivergence(p, q, targetsOf(M), 0.7).data();
      const [ph, pt, qh, qt] = await Promise.all([p.hidden, p.table, q.hidden, q.table].map(float64));
      for (let m = 0; m < M; m += Math.max(1, M >> 5)) {
        if (m % 5 === 3) {
          assert.equal(found[m], 0);
          continue;
        }
        const own = logSoftmax(ph.slice(m * C, (m + 1) * C), pt, V, 0.7);
        const other = logSoftmax(qh.slice(m * D, (m + 1) * D), qt, V, 0.7);
        const expected = own.reduce((sum, log, v) => sum + Math.exp(log) * (log - other[v]), 0);
        assert.ok(Math.abs(found[m] - expected) < 1e-5 * Math.max(1, expected), `row ${m}: ${found[m]}, not ${expected}`);
      }
    });
  }

  onEveryDevice('is 0 of a model and itself', async () => {
    const p = { hidden: randomTensor([5, 6], 1) as tf.Tensor2D, table: randomTensor([11, 6], 2) as tf.Tensor2D };
    for (const value of await klDivergence(p, p, targetsOf(5), 1).data()) assert.equal(value, 0);
  });

  onNative('has the same bits on any number of threads', async () => {
    const p = { hidden: randomTensor([300, 24], 1) as tf.Tensor2D, table: randomTensor([70, 24], 2) as tf.Tensor2D };
    const q = { hidden: randomTensor([300, 24], 3) as tf.Tensor2D, table: randomTensor([70, 24], 4) as tf.Tensor2D };
    await assertSameBitsOnAnyThreads(() => klDivergence(p, q, targetsOf(300), 0.7));
  });
});
