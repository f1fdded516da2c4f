import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs';
import { embedding } from '../../ops/embedding.js';
import { accumulateGradients } from '../../ops/gradients.js';
import {
  assertClose,
  assertSameBitsOnAnyThreads,
  float64,
  gradientsOf,
  onEveryDevice,
  onNative,
  randomIntegers,
  randomTensor,
} from './conformance.js';

/** Rows of the table, and the rows of dy added back to them. */
function oracle(C: number, ids: ArrayLike<number>, table: Float64Array, dy: Float64Array): Float64Array[] {
  const y = new Float64Array(ids.length * C);
  const dtable = new Float64Array(table.length);
  for (let i = 0; i < ids.length * C; i++) {
    const from = ids[Math.floor(i / C)] * C + (i % C);
    y[i] = table[from];
    dtable[from] += dy[i];
  }
  return [y, dtable];
}

describe('embedding', () => {
  for (const [B, T, V, C] of [
    [1, 1, 1, 1],
    [3, 7, 5, 33],
    [2, 64, 65, 384],
    [4, 100, 1000, 65],
    [0, 5, 9, 16],
  ]) {
    onEveryDevice(`takes [${B}, ${T}] rows of [${V}, ${C}], and adds their gradients back`, async ({ name: device }) => {
      const ids = tf.tensor2d(randomIntegers(B * T, 1, 0, V), [B, T], 'int32');
      const table = randomTensor([V, C], 2);
      const dy = randomTensor([B, T, C], 3);
      if (B === 0 && device !== 'native') return; // tfjs refuses a segment sum of nothing
      const { value, gradients } = gradientsOf((table) => embedding(ids, table as tf.Tensor2D), [table], dy);
      const [y, dtable] = oracle(C, await ids.data(), await float64(table), await float64(dy));
      assert.deepEqual(value.shape, [B, T, C]);
      await assertClose(value, y);
      await assertClose(gradients[0], dtable, { K: B * T });
    });
  }

  onEveryDevice('adds to the gradient buffer of a table that is used twice', async () => {
    const ids = tf.tensor2d([1, 1, 0, 2], [2, 2], 'int32');
    const table = tf.variable(randomTensor([4, 3], 1) as tf.Tensor2D);
    const buffer = tf.variable(tf.ones([4, 3]));
    const loss = () => tf.sum(tf.add(embedding(ids, table), embedding(tf.reverse(ids, 1), table))) as tf.Scalar;
    accumulateGradients(new Map([['table', table]]), new Map([['table', buffer]]), loss);
    await assertClose(buffer, [3, 3, 3, 5, 5, 5, 3, 3, 3, 1, 1, 1]);
    table.dispose();
    buffer.dispose();
  });

  onNative('names an id outside the table', () => {
    const table = tf.zeros([4, 3]) as tf.Tensor2D;
    assert.throws(() => embedding(tf.tensor1d([0, 4], 'int32'), table), /embedding: the id is outside the table; received 4/);
    assert.throws(() => embedding(tf.tensor1d([-1], 'int32'), table), /received -1/);
  });

  onNative('has the same bits on any number of threads', async () => {
    const ids = tf.tensor2d(randomIntegers(600, 1, 0, 20), [3, 200], 'int32');
    const [table, dy] = [randomTensor([20, 300], 2), randomTensor([3, 200, 300], 3)];
    await assertSameBitsOnAnyThreads(() => {
      const { value, gradients } = gradientsOf((table) => embedding(ids, table as tf.Tensor2D), [table], dy);
      return [value, ...gradients];
    });
  });
});
