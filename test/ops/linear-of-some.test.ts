import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs';
import { linear } from '../../ops/linear.js';
import { linearOfSome } from '../../ops/linear-of-some.js';
import { setPrecision } from '../../ops/precision.js';
import { linearGradientOracle, linearOracle } from '../oracles/linear.js';
import { assertClose, assertSameBitsOnAnyThreads, bitsOf, float64, gradientsOf, onEveryDevice, onNative, randomTensor } from './conformance.js'; // biome-ignore format: one line

/** Which rows are wanted. */
const CHOICES: Record<string, (row: number) => boolean> = {
  'a part': (row) => row % 3 !== 1,
  neighbours: (row) => row >= 2 && row < 9,
  all: () => true,
  none: () => false,
};

function operands(M: number, K: number, N: number, chosen: (row: number) => boolean) {
  const rows = Array.from({ length: M }, (_, row) => chosen(row));
  return {
    rows,
    x: randomTensor([M, K], 1) as tf.Tensor2D,
    weight: randomTensor([N, K], 2, { scale: 0.1 }) as tf.Tensor2D,
    bias: randomTensor([N], 3) as tf.Tensor1D,
    dy: randomTensor([M, N], 4) as tf.Tensor2D,
    wanted: tf.tensor1d(rows.map((is, row) => (is ? row : -1)), 'int32'), // biome-ignore format: short
  };
}

const run = ({ x, weight, bias, wanted, dy }: ReturnType<typeof operands>) =>
  gradientsOf((x, weight, bias) => linearOfSome(x, weight as tf.Tensor2D, wanted, bias as tf.Tensor1D), [x, weight, bias], dy);

describe('linear of some rows', () => {
  for (const [name, chosen] of Object.entries(CHOICES)) {
    for (const [M, K, N] of [
      [11, 5, 7],
      [200, 33, 70],
    ]) {
      onEveryDevice(`multiplies ${name} of ${M} rows, with its gradients; the others are 0 and give none`, async () => {
        const given = operands(M, K, N, chosen);
        const { value, gradients } = run(given);
        const [x, weight, bias, dy] = await Promise.all([given.x, given.weight, given.bias, given.dy].map(float64));
        const only = (values: Float64Array, width: number) => values.map((v, at) => (given.rows[Math.floor(at / width)] ? v : 0));
        await assertClose(value, only(linearOracle({ M, K, N }, x, weight, bias), N), { K });
        const expected = linearGradientOracle({ M, K, N }, x, weight, bias, only(dy, N));
        const terms = [N, M, M];
        for (const [i, what] of ['dx', 'dweight', 'dbias'].entries())
          await assertClose(gradients[i], expected[i], { K: terms[i], name: what });
      });
    }
  }

  for (const precision of ['fp32', 'bf16'] as const) {
    onNative(`gives a row the bits that linear gives, ${precision}`, async () => {
      const { x, weight, bias, wanted, rows } = operands(100, 40, 50, CHOICES['a part']);
      setPrecision(precision);
      try {
        const [some, all] = [await bitsOf(linearOfSome(x, weight, wanted, bias)), await bitsOf(linear(x, weight, bias))];
        for (const [row, is] of rows.entries())
          if (is) assert.deepEqual(some.slice(row * 200, (row + 1) * 200), all.slice(row * 200, (row + 1) * 200), `row ${row}`);
      } finally {
        setPrecision('fp32');
      }
    });
  }

  onNative('has the same bits on any number of threads', async () => {
    const given = operands(210, 110, 90, CHOICES['a part']);
    await assertSameBitsOnAnyThreads(() => {
      const { value, gradients } = run(given);
      return [value, ...gradients];
    });
  });

  onEveryDevice('takes any dimensions before the last, and refuses other shapes', () => {
    const [x, weight] = [tf.ones([2, 3, 4]), tf.ones([5, 4]) as tf.Tensor2D];
    assert.deepEqual(linearOfSome(x, weight, tf.zeros([2, 3], 'int32')).shape, [2, 3, 5]);
    assert.throws(() => linearOfSome(x, weight, tf.zeros([6], 'int32')), /linearOfSome: wanted must be \[2,3\]; received \[6\]/);
    assert.throws(
      () => linearOfSome(x, tf.ones([5, 3]), tf.zeros([2, 3], 'int32')),
      /linearOfSome: weight must be \[N, 4\]; received \[5, 3\]/,
    );
  });
});
