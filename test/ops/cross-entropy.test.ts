import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs';
import { crossEntropy, tokenLosses } from '../../ops/cross-entropy.js';
import { accumulateGradients } from '../../ops/gradients.js';
import { setPrecision } from '../../ops/precision.js';
import { crossEntropyGradientOracle, crossEntropyOracle } from '../oracles/cross-entropy.js';
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
  randomIntegers,
  randomTensor,
} from './conformance.js';

const SHAPES = [
  { M: 1, C: 1, V: 2 },
  { M: 5, C: 7, V: 3 },
  { M: 33, C: 48, V: 65 },
  { M: 2100, C: 4, V: 9 }, // several blocks of rows
  { M: 0, C: 8, V: 10 },
];

/** Which rows are ignored. */
const IGNORED: Record<string, (i: number) => boolean> = {
  none: () => false,
  some: (i) => i % 4 === 2,
  'all but a stretch': (i) => i < 2 || i > 20,
  all: () => true,
};

function example({ M, C, V }: { M: number; C: number; V: number }, ignored = IGNORED.some) {
  const targets = randomIntegers(M, 3, 0, V).map((target, i) => (ignored(i) ? -1 : target));
  const weights = randomArray(M, 5).map(Math.abs);
  return {
    hidden: randomTensor([M, C], 1) as tf.Tensor2D,
    table: randomTensor([V, C], 2) as tf.Tensor2D,
    targets: tf.tensor1d(targets, 'int32'),
    ids: targets,
    weights: tf.tensor1d(weights),
    weightValues: weights,
  };
}

describe('cross-entropy from hidden states', () => {
  it('has an oracle whose gradients are those of its value', () => {
    const shape = { M: 3, C: 2, V: 4, targets: [1, -1, 3], weights: [0.5, 1, 2], smoothing: 0.2 };
    const [hidden, table, dy] = [6, 8, 3].map((size, i) => Float64Array.from(randomArray(size, i)));
    const gradients = crossEntropyGradientOracle(shape, hidden, table, dy);
    assertGradientOf((hidden, table) => crossEntropyOracle(shape, hidden, table), gradients, [hidden, table], dy);
  });

  for (const shape of SHAPES) {
    for (const [name, ignored] of Object.entries(IGNORED)) {
      onEveryDevice(`of ${JSON.stringify(shape)}, ignored: ${name}, is the scaled sum over counted rows, with gradients`, async () => {
        const { hidden, table, targets, ids, weights, weightValues } = example(shape, ignored);
        const [scale, dy] = [0.25, 3];
        const [h64, t64] = await Promise.all([hidden, table].map(float64));
        for (const [smoothing, weighted] of [
          [0, false],
          [0.1, true],
        ] as const) {
          const options = { scale, labelSmoothing: smoothing, weights: weighted ? weights : undefined };
          const run = (hidden: tf.Tensor, table: tf.Tensor) => crossEntropy(hidden as tf.Tensor2D, table as tf.Tensor2D, targets, options);
          if (shape.M === 0) {
            await assertClose(run(hidden, table), [0]);
            continue;
          }
          const { value, gradients } = gradientsOf(run, [hidden, table], tf.scalar(dy));
          const oracle = { ...shape, targets: ids, weights: weighted ? weightValues : undefined, smoothing };
          const values = crossEntropyOracle(oracle, h64, t64);
          await assertClose(value, [scale * values.reduce((a, b) => a + b, 0)], { K: shape.C });
          const expected = crossEntropyGradientOracle(oracle, h64, t64, new Float64Array(shape.M).fill(scale * dy));
          await assertClose(gradients[0], expected[0], { K: shape.V, scale: 2, name: 'dhidden' });
          await assertClose(gradients[1], expected[1], { K: shape.M * shape.C, scale: 3, name: 'dtable' });
        }
      });
    }

    onEveryDevice(`of ${JSON.stringify(shape)} of each row without gradient, and whether the likeliest token is the target`, async () => {
      const { hidden, table, targets, ids } = example(shape);
      const [h64, t64] = await Promise.all([hidden, table].map(float64));
      const { losses, correct } = tokenLosses(hidden, table, targets);
      const oracle = { ...shape, targets: ids, smoothing: 0 };
      await assertClose(losses, crossEntropyOracle(oracle, h64, t64), { K: shape.C, name: 'token losses' });
      const ofEach = Array.from({ length: shape.V }, (_, v) => crossEntropyOracle({ ...oracle, targets: ids.map(() => v) }, h64, t64));
      const likeliest = Array.from(ids, (target, m) => (target >= 0 && ofEach.every((loss) => ofEach[target][m] <= loss[m]) ? 1 : 0));
      assert.deepEqual([...(await correct.data())], likeliest);
      assert.deepEqual([correct.shape, correct.dtype], [[shape.M], 'int32']);
    });
  }

  onEveryDevice('calls the first of equally likely tokens the likeliest', async () => {
    const hidden = tf.ones([4, 1]) as tf.Tensor2D;
    const table = tf.tensor2d([[0], [2], [1], [2], [2]]);
    const { correct } = tokenLosses(hidden, table, tf.tensor1d([1, 3, 0, -1], 'int32'));
    assert.deepEqual([...(await correct.data())], [1, 0, 0, 0]);
  });

  onEveryDevice('is the same with a weight of 1 in every row, to the bit', async () => {
    const { hidden, table, targets } = example({ M: 33, C: 48, V: 65 });
    const bits = (weights?: tf.Tensor1D) => {
      const run = (hidden: tf.Tensor, table: tf.Tensor) =>
        crossEntropy(hidden as tf.Tensor2D, table as tf.Tensor2D, targets, { weights, labelSmoothing: 0.1 });
      const { value, gradients } = gradientsOf(run, [hidden, table]);
      return Promise.all([value, ...gradients].map(bitsOf));
    };
    assert.deepEqual(await bits(), await bits(tf.ones([33])));
  });

  onNative('gives a row the same bits whichever others are ignored, and the ignored ones exact zeros', async () => {
    const shape = { M: 90, C: 50, V: 900 };
    const run = (ignored: (i: number) => boolean) => {
      const { hidden, table, targets } = example(shape, ignored);
      const { gradients } = gradientsOf((hidden) => crossEntropy(hidden as tf.Tensor2D, table, targets, { labelSmoothing: 0.1 }), [hidden]);
      return Promise.all([gradients[0], tokenLosses(hidden, table, targets).losses].map((tensor) => tensor.data()));
    };
    const all = await run(IGNORED.none);
    for (const ignored of [IGNORED.some, IGNORED['all but a stretch'], (i: number) => i !== 41]) {
      const few = await run(ignored);
      for (const [which, width] of [50, 1].entries()) {
        for (let i = 0; i < shape.M; i++) {
          const [expected, actual] = [all, few].map((values) => values[which].slice(i * width, (i + 1) * width));
          assert.deepEqual(actual, ignored(i) ? expected.map(() => 0) : expected, `row ${i}`);
        }
      }
    }
  });

  onEveryDevice('computes no gradient of a frozen table', async () => {
    const { hidden, table, targets, ids } = example({ M: 20, C: 6, V: 11 });
    const variables = new Map([
      ['hidden', tf.variable(hidden)],
      ['table', tf.variable(table)],
    ]);
    const buffer = tf.variable(tf.zeros([20, 6]));
    const [h, t] = [...variables.values()] as tf.Tensor[] as tf.Tensor2D[];
    accumulateGradients(variables, new Map([['hidden', buffer]]), () => crossEntropy(h, t, targets));
    const oracle = { M: 20, C: 6, V: 11, targets: ids, smoothing: 0 };
    const ones = new Float64Array(20).fill(1);
    await assertClose(buffer, crossEntropyGradientOracle(oracle, await float64(hidden), await float64(table), ones)[0], { K: 11 });
    for (const variable of [...variables.values(), buffer]) variable.dispose();
  });

  onEveryDevice('adds the gradient of a table to what its buffer holds', async () => {
    const { hidden, table, targets, ids } = example({ M: 20, C: 6, V: 11 });
    const variables = new Map([
      ['hidden', tf.variable(hidden)],
      ['table', tf.variable(table)],
    ]);
    const buffers = new Map([...variables].map(([name, v]) => [name, tf.variable(tf.onesLike(v as tf.Tensor))]));
    const [h, t] = variables.values();
    for (let i = 0; i < 2; i++) {
      accumulateGradients(variables, buffers, () => crossEntropy(h as tf.Tensor as tf.Tensor2D, t as tf.Tensor as tf.Tensor2D, targets));
    }
    const oracle = { M: 20, C: 6, V: 11, targets: ids, smoothing: 0 };
    const expected = crossEntropyGradientOracle(oracle, await float64(hidden), await float64(table), new Float64Array(20).fill(1));
    await assertClose(
      buffers.get('hidden')!,
      expected[0].map((v) => 2 * v + 1),
      { K: 11 },
    );
    await assertClose(
      buffers.get('table')!,
      expected[1].map((v) => 2 * v + 1),
      { K: 120 },
    );
    for (const variable of [...variables.values(), ...buffers.values()]) variable.dispose();
  });

  onEveryDevice('is NaN when a hidden state is', async () => {
    const { hidden, table, targets } = example({ M: 4, C: 3, V: 5 });
    const loss = crossEntropy(tf.mul(hidden, Number.NaN), table, targets);
    assert.ok(Number.isNaN((await loss.data())[0]));
  });

  onNative('names a target outside the vocabulary', () => {
    const { hidden, table } = example({ M: 1, C: 3, V: 5 });
    assert.throws(() => crossEntropy(hidden, table, tf.tensor1d([5], 'int32')), /the target is outside the vocabulary; received 5/);
  });

  onNative('has the same bits on any number of threads', async () => {
    const { hidden, table, targets } = example({ M: 1100, C: 20, V: 3000 });
    await assertSameBitsOnAnyThreads(() => {
      const run = (hidden: tf.Tensor, table: tf.Tensor) => crossEntropy(hidden as tf.Tensor2D, table as tf.Tensor2D, targets);
      const { value, gradients } = gradientsOf(run, [hidden, table]);
      return [value, ...gradients];
    });
  });

  onNative('is the same in bf16 to its rounding', async () => {
    const { hidden, table, targets } = example({ M: 64, C: 96, V: 200 });
    const run = (hidden: tf.Tensor, table: tf.Tensor) =>
      crossEntropy(hidden as tf.Tensor2D, table as tf.Tensor2D, targets, { scale: 1 / 64 });
    const exact = gradientsOf(run, [hidden, table]);
    try {
      setPrecision('bf16');
      const rounded = gradientsOf(run, [hidden, table]);
      await assertClose(rounded.value, await exact.value.data(), { dtype: 'bf16', scale: 20 });
      await assertClose(rounded.gradients[0], await exact.gradients[0].data(), { dtype: 'bf16', K: 200 });
      await assertClose(rounded.gradients[1], await exact.gradients[1].data(), { dtype: 'bf16', K: 64 });
    } finally {
      setPrecision('fp32');
    }
  });
});
