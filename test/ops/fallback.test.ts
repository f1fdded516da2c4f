import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs';
import { useDevice } from '../../backends/device.js';
import { loadAddon } from '../../backends/native/addon.js';
import { fallbackCounts, fallbackReport } from '../../backends/native/fallback-counts.js';
import { assertClose, gradientsOf, onDevices, onEveryDevice, onNative, randomTensor } from './conformance.js';

/** Ops that native leaves to tfjs's CPU kernels. */
const OPS: Record<string, [kernel: string, (x: tf.Tensor2D) => tf.Tensor]> = {
  elu: ['Elu', (x) => tf.elu(x)],
  topk: ['TopK', (x) => tf.topk(x, 3).values],
  einsum: ['Einsum', (x) => tf.einsum('ij,kj->ik', x, x)],
  'sum of logical int32': ['Square', (x) => tf.square(tf.cast(tf.mul(x, 5), 'int32'))],
  'multiplication of booleans': ['Multiply', (x) => tf.mul(tf.greater(x, 0), tf.less(x, 1))],
};

describe("tfjs's CPU kernels on the native engine's memory", () => {
  for (const [name, [kernel, op]] of Object.entries(OPS)) {
    onNative(`${name} gives what tfjs gives, and is counted`, async () => {
      await useDevice('cpu');
      const expected = op(randomTensor([5, 7], 3) as tf.Tensor2D);
      const values = await expected.data();
      await useDevice('native');
      const before = fallbackCounts()[kernel] ?? 0;
      const actual = op(randomTensor([5, 7], 3) as tf.Tensor2D);
      assert.equal(fallbackCounts()[kernel], before + 1);
      assert.deepEqual([actual.shape, actual.dtype], [expected.shape, expected.dtype]);
      await assertClose(actual, values, { K: 7 });
    });
  }

  onNative('leave nothing behind and alias nothing: 20,000 calls', async () => {
    const x = randomTensor([4, 4], 5);
    const y = tf.elu(x);
    const first = await y.data();
    const { buffers } = loadAddon().addon!.memory();
    for (let i = 0; i < 20000; i++) tf.elu(x).dispose();
    assert.equal(loadAddon().addon!.memory().buffers, buffers);
    x.dispose();
    const other = tf.fill([4, 4], 9); // takes x's place
    assert.deepEqual(await y.data(), first);
    other.dispose();
  });

  onNative('are named for the user, the most frequent first', () => {
    tf.elu(randomTensor([2], 1));
    assert.match(fallbackReport() ?? '', /^slower, on tfjs's CPU kernels .*: Elu \d+×, /);
  });

  onNative('cannot take what the engine cannot hold', () => {
    assert.throws(() => tf.complex([1], [2]), /tensors of complex64 are not supported/);
  });
});

describe('gradients that need kernels which wasm lacks', () => {
  onEveryDevice('of gathered rows', async () => {
    const ids = tf.tensor1d([2, 0, 2], 'int32');
    const { gradients } = gradientsOf((x) => tf.gather(x, ids), [randomTensor([4, 2], 1)], tf.tensor([1, 2, 3, 4, 5, 6], [3, 2]));
    await assertClose(gradients[0], [3, 4, 0, 0, 6, 8, 0, 0]);
  });
  onDevices(['wasm'], 'einsum', async () => {
    await assertClose(tf.einsum('ij,j->i', tf.tensor([1, 2, 3, 4], [2, 2]), tf.tensor([1, 10])), [21, 43]);
  });
});
