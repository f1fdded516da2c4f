import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs';
import { logProbs } from '../../ops/log-probs.js';
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
  { M: 2100, C: 4, V: 9 }, // several blocks of rows
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
