import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs';
import { crossEntropy, tokenLosses } from '../../ops/cross-entropy.js';
import { accumulateGradients } from '../../ops/gradients.js';
import { logProbs } from '../../ops/log-probs.js';
import { setPrecision } from '../../ops/precision.js';
import { logProbsGradientOracle, logProbsOracle } from '../oracles/log-probs.js';
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
  { M: 2100, C: 4, V: 9 }, // three blocks of rows
  { M: 0, C: 8, V: 10 },
];

function example({ M, C, V }: { M: number; C: number; V: number }) {
  const targets = randomIntegers(M, 3, 0, V).map((target, i) => (i % 4 === 2 ? -1 : target));
  return {
    hidden: randomTensor([M, C], 1) as tf.Tensor2D,
    table: randomTensor([V, C], 2) as tf.Tensor2D,
    targets: tf.tensor1d(targets, 'int32'),
    ids: targets,
  };
}

describe('log-probabilities from hidden states', () => {
  it('have an oracle whose gradients are those of its value', () => {
    const shape = { M: 3, C: 2, V: 4, temperature: 0.7 };
    const [hidden, table, dy] = [6, 8, 9].map((size, i) => Float64Array.from(randomArray(size, i)));
    const targets = [1, -1, 3];
    const gradients = logProbsGradientOracle(shape, targets, hidden, table, dy);
    assertGradientOf((hidden, table) => logProbsOracle(shape, targets, hidden, table), gradients, [hidden, table], dy);
  });

  for (const shape of SHAPES) {
    for (const temperature of [1, 0.6]) {
      onEveryDevice(`of ${JSON.stringify(shape)} at temperature ${temperature}, with entropy, log-sum-exp and gradients`, async () => {
        const { hidden, table, targets, ids } = example(shape);
        const dy = randomTensor([3, shape.M], 4);
        const run = (hidden: tf.Tensor, table: tf.Tensor) => {
          const result = logProbs(hidden as tf.Tensor2D, table as tf.Tensor2D, targets, { temperature });
          return tf.stack([result.logProbs, result.entropy, result.logSumExp]);
        };
        if (shape.M === 0) {
          assert.equal(run(hidden, table).size, 0);
          return;
        }
        const { value, gradients } = gradientsOf(run, [hidden, table], dy);
        const [h64, t64, dy64] = await Promise.all([hidden, table, dy].map(float64));
        await assertClose(value, logProbsOracle({ ...shape, temperature }, ids, h64, t64), { K: shape.C });
        const expected = logProbsGradientOracle({ ...shape, temperature }, ids, h64, t64, dy64);
        await assertClose(gradients[0], expected[0], { K: shape.V, name: 'dhidden' });
        await assertClose(gradients[1], expected[1], { K: shape.M * shape.C, name: 'dtable' });
      });
    }
  }

  onEveryDevice('are finite for logits of ±10,000', async () => {
    const hidden = tf.tensor2d([[1e4], [-1e4]]);
    const table = tf.tensor2d([[1], [-1], [0.5]]);
    const targets = tf.tensor1d([0, 0], 'int32');
    const run = (hidden: tf.Tensor) => {
      const result = logProbs(hidden as tf.Tensor2D, table, targets);
      return tf.stack([result.logProbs, result.entropy, result.logSumExp]);
    };
    const { value, gradients } = gradientsOf(run, [hidden], tf.ones([3, 2]));
    await assertClose(value, [0, -2e4, 0, 0, 1e4, 1e4]);
    await assertClose(gradients[0], [1, 1]);
  });

  onNative('have the same bits on any number of threads, and for a row alone', async () => {
    const { hidden, table, targets } = example({ M: 90, C: 50, V: 900 });
    await assertSameBitsOnAnyThreads(() => {
      const run = (hidden: tf.Tensor, table: tf.Tensor) => {
        const result = logProbs(hidden as tf.Tensor2D, table as tf.Tensor2D, targets);
        return tf.stack([result.logProbs, result.entropy]);
      };
      const { value, gradients } = gradientsOf(run, [hidden, table], tf.ones([2, 90]));
      return [value, ...gradients];
    });
    const alone = logProbs(tf.slice(hidden, [41, 0], [1, 50]), table, tf.slice(targets, [41], [1]));
    const all = logProbs(hidden, table, targets);
    assert.deepEqual(await bitsOf(alone.logProbs), await bitsOf(tf.slice(all.logProbs, [41], [1])));
    assert.deepEqual(await bitsOf(alone.entropy), await bitsOf(tf.slice(all.entropy, [41], [1])));
  });
});

describe('cross-entropy from hidden states', () => {
  for (const shape of SHAPES.slice(0, 4)) {
    onEveryDevice(`of ${JSON.stringify(shape)} is the scaled sum over counted rows, with gradients`, async () => {
      const { hidden, table, targets, ids } = example(shape);
      const [scale, dy] = [0.25, 3];
      const run = (hidden: tf.Tensor, table: tf.Tensor) => crossEntropy(hidden as tf.Tensor2D, table as tf.Tensor2D, targets, scale);
      const { value, gradients } = gradientsOf(run, [hidden, table], tf.scalar(dy));
      const [h64, t64] = await Promise.all([hidden, table].map(float64));
      const oracle = { ...shape, temperature: 1 };
      const values = logProbsOracle(oracle, ids, h64, t64).subarray(0, shape.M);
      await assertClose(value, [-scale * values.reduce((a, b) => a + b, 0)], { K: shape.C });
      const weights = new Float64Array(3 * shape.M).fill(-scale * dy, 0, shape.M);
      const expected = logProbsGradientOracle(oracle, ids, h64, t64, weights);
      await assertClose(gradients[0], expected[0], { K: shape.V, scale: 1, name: 'dhidden' });
      await assertClose(gradients[1], expected[1], { K: shape.M * shape.C, scale: 3, name: 'dtable' });
      await assertClose(
        tokenLosses(hidden, table, targets),
        values.map((v) => -v),
        { K: shape.C, name: 'token losses' },
      );
    });
  }

  onEveryDevice('adds the gradient of a table to what its buffer holds', async () => {
    const { hidden, table, targets, ids } = example({ M: 20, C: 6, V: 11 });
    const variables = new Map([
      ['hidden', tf.variable(hidden)],
      ['table', tf.variable(table)],
    ]);
    const buffers = new Map([...variables].map(([name, v]) => [name, tf.variable(tf.onesLike(v as tf.Tensor))]));
    const [h, t] = variables.values();
    for (let i = 0; i < 2; i++) {
      accumulateGradients(variables, buffers, () => crossEntropy(h as tf.Tensor as tf.Tensor2D, t as tf.Tensor as tf.Tensor2D, targets, 1));
    }
    const weights = new Float64Array(60).fill(-1, 0, 20);
    const expected = logProbsGradientOracle(
      { M: 20, C: 6, V: 11, temperature: 1 },
      ids,
      await float64(hidden),
      await float64(table),
      weights,
    );
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
    const loss = crossEntropy(tf.mul(hidden, Number.NaN), table, targets, 1);
    assert.ok(Number.isNaN((await loss.data())[0]));
  });

  onNative('names a target outside the vocabulary', () => {
    const { hidden, table } = example({ M: 1, C: 3, V: 5 });
    assert.throws(() => crossEntropy(hidden, table, tf.tensor1d([5], 'int32'), 1), /the target is outside the vocabulary; received 5/);
  });

  onNative('has the same bits on any number of threads', async () => {
    const { hidden, table, targets } = example({ M: 1100, C: 20, V: 3000 });
    await assertSameBitsOnAnyThreads(() => {
      const run = (hidden: tf.Tensor, table: tf.Tensor) => crossEntropy(hidden as tf.Tensor2D, table as tf.Tensor2D, targets, 1);
      const { value, gradients } = gradientsOf(run, [hidden, table]);
      return [value, ...gradients];
    });
  });

  onNative('is the same in bf16 to its rounding', async () => {
    const { hidden, table, targets } = example({ M: 64, C: 96, V: 200 });
    const run = (hidden: tf.Tensor, table: tf.Tensor) => crossEntropy(hidden as tf.Tensor2D, table as tf.Tensor2D, targets, 1 / 64);
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
