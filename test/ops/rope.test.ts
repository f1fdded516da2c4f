import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs';
import { rope } from '../../ops/rope.js';
import { ropeOracle } from '../oracles/rope.js';
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

interface Case {
  B: number;
  T: number;
  heads: number;
  kvHeads: number;
  headSize: number;
  largest: number;
}

const CASES: Record<string, Case> = {
  'head size 32, grouped heads': { B: 2, T: 7, heads: 4, kvHeads: 1, headSize: 32, largest: 7 },
  'head size 48': { B: 1, T: 37, heads: 2, kvHeads: 2, headSize: 48, largest: 100 },
  'head size 64, positions to 8,191': { B: 2, T: 5, heads: 6, kvHeads: 2, headSize: 64, largest: 8192 },
  'head size 80, one token': { B: 1, T: 1, heads: 1, kvHeads: 1, headSize: 80, largest: 65536 },
  'head size 6': { B: 3, T: 2, heads: 2, kvHeads: 1, headSize: 6, largest: 9 },
  'an empty batch': { B: 0, T: 4, heads: 2, kvHeads: 1, headSize: 32, largest: 9 },
};

function shapeOf({ B, T, heads, kvHeads, headSize }: Case, theta = 10000) {
  return { M: B * T, W: (heads + 2 * kvHeads) * headSize, heads: heads + kvHeads, D: headSize, theta };
}

describe('rotary positions', () => {
  it('have an oracle whose gradient is the turn back', () => {
    const example = { B: 1, T: 3, heads: 2, kvHeads: 1, headSize: 4, largest: 50 };
    const shape = shapeOf(example);
    const positions = randomIntegers(shape.M, 1, 0, 50);
    const x = Float64Array.from(randomArray(shape.M * shape.W, 2));
    const dy = Float64Array.from(randomArray(shape.M * shape.W, 3));
    assertGradientOf((input) => ropeOracle(shape, positions, input), [ropeOracle(shape, positions, dy, -1)], [x], dy);
  });

  for (const [name, example] of Object.entries(CASES)) {
    onEveryDevice(`turn q and k, and their gradient back: ${name}`, async () => {
      const { B, T, largest } = example;
      const shape = shapeOf(example);
      const qkv = randomTensor([B, T, shape.W], 1);
      const dy = randomTensor([B, T, shape.W], 2);
      const positions = tf.tensor2d(randomIntegers(B * T, 3, 0, largest), [B, T], 'int32');
      const { value, gradients } = gradientsOf((x) => rope(x as tf.Tensor3D, positions, { ...example, theta: 10000 }), [qkv], dy);
      const at = await positions.data();
      await assertClose(value, ropeOracle(shape, at, await float64(qkv)), { K: 2 });
      await assertClose(gradients[0], ropeOracle(shape, at, await float64(dy), -1), { K: 2, name: 'gradient' });
    });
  }

  onEveryDevice('keep lengths, so that the gradient of the sum of squares is twice the input', async () => {
    const qkv = randomTensor([2, 9, 256], 4);
    const positions = tf.tensor2d(randomIntegers(18, 3, 0, 99), [2, 9], 'int32');
    const options = { heads: 2, kvHeads: 1, headSize: 64, theta: 10000 };
    const { gradients } = gradientsOf((x) => tf.sum(tf.square(rope(x as tf.Tensor3D, positions, options))), [qkv]);
    await assertClose(
      gradients[0],
      (await float64(qkv)).map((x) => 2 * x),
      { K: 4 },
    );
  });

  onEveryDevice('use the base that is asked for', async () => {
    const example = { B: 1, T: 4, heads: 1, kvHeads: 1, headSize: 8, largest: 0 };
    const qkv = randomTensor([1, 4, 24], 5);
    for (const theta of [500000, 10000, 100, 20000, 30000, 500000]) {
      const y = rope(qkv as tf.Tensor3D, tf.tensor2d([[0, 1, 500, 1023]], [1, 4], 'int32'), { ...example, theta });
      await assertClose(y, ropeOracle(shapeOf(example, theta), [0, 1, 500, 1023], await float64(qkv)), { K: 2 });
    }
  });

  onEveryDevice('refuse an odd head size and a width that does not fit', () => {
    const positions = tf.zeros([1, 2], 'int32') as tf.Tensor2D;
    const options = { heads: 1, kvHeads: 1, theta: 10000 };
    assert.throws(
      () => rope(tf.zeros([1, 2, 9]), positions, { ...options, headSize: 3 }),
      /rope: the head size must be even; received \[3\]/,
    );
    assert.throws(() => rope(tf.zeros([1, 2, 9]), positions, { ...options, headSize: 4 }), /rope: qkv must be/);
  });

  onNative('refuse a negative position', () => {
    const qkv = tf.zeros([1, 1, 12]) as tf.Tensor3D;
    const positions = tf.tensor2d([[-1]], [1, 1], 'int32');
    assert.throws(
      () => rope(qkv, positions, { heads: 1, kvHeads: 1, headSize: 4, theta: 10000 }),
      /positions must be at least 0; received -1/,
    );
  });

  onNative('have the same bits on any number of threads, and for a row alone', async () => {
    const qkv = randomTensor([3, 41, 256], 7) as tf.Tensor3D;
    const positions = tf.tensor2d(randomIntegers(3 * 41, 8, 0, 99), [3, 41], 'int32');
    const options = { heads: 2, kvHeads: 1, headSize: 64, theta: 10000 };
    await assertSameBitsOnAnyThreads(() => rope(qkv, positions, options));
    const row = rope(tf.slice(qkv, [1, 0, 0], [1, 41, 256]), tf.slice(positions, [1, 0], [1, 41]), options);
    assert.deepEqual(await bitsOf(row), await bitsOf(tf.slice(rope(qkv, positions, options), [1, 0, 0], [1, 41, 256])));
  });
});
