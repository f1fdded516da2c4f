import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs';
import { overwrite } from '../../backends/recording.js';
import { dropout } from '../../ops/dropout.js';
import { philox } from '../../util/random.js';
import { assertClose, assertSameBitsOnAnyThreads, gradientsOf, onEveryDevice, onNative, randomTensor } from './conformance.js';

interface Key {
  seed?: number;
  step?: number;
  micro?: number;
}

function keyOf({ seed = 7, step = 3, micro = 0 }: Key): tf.Variable {
  const key = tf.variable(tf.zeros([4], 'int32'), false);
  overwrite(key, Int32Array.of(seed | 0, Math.floor(seed / 2 ** 32), step, micro));
  return key;
}

/** What is kept of a tensor of ones. */
async function mask(shape: number[], p: number, site: number, values: Key = {}): Promise<number[]> {
  const key = keyOf(values);
  const y = dropout(tf.ones(shape), p, key as tf.Tensor as tf.Tensor1D, site);
  key.dispose();
  return [...(await y.data())];
}

describe('dropout', () => {
  for (const shape of [
    [1, 1],
    [5, 63],
    [2, 3, 130],
    [3, 64],
    [0, 8],
  ]) {
    onEveryDevice(`keeps in [${shape}] what Philox says, scaled, and the gradient keeps the same`, async () => {
      const [p, site, C] = [0.3, 5, shape[shape.length - 1]];
      const key = keyOf({ seed: 2 ** 40 + 11, step: 9, micro: 2 });
      const [x, dy] = [randomTensor(shape, 1), randomTensor(shape, 2)];
      const { value, gradients } = gradientsOf((x) => dropout(x, p, key as tf.Tensor as tf.Tensor1D, site), [x], dy);
      const rows = x.size / C;
      const factor = Array.from({ length: x.size }, (_, i) => {
        const [row, column] = [2 * rows + Math.floor(i / C), i % C];
        const words = philox([11, 2 ** 8], [Math.floor(column / 64) * 16 + (column % 16), row, 9, site]);
        return words[Math.floor(column / 16) % 4] / 2 ** 32 < p ? 0 : 1 / (1 - p);
      });
      const [x64, dy64] = await Promise.all([x.data(), dy.data()]);
      await assertClose(
        value,
        factor.map((f, i) => f * x64[i]),
      );
      await assertClose(
        gradients[0],
        factor.map((f, i) => f * dy64[i]),
      );
      key.dispose();
    });
  }

  onEveryDevice('drops the share that is asked for', async () => {
    for (const p of [0, 0.1, 0.5, 0.9]) {
      const kept = (await mask([100, 200], p, 0)).filter((value) => value > 0).length / 20000;
      assert.ok(Math.abs(kept - (1 - p)) < 4 * Math.sqrt((p * (1 - p)) / 20000) + 1e-12, `p ${p}: kept ${kept}`);
    }
  });

  onEveryDevice('draws anew for every seed, step, site and row', async () => {
    const masks = await Promise.all([
      mask([1, 256], 0.5, 0),
      mask([1, 256], 0.5, 1),
      mask([1, 256], 0.5, 0, { seed: 8 }),
      mask([1, 256], 0.5, 0, { step: 4 }),
      mask([1, 256], 0.5, 0, { micro: 1 }),
    ]);
    assert.equal(new Set(masks.map(String)).size, masks.length);
  });

  onEveryDevice('drops in k micro-batches what it drops in the one large batch', async () => {
    const whole = await mask([4, 3, 40], 0.5, 2);
    const parts = await Promise.all([0, 1].map((micro) => mask([2, 3, 40], 0.5, 2, { micro })));
    assert.deepEqual(parts.flat(), whole);
  });

  onNative('has the same bits on any number of threads', async () => {
    const x = randomTensor([200, 300], 1);
    const key = keyOf({});
    await assertSameBitsOnAnyThreads(() => dropout(x, 0.2, key as tf.Tensor as tf.Tensor1D, 1));
    key.dispose();
  });
});
