import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs';
import { accumulateGradients } from '../../ops/gradients.js';
import { addLayerNorm, layerNorm } from '../../ops/layer-norm.js';
import { addRmsNorm, rmsNorm } from '../../ops/rms-norm.js';
import { type NormShape, normGradientOracle, normOracle } from '../oracles/norm.js';
import {
  assertClose,
  assertGradientOf,
  assertSameBitsOnAnyThreads,
  bitsOf,
  float64,
  gradientsOf,
  onEveryDevice,
  onNative,
  randomArray,
  randomTensor,
} from './conformance.js';

const SHAPES = [
  [1, 1],
  [3, 5],
  [1, 48],
  [70, 80],
  [33, 129],
  [0, 16],
  [65, 384],
];
const eps = 1e-5;

for (const kind of ['rms norm', 'layer norm', 'layer norm without bias'] as const) {
  const centred = kind !== 'rms norm';
  const withBias = kind === 'layer norm';
  const parameters = (C: number) => [randomTensor([C], 3), ...(withBias ? [randomTensor([C], 4)] : [])];
  const norm = (x: tf.Tensor, [w, b]: tf.Tensor[]) =>
    centred ? layerNorm(x, w as tf.Tensor1D, b as tf.Tensor1D | undefined, eps) : rmsNorm(x, w as tf.Tensor1D, eps);
  const addNorm = (x: tf.Tensor, delta: tf.Tensor, [w, b]: tf.Tensor[]) =>
    centred ? addLayerNorm(x, delta, w as tf.Tensor1D, b as tf.Tensor1D | undefined, eps) : addRmsNorm(x, delta, w as tf.Tensor1D, eps);

  describe(kind, () => {
    it('has an oracle whose gradients are those of its value', () => {
      const shape: NormShape = { M: 3, C: 5, eps, centred };
      const [x, w, b, dy] = [15, 5, 5, 15].map((size, i) => Float64Array.from(randomArray(size, i)));
      assertGradientOf((x, w, b) => normOracle(shape, x, w, b), normGradientOracle(shape, x, w, dy), [x, w, b], dy);
    });

    for (const [M, C] of SHAPES) {
      const shape: NormShape = { M, C, eps, centred };
      onEveryDevice(`normalises [${M}, ${C}], with gradients`, async ({ name: device }) => {
        const x = randomTensor([M, C], 1);
        const dy = randomTensor([M, C], 2);
        const given = parameters(C);
        const { value, gradients } = gradientsOf((x, ...rest) => norm(x, rest), [x, ...given], dy);
        const [x64, w64, b64, dy64] = await Promise.all([x, given[0], given[1] ?? tf.zeros([C]), dy].map(float64));
        await assertClose(value, normOracle(shape, x64, w64, b64), { K: C });
        const expected = normGradientOracle(shape, x64, w64, dy64);
        // One element alone has no variance: what should cancel is multiplied by 1/√eps.
        await assertClose(gradients[0], expected[0], { K: C, scale: C === 1 ? 1 / Math.sqrt(eps) : 10, name: 'dx' });
        if (M === 0 && device === 'wasm') return; // tfjs's wasm kernel sums nothing to what was in memory
        await assertClose(gradients[1], expected[1], { K: C + M, scale: 10, name: 'dweight' });
        if (withBias) await assertClose(gradients[2], expected[2], { K: M, scale: 10, name: 'dbias' });
      });
    }

    onEveryDevice('adds the branch first, and its gradient reaches both', async () => {
      const [M, C] = [37, 50];
      const shape: NormShape = { M, C, eps, centred };
      const [x, delta, a, b] = [1, 2, 5, 6].map((seed) => randomTensor([M, C], seed));
      const given = parameters(C);
      const { value, gradients } = gradientsOf(
        (x, delta, ...rest) => {
          const [total, y] = addNorm(x, delta, rest);
          return tf.add(tf.mul(total, a), tf.mul(y, b));
        },
        [x, delta, ...given],
        tf.onesLike(x),
      );
      const [x64, d64, a64, b64, w64, bias64] = await Promise.all([x, delta, a, b, given[0], given[1] ?? tf.zeros([C])].map(float64));
      const total = x64.map((v, i) => v + d64[i]);
      const y = normOracle(shape, total, w64, bias64);
      await assertClose(
        value,
        y.map((v, i) => v * b64[i] + total[i] * a64[i]),
        { K: C },
      );
      const [dx, dw] = normGradientOracle(shape, total, w64, b64);
      const expected = dx.map((v, i) => v + a64[i]);
      await assertClose(gradients[0], expected, { K: C, name: 'dx' });
      await assertClose(gradients[1], expected, { K: C, name: 'ddelta' });
      await assertClose(gradients[2], dw, { K: C + M, name: 'dweight' });
    });

    onEveryDevice('adds the gradients of parameters to what their buffers hold', async () => {
      const [M, C] = [40, 33];
      const tensors = [randomTensor([M, C], 1), ...parameters(C)];
      const variables = new Map(tensors.map((tensor, i) => [`${i}`, tf.variable(tensor)]));
      const buffers = new Map([...variables].map(([name, v]) => [name, tf.variable(tf.onesLike(v as tf.Tensor))]));
      const [x, ...rest] = variables.values();
      for (let i = 0; i < 2; i++) accumulateGradients(variables, buffers, () => tf.sum(norm(x, rest)));
      const [x64, w64] = await Promise.all([x, rest[0]].map(float64));
      const expected = normGradientOracle({ M, C, eps, centred }, x64, w64, new Float64Array(M * C).fill(1));
      for (const [i, buffer] of [...buffers.values()].entries()) {
        await assertClose(
          buffer,
          expected[i].map((v) => 2 * v + 1),
          { K: C + M, scale: 10 },
        );
      }
      for (const variable of [...variables.values(), ...buffers.values()]) variable.dispose();
    });

    onNative('has the same bits on any number of threads, and for a row alone', async () => {
      const [x, dy] = [randomTensor([131, 200], 1), randomTensor([131, 200], 2)];
      const given = parameters(200);
      await assertSameBitsOnAnyThreads(() => {
        const { value, gradients } = gradientsOf((x, ...rest) => norm(x, rest), [x, ...given], dy);
        return [value, ...gradients];
      });
      const alone = norm(tf.slice(x, [77, 0], [1, 200]), given);
      assert.deepEqual(await bitsOf(alone), await bitsOf(tf.slice(norm(x, given), [77, 0], [1, 200])));
    });

    onEveryDevice('stays finite for large values and shows NaN', async () => {
      const large = tf.mul(randomTensor([2, 20], 1), 1e4);
      const y = await norm(large, parameters(20)).data();
      assert.ok(y.every(Number.isFinite));
      const poisoned = tf.tensor2d([[1, Number.NaN, 2]]);
      assert.ok((await norm(poisoned, [tf.ones([3])]).data()).every(Number.isNaN));
    });
  });
}
