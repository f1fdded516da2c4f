import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs';
import { attention } from '../../ops/attention.js';
import { type AttentionCase, attentionGradientOracle, attentionOracle } from '../oracles/attention.js';
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

type Example = Omit<AttentionCase, 'segments'> & { segments?: number[][]; scale?: number };

/** Segment lengths to ids: runs([3, -2, 4]) is three tokens of segment 0, two of padding, four of segment 2. */
function runs(lengths: number[]): number[] {
  return lengths.flatMap((length, id) => new Array<number>(Math.abs(length)).fill(length < 0 ? -1 : id));
}

const causal = { mask: 'causal' } as const;
const CASES: Record<string, Example> = {
  'one token': { B: 3, T: 1, H: 2, KV: 2, D: 32, ...causal },
  'head size 32, 64 tokens': { B: 2, T: 64, H: 4, KV: 4, D: 32, ...causal },
  'head size 48, 37 tokens, 4 query heads a key head': { B: 2, T: 37, H: 4, KV: 1, D: 48, ...causal },
  'head size 64, 65 tokens, 6 to 2 heads': { B: 1, T: 65, H: 6, KV: 2, D: 64, ...causal },
  'head size 80, 130 tokens': { B: 1, T: 130, H: 2, KV: 2, D: 80, ...causal },
  'head size 20, 270 tokens': { B: 1, T: 270, H: 1, KV: 1, D: 20, ...causal },
  'bidirectional, 65 tokens': { B: 2, T: 65, H: 2, KV: 1, D: 32, mask: 'bidirectional' },
  'bidirectional, 150 tokens': { B: 1, T: 150, H: 2, KV: 2, D: 48, mask: 'bidirectional' },
  'an empty batch': { B: 0, T: 5, H: 2, KV: 2, D: 32, ...causal },
  'packed segments and padding': {
    ...{ B: 3, T: 37, H: 4, KV: 2, D: 32, ...causal },
    segments: [runs([10, 1, 20, -6]), runs([-5, 32]), runs([-37])],
  },
  'packed segments across blocks': { B: 1, T: 300, H: 1, KV: 1, D: 32, ...causal, segments: [runs([17, 140, 3, -4, 136])] },
  'bidirectional packed segments': { B: 1, T: 130, H: 2, KV: 2, D: 32, mask: 'bidirectional', segments: [runs([70, 50, -10])] },
};

function caseOf(example: Example): AttentionCase {
  return { ...example, segments: (example.segments ?? Array.from({ length: example.B }, () => runs([example.T]))).flat() };
}

function tensorsOf(example: Example, seed = 1): { qkv: tf.Tensor3D; segments: tf.Tensor2D; dy: tf.Tensor3D } {
  const { B, T, H, KV, D, scale = 1 } = example;
  return {
    qkv: randomTensor([B, T, (H + 2 * KV) * D], seed, { scale }) as tf.Tensor3D,
    segments: tf.tensor2d(Int32Array.from(Array.from(caseOf(example).segments)), [B, T], 'int32'),
    dy: randomTensor([B, T, H * D], seed + 1) as tf.Tensor3D,
  };
}

const optionsOf = ({ H, KV, mask }: Example) => ({ heads: H, kvHeads: KV, mask });

describe('attention', () => {
  it('has an oracle whose gradient is that of its value', () => {
    for (const mask of ['causal', 'bidirectional'] as const) {
      const shape = { B: 2, T: 6, H: 4, KV: 2, D: 3, mask, segments: [...runs([4, -1, 1]), ...runs([2, 4])] };
      const qkv = Float64Array.from(randomArray(2 * 6 * 24, 1));
      const dy = Float64Array.from(randomArray(2 * 6 * 12, 2));
      assertGradientOf((x) => attentionOracle(shape, x), [attentionGradientOracle(shape, qkv, dy)], [qkv], dy);
    }
  });

  for (const [name, example] of Object.entries(CASES)) {
    onEveryDevice(`equals the loops, forward and gradient: ${name}`, async () => {
      const { qkv, segments, dy } = tensorsOf(example);
      const { value, gradients } = gradientsOf((x) => attention(x as tf.Tensor3D, segments, optionsOf(example)), [qkv], dy);
      const [x, g] = [await float64(qkv), await float64(dy)];
      const shape = caseOf(example);
      const K = example.D + example.T;
      await assertClose(value, attentionOracle(shape, x), { K });
      await assertClose(gradients[0], attentionGradientOracle(shape, x, g), { K, name: 'gradient' });
    });
  }

  onEveryDevice('stays finite and exact where one score of ±10,000 wins', async () => {
    const example: Example = { B: 1, T: 65, H: 2, KV: 1, D: 32, ...causal };
    const { segments, dy } = tensorsOf(example);
    // Integers: the scores are exact in float32, and nearly always far apart.
    const values = Float32Array.from(randomArray(65 * 128, 3), (x) => Math.round(x * 40));
    const qkv = tf.tensor3d(values, [1, 65, 128]);
    const { value, gradients } = gradientsOf((x) => attention(x as tf.Tensor3D, segments, optionsOf(example)), [qkv], dy);
    const x = await float64(qkv);
    await assertClose(value, attentionOracle(caseOf(example), x), { K: 100, c: 100 });
    for (const gradient of await gradients[0].data()) assert.ok(Number.isFinite(gradient));
  });

  onEveryDevice('lets a NaN through to the rows that see it, and to no other', async () => {
    const example: Example = { B: 2, T: 20, H: 1, KV: 1, D: 32, ...causal };
    const { qkv, segments } = tensorsOf(example);
    const poisoned = await qkv.data();
    poisoned[7 * 96 + 40] = Number.NaN; // a key of row 0
    const value = await attention(tf.tensor3d(poisoned as Float32Array, [2, 20, 96]), segments, optionsOf(example)).data();
    for (let token = 0; token < 40; token++) assert.equal(Number.isNaN(value[token * 32]), token >= 7 && token < 20, `token ${token}`);
  });

  onEveryDevice('refuses a width that does not fit the heads, and segments of another shape', () => {
    const segments = tf.zeros([1, 2], 'int32') as tf.Tensor2D;
    assert.throws(() => attention(tf.zeros([1, 2, 10]), segments, { heads: 2, kvHeads: 1, ...causal }), /attention: qkv must be/);
    assert.throws(
      () => attention(tf.zeros([1, 2, 7]), segments, { heads: 3, kvHeads: 2, ...causal }),
      /heads must be a multiple of kvHeads/,
    );
    assert.throws(() => attention(tf.zeros([1, 3, 8]), segments, { heads: 2, kvHeads: 1, ...causal }), /segments must be \[1, 3\]/);
  });

  onNative('has the same bits on any number of threads, forward and gradient', async () => {
    for (const name of ['head size 80, 130 tokens', 'packed segments and padding', 'head size 48, 37 tokens, 4 query heads a key head']) {
      const { qkv, segments, dy } = tensorsOf(CASES[name]);
      await assertSameBitsOnAnyThreads(() => {
        const { value, gradients } = gradientsOf((x) => attention(x as tf.Tensor3D, segments, optionsOf(CASES[name])), [qkv], dy);
        return [value, ...gradients];
      });
    }
  });

  onNative('gives a row, and a packed segment, the bits that it gets alone', async () => {
    const example: Example = { B: 2, T: 300, H: 2, KV: 1, D: 48, ...causal, segments: [runs([130, 141, -29]), runs([300])] };
    const { qkv, segments, dy } = tensorsOf(example);
    const run = (x: tf.Tensor3D, s: tf.Tensor2D, d: tf.Tensor3D) => {
      const { value, gradients } = gradientsOf((input) => attention(input as tf.Tensor3D, s, optionsOf(example)), [x], d);
      return [value, ...gradients];
    };
    const whole = run(qkv, segments, dy);
    for (const [row, from, length] of [
      [1, 0, 300],
      [0, 130, 141],
    ]) {
      const cut = <T extends tf.Tensor>(x: T): T =>
        tf.slice(x as tf.Tensor, [row, from, 0].slice(0, x.rank), [1, length, ...x.shape.slice(2)]) as T;
      const alone = run(cut(qkv), cut(segments), cut(dy));
      for (const [i, tensor] of alone.entries()) assert.deepEqual(await bitsOf(tensor), await bitsOf(cut(whole[i])));
    }
  });
});
