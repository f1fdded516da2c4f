import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs';
import { overwrite } from '../../backends/recording.js';
import { noise } from '../../ops/noise.js';
import { philox } from '../../util/random.js';
import { assertSameBitsOnAnyThreads, gradientsOf, onEveryDevice, onNative, randomTensor } from './conformance.js';

function keyOf({ seed = 7, step = 3, micro = 0 } = {}): tf.Tensor1D {
  const key = tf.variable(tf.zeros([4], 'int32'), false);
  overwrite(key, Int32Array.of(seed | 0, Math.floor(seed / 2 ** 32), step, micro));
  return key as tf.Tensor as tf.Tensor1D;
}

/** What is added to zeros in rows of scale 1. */
async function drawn(shape: number[], site: number, values: Parameters<typeof keyOf>[0] = {}): Promise<number[]> {
  const key = keyOf(values);
  const y = noise(tf.zeros(shape), tf.ones(shape.slice(0, -1)), key, site);
  key.dispose();
  return [...(await y.data())];
}

describe('noise', () => {
  for (const shape of [
    [1, 1],
    [5, 63],
    [2, 3, 130],
    [3, 64],
    [0, 8],
  ]) {
    onEveryDevice(`adds to [${shape}] what Philox says by each row's scale, to the bit; its gradient is that of x`, async () => {
      const [site, C] = [5, shape[shape.length - 1]];
      const key = keyOf({ seed: 2 ** 40 + 11, step: 9, micro: 2 });
      const [x, dy] = [randomTensor(shape, 1), randomTensor(shape, 2)];
      const rows = x.size / C;
      const scales = Float32Array.from({ length: rows }, (_, i) => (i % 3 === 1 ? 0 : 0.3 * (i + 1)));
      const scale = tf.tensor(scales, shape.slice(0, -1));
      const { value, gradients } = gradientsOf((x) => noise(x, scale, key, site), [x], dy);
      const x64 = await x.data();
      const expected = Float32Array.from({ length: x.size }, (_, i) => {
        const [row, column] = [Math.floor(i / C), i % C];
        const words = philox([11, 2 ** 8], [Math.floor(column / 64) * 16 + (column % 16), 2 * rows + row, 9, site]);
        // The word's upper 24 bits say in which of 2^24 equal parts of (-1, 1) the number is; it is the middle of that part.
        const u = (Math.floor(words[Math.floor(column / 16) % 4] / 2 ** 8) + 0.5) / 2 ** 23 - 1;
        return x64[i] + Math.fround(scales[row] * u);
      });
      assert.deepEqual(await value.data(), expected);
      assert.deepEqual(await gradients[0].data(), await dy.data());
      key.dispose();
    });
  }

  onEveryDevice('is uniform in (-1, 1): mean 0, variance 1/3, fourth moment 1/5', async () => {
    const values = await drawn([100, 200], 0);
    const moment = (power: number) => values.reduce((sum, u) => sum + u ** power, 0) / values.length;
    assert.ok(values.every((u) => u > -1 && u < 1 && u !== 0));
    assert.ok(Math.abs(moment(1)) < 4 * Math.sqrt(1 / 3 / 20000), `mean ${moment(1)}`);
    assert.ok(Math.abs(moment(2) - 1 / 3) < 4 * Math.sqrt(4 / 45 / 20000), `second moment ${moment(2)}`);
    assert.ok(Math.abs(moment(4) - 1 / 5) < 4 * Math.sqrt(16 / 225 / 20000), `fourth moment ${moment(4)}`);
  });

  onEveryDevice('draws anew for every seed, step, site and row', async () => {
    const draws = await Promise.all([
      drawn([1, 64], 0),
      drawn([1, 64], 1),
      drawn([1, 64], 0, { seed: 8 }),
      drawn([1, 64], 0, { step: 4 }),
      drawn([1, 64], 0, { micro: 1 }),
    ]);
    assert.equal(new Set(draws.map(String)).size, draws.length);
  });

  onEveryDevice('draws in k micro-batches what it draws in the one large batch', async () => {
    const whole = await drawn([4, 3, 40], 2);
    const parts = await Promise.all([0, 1].map((micro) => drawn([2, 3, 40], 2, { micro })));
    assert.deepEqual(parts.flat(), whole);
  });

  onNative('has the same bits on any number of threads', async () => {
    const [x, scale] = [randomTensor([200, 300], 1), randomTensor([200], 2)];
    const key = keyOf({});
    await assertSameBitsOnAnyThreads(() => noise(x, scale, key, 1));
    key.dispose();
  });
});
