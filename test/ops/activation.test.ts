import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs';
import { gelu } from '../../ops/gelu.js';
import { swiglu } from '../../ops/swiglu.js';
import { geluGradientOracle, geluOracle, swigluGradientOracle, swigluOracle } from '../oracles/activation.js';
import {
  assertClose,
  assertGradientOf,
  assertSameBitsOnAnyThreads,
  float64,
  gradientsOf,
  onEveryDevice,
  onNative,
  randomArray,
  randomTensor,
} from './conformance.js';

describe('swiglu', () => {
  it('has an oracle whose gradient is that of its value', () => {
    const [x, dy] = [12, 6].map((size, i) => Float64Array.from(randomArray(size, i)));
    assertGradientOf((x) => swigluOracle(2, 3, x), [swigluGradientOracle(2, 3, x, dy)], [x], dy);
  });

  for (const shape of [
    [1, 1, 2],
    [2, 3, 34],
    [5, 1000],
    [0, 8],
    [3, 7, 192],
  ]) {
    onEveryDevice(`gates [${shape}], with its gradient`, async () => {
      const F = shape[shape.length - 1] / 2;
      const x = randomTensor(shape, 1, { scale: 3 });
      const dy = randomTensor([...shape.slice(0, -1), F], 2);
      const { value, gradients } = gradientsOf((x) => swiglu(x), [x], dy);
      const M = x.size / 2 / F;
      assert.deepEqual(value.shape, dy.shape);
      await assertClose(value, swigluOracle(M, F, await float64(x)));
      await assertClose(gradients[0], swigluGradientOracle(M, F, await float64(x), await float64(dy)), { name: 'gradient' });
    });
  }

  onEveryDevice('stays finite for large values, shows NaN, and refuses an odd width', async () => {
    const y = await swiglu(tf.tensor2d([[1e4, -1e4, Number.NaN, 1e4, 1e4, 1]])).data();
    assert.deepEqual([y[0], Math.abs(y[1]), y[2]], [1e8, 0, Number.NaN]);
    assert.throws(() => swiglu(tf.zeros([2, 3])), /swiglu: the last dimension must be gate and up, 2·F; received \[2, 3\]/);
  });

  onNative('has the same bits on any number of threads', async () => {
    const [x, dy] = [randomTensor([130, 700], 1), randomTensor([130, 350], 2)];
    await assertSameBitsOnAnyThreads(() => {
      const { value, gradients } = gradientsOf((x) => swiglu(x), [x], dy);
      return [value, ...gradients];
    });
  });
});

for (const kind of ['gelu', 'gelu_new'] as const) {
  describe(kind, () => {
    it('has an oracle whose gradient is that of its value', () => {
      const x = Float64Array.of(-5, -3.2, -1, -0.1, 0, 0.3, 1, 2, 3.5, 6.5);
      const dy = Float64Array.from(randomArray(10, 1));
      assertGradientOf((x) => geluOracle(x, kind), [geluGradientOracle(x, kind, dy)], [x], dy);
    });

    for (const shape of [[1], [2, 3, 17], [0, 4], [40000]]) {
      onEveryDevice(`of [${shape}], with its gradient`, async ({ name }) => {
        const x = randomTensor(shape, 1, { scale: 3 });
        const dy = randomTensor(shape, 2);
        const { value, gradients } = gradientsOf((x) => gelu(x, kind), [x], dy);
        await assertClose(value, geluOracle(await float64(x), kind), { scale: 3 });
        await assertClose(gradients[0], geluGradientOracle(await float64(x), kind, await float64(dy)), {
          scale: 3,
          // WGSL promises exp to 3 + 2·|x| ulp only, and TensorFlow's sigmoid is a rational approximation.
          c: name === 'webgpu' || name === 'tensorflow' ? 24 : 8,
          name: 'gradient',
        });
      });
    }

    onNative('is x for large x, 0 for large negative x, and shows NaN', async () => {
      const x = tf.tensor1d([1e4, -1e4, Number.NaN, 1e30]);
      const { value, gradients } = gradientsOf((x) => gelu(x, kind), [x], tf.onesLike(x));
      assert.deepEqual([...(await tf.abs(value).data())], [1e4, 0, Number.NaN, Math.fround(1e30)]);
      await assertClose(gradients[0], [1, 0, Number.NaN, 1]);
    });
  });
}
