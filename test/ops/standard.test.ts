import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs';
import * as fc from 'fast-check';
import { useDevice } from '../../backends/device.js';
import { fallbackCounts } from '../../backends/native/fallback-counts.js';
import { assertClose, assertSameBitsOnAnyThreads, onNative, randomArray, randomIntegers } from './conformance.js';

type Op = (...inputs: tf.Tensor[]) => tf.Tensor | tf.Tensor[];
interface Input {
  shape: number[];
  values: Float32Array | Int32Array;
  dtype: 'float32' | 'int32' | 'bool';
}
interface Case {
  name: string;
  inputs: Input[];
  op: Op;
  /** Compared by its gradient, too: of float inputs and outputs. */
  gradient?: boolean;
  /** Terms behind one element. */
  K?: number;
  /** Terms behind one element of a gradient. */
  gradientK?: number;
  c?: number;
}

let seed = 0;
const floats = (shape: number[], scale = 1): Input => ({ shape, values: randomArray(shape, ++seed, { scale }), dtype: 'float32' });
const positive = (shape: number[]): Input => ({
  shape,
  values: randomArray(shape, ++seed).map((x) => Math.abs(x) + 0.1),
  dtype: 'float32',
});
const given = (...values: number[]): Input => ({ shape: [values.length], values: Float32Array.from(values), dtype: 'float32' });
const ints = (shape: number[], low = -9, high = 9): Input => ({ shape, values: randomIntegers(shape, ++seed, low, high), dtype: 'int32' });
const bools = (shape: number[]): Input => ({ shape, values: randomIntegers(shape, ++seed, 0, 2), dtype: 'bool' });
const [INF, NOT] = [Number.POSITIVE_INFINITY, Number.NaN];

const cases: Case[] = [];
const check = (name: string, inputs: Input[], op: Op, options: Partial<Case> = {}) => cases.push({ name, inputs, op, ...options });

// ---- two inputs, with broadcasting
const SHAPES: [number[], number[]][] = [
  [
    [5, 7],
    [5, 7],
  ],
  [[4, 33], [33]],
  [
    [4, 33],
    [4, 1],
  ],
  [[33], [4, 33]],
  [
    [2, 3, 5],
    [3, 1],
  ],
  [
    [2, 1, 5],
    [1, 3, 1],
  ],
  [[3, 17], []],
  [[], [3, 17]],
  [[], []],
  [[1], [1, 1]],
  [[0, 4], [4]],
  [
    [3, 0],
    [3, 1],
  ],
  [
    [2, 3, 1, 5, 2, 2],
    [3, 4, 1, 2, 1],
  ],
  [[17000], [17000]],
  [
    [2, 17000],
    [2, 1],
  ],
];
const BINARY: Record<string, (a: tf.Tensor, b: tf.Tensor) => tf.Tensor> = {
  add: tf.add,
  sub: tf.sub,
  mul: tf.mul,
  maximum: tf.maximum,
  minimum: tf.minimum,
  squaredDifference: tf.squaredDifference,
};
const COMPARE: Record<string, (a: tf.Tensor, b: tf.Tensor) => tf.Tensor> = {
  equal: tf.equal,
  notEqual: tf.notEqual,
  less: tf.less,
  lessEqual: tf.lessEqual,
  greater: tf.greater,
  greaterEqual: tf.greaterEqual,
};
// Where tfjs's own gradients break: of extremes that broadcast, and of what is repeated no times.
const WITHOUT_BROADCAST = ['maximum', 'minimum', 'squaredDifference'];
for (const [a, b] of SHAPES) {
  const gradient = ![...a, ...b].includes(0);
  const where = `[${a}] and [${b}]`;
  for (const [name, op] of Object.entries(BINARY)) {
    check(`${name} of ${where}`, [floats(a), floats(b)], (x, y) => op(x, y), {
      gradient: gradient && (!WITHOUT_BROADCAST.includes(name) || `${a}` === `${b}`),
      gradientK: 17000,
    });
    check(`${name} of int32 ${where}`, [ints(a), ints(b)], (x, y) => op(x, y));
  }
  for (const [name, op] of Object.entries(COMPARE)) {
    check(
      `${name} of ${where}`,
      [ints(a, 0, 3), ints(b, 0, 3)].map((x) => ({ ...x, dtype: 'float32', values: Float32Array.from(x.values) }) as Input),
      (x, y) => op(x, y),
    );
    check(`${name} of int32 ${where}`, [ints(a, 0, 3), ints(b, 0, 3)], (x, y) => op(x, y));
  }
  check(`div of ${where}`, [floats(a), positive(b)], (x, y) => tf.div(x, y), { gradient, gradientK: 17000, c: 8 });
  check(`div of int32 ${where}`, [ints(a), ints(b, 1, 5)], (x, y) => tf.div(x, y));
  check(`pow of ${where}`, [positive(a), floats(b)], (x, y) => tf.pow(x, y), { gradient, gradientK: 17000, c: 8 });
  check(`mod of ${where}`, [floats(a), positive(b)], (x, y) => tf.mod(x, y));
  check(`mod of int32 ${where}`, [ints(a), ints(b, 1, 5)], (x, y) => tf.mod(x, y));
  check(`logicalAnd of ${where}`, [bools(a), bools(b)], (x, y) => tf.logicalAnd(x, y));
  check(`logicalOr of ${where}`, [bools(a), bools(b)], (x, y) => tf.logicalOr(x, y));
  check(`equal of bools ${where}`, [bools(a), bools(b)], (x, y) => tf.equal(x, y));
}
const EDGES = [0, -0, 1, -1, INF, -INF, NOT, 2.5, -2.5, 3e38, 1e-42];
const pairs = EDGES.flatMap((a) => EDGES.map((b) => [a, b]));
for (const [name, op] of Object.entries({ ...BINARY, ...COMPARE, div: tf.div, pow: tf.pow })) {
  check(`${name} of zeros, infinities and NaN`, [given(...pairs.map(([a]) => a)), given(...pairs.map(([, b]) => b))], (x, y) => op(x, y));
}
check('int32 wraps', [{ shape: [3], values: Int32Array.of(2 ** 31 - 1, -(2 ** 31), 65537), dtype: 'int32' }], (x) => [
  x.add(tf.scalar(1, 'int32')),
  x.sub(tf.scalar(1, 'int32')),
  x.mul(tf.scalar(65537, 'int32')),
]);
check('int32 division by zero is 0', [ints([9])], (x) => tf.floorDiv(x, tf.zeros([9], 'int32')));
check('addN', [floats([3, 5]), floats([3, 5]), floats([3, 5])], (...x) => tf.addN(x), { gradient: true });

// ---- one input
const UNARY: Record<string, (x: tf.Tensor) => tf.Tensor> = {
  neg: tf.neg,
  exp: tf.exp,
  expm1: tf.expm1,
  square: tf.square,
  abs: tf.abs,
  tanh: tf.tanh,
  sigmoid: tf.sigmoid,
  erf: tf.erf,
  relu: tf.relu,
  softplus: tf.softplus,
  sign: tf.sign,
  cos: tf.cos,
  sin: tf.sin,
  step: (x) => tf.step(x, 0.25),
  clipByValue: (x) => tf.clipByValue(x, -0.5, 0.75),
};
const OF_POSITIVE: Record<string, (x: tf.Tensor) => tf.Tensor> = {
  log: tf.log,
  log1p: tf.log1p,
  sqrt: tf.sqrt,
  rsqrt: tf.rsqrt,
  reciprocal: tf.reciprocal,
};
for (const shape of [[3, 37], [1], [], [0, 5], [17003]]) {
  for (const [name, op] of Object.entries(UNARY)) check(`${name} of [${shape}]`, [floats(shape, 3)], op, { gradient: true, c: 16 });
  for (const [name, op] of Object.entries(OF_POSITIVE)) check(`${name} of [${shape}]`, [positive(shape)], op, { gradient: true, c: 8 });
  for (const [name, op] of Object.entries({ floor: tf.floor, ceil: tf.ceil, round: tf.round }))
    check(`${name} of [${shape}]`, [floats(shape, 9)], op);
  check(`logicalNot of [${shape}]`, [bools(shape)], (x) => tf.logicalNot(x));
  for (const [from, input] of [
    ['float32', floats(shape, 3)],
    ['int32', ints(shape)],
    ['bool', bools(shape)],
  ] as const) {
    for (const to of ['float32', 'int32', 'bool'] as const) check(`cast of ${from} [${shape}] to ${to}`, [input], (x) => tf.cast(x, to));
  }
}
for (const [name, op] of Object.entries({
  ...UNARY,
  ...OF_POSITIVE,
  floor: tf.floor,
  ceil: tf.ceil,
  round: tf.round,
  isNaN: tf.isNaN,
  isFinite: tf.isFinite,
  isInf: tf.isInf,
})) {
  if (name === 'cos' || name === 'sin') continue; // nothing to say of 3e38
  check(`${name} of zeros, infinities and NaN`, [given(...EDGES, 0.5, 1.5, 100, -100, 88, -87)], (x) => op(x), { c: 8 });
}
check(
  'cast to int32 as JavaScript does',
  [given(NOT, INF, -INF, 2 ** 31, -(2 ** 31), 2 ** 32 + 4096, -(2 ** 33) - 8192, 1.9, -1.9, 3e38)],
  (x) => tf.cast(x, 'int32'),
);
check('softmax', [floats([5, 33], 4)], (x) => tf.softmax(x), { gradient: true, K: 33 });
check('softmax of large logits', [floats([3, 7], 1e4)], (x) => tf.softmax(x));
check('softmax of one token, of none', [floats([4, 1]), floats([0, 4])], (x, y) => [tf.softmax(x), tf.softmax(y)]);
check('logSoftmax', [floats([5, 33], 4)], (x) => tf.logSoftmax(x), { gradient: true, K: 33 });
check('where', [bools([3, 5]), floats([3, 5]), floats([3, 5])], (c, x, y) => tf.where(c, x, y));
check('where with broadcasting', [bools([5]), floats([3, 5]), floats([])], (c, x, y) => tf.where(c, x, y));
check('where of int32', [bools([3, 5]), ints([3, 5]), ints([3, 5])], (c, x, y) => tf.where(c, x, y));

// ---- reductions
const REDUCED: [number[], number[] | undefined][] = [
  [[7, 33], [1]],
  [[7, 33], [0]],
  [[7, 33], undefined],
  [
    [2, 3, 4, 5],
    [0, 2],
  ],
  [
    [2, 3, 4, 5],
    [1, 2],
  ],
  [
    [2, 3, 4, 5],
    [1, 3],
  ],
  [[2, 1, 5], [1]],
  [[600, 70], [0]],
  [[2, 300, 3], [1]],
  [[33001], undefined],
  [[2, 17000], [1]],
  [[], undefined],
  [[0, 3], [1]],
];
for (const [shape, axes] of REDUCED) {
  const what = `[${shape}] over ${axes ? `[${axes}]` : 'all'}`;
  const K = shape.reduce((a, b) => a * b, 1);
  for (const keep of [false, true]) {
    check(`sum of ${what}${keep ? ', kept' : ''}`, [floats(shape)], (x) => tf.sum(x, axes, keep), { gradient: true, K });
    check(`max of ${what}${keep ? ', kept' : ''}`, [floats(shape)], (x) => tf.max(x, axes, keep), { gradient: true });
  }
  check(`mean of ${what}`, [floats(shape)], (x) => tf.mean(x, axes), { gradient: true, K });
  check(`min of ${what}`, [floats(shape)], (x) => tf.min(x, axes), { gradient: true });
  check(
    `prod of ${what}`,
    [{ ...floats(shape), values: randomArray(shape, 5, { scale: 0.01 }).map((x) => 1 + x) }],
    (x) => tf.prod(x, axes),
    { K, c: 16 },
  );
  const signs = ints(shape, 0, 2);
  check(`prod of int32 ${what}`, [{ ...signs, values: signs.values.map((x) => 1 - 2 * x) } as Input], (x) => tf.prod(x, axes));
  check(`sum, max, min of int32 ${what}`, [ints(shape)], (x) => [tf.sum(x, axes), tf.max(x, axes), tf.min(x, axes)]);
  check(`sum, all, any of bool ${what}`, [bools(shape)], (x) => [tf.sum(x, axes), tf.all(x, axes), tf.any(x, axes)]);
  if (shape.length > 0) {
    const d = axes?.[0] ?? 0;
    check(`argMax and argMin of ${what}`, [floats(shape)], (x) => [tf.argMax(x, d), tf.argMin(x, d)]);
    check(`argMax and argMin of int32 ${what}`, [ints(shape, 0, 4)], (x) => [tf.argMax(x, d), tf.argMin(x, d)]);
    for (const [exclusive, reverse] of [
      [false, false],
      [true, false],
      [false, true],
      [true, true],
    ]) {
      check(`cumsum of ${what}, ${exclusive}, ${reverse}`, [floats(shape)], (x) => tf.cumsum(x, d, exclusive, reverse), {
        gradient: d === shape.length - 1, // tfjs transposes wrongly elsewhere
        K,
        c: 32,
      });
      check(`cumsum of int32 ${what}, ${exclusive}, ${reverse}`, [ints(shape)], (x) => tf.cumsum(x, d, exclusive, reverse));
    }
  }
}
check(
  'NaN among the summed and compared',
  [given(1, NOT, 3), given(...new Array(50).fill(1), NOT), given(NOT, ...new Array(50).fill(1))],
  (...x) => x.flatMap((v) => [tf.sum(v), tf.max(v), tf.min(v), tf.mean(v), tf.argMax(v)]),
);
check('ties: the first', [given(1, 3, 3, 2, 1, 1)], (x) => [tf.argMax(x), tf.argMin(x)]);

// ---- products of matrices
for (const [M, N, K] of [
  [5, 7, 9],
  [1, 33, 65],
  [33, 1, 4],
  [17, 40, 600],
  [1, 1, 1],
  [0, 3, 4],
  [3, 0, 4],
]) {
  for (const [ta, tb] of [
    [false, false],
    [true, false],
    [false, true],
    [true, true],
  ]) {
    const of = (rows: number, columns: number, flip: boolean) => (flip ? [columns, rows] : [rows, columns]);
    const options = { gradient: M * N > 0, K: K * 10, gradientK: Math.max(M, N) * 10 };
    const what = `${M}×${K} and ${K}×${N}${ta ? ', a transposed' : ''}${tb ? ', b transposed' : ''}`;
    check(`matMul of ${what}`, [floats(of(M, K, ta)), floats(of(K, N, tb))], (a, b) => tf.matMul(a, b, ta, tb), options);
    check(
      `matMul of a batch of ${what}`,
      [floats([2, 3, ...of(M, K, ta)]), floats([2, 3, ...of(K, N, tb)])],
      (a, b) => tf.matMul(a, b, ta, tb),
      options,
    );
    check(`matMul of a batch with one: ${what}`, [floats([3, ...of(M, K, ta)]), floats(of(K, N, tb))], (a, b) => tf.matMul(a, b, ta, tb), {
      K: K * 10,
    });
  }
}
check('matMul of nothing summed', [floats([3, 0]), floats([0, 4])], (a, b) => tf.matMul(a, b));
check('matMul of a batch that repeats in part', [floats([3, 4, 5]), floats([2, 3, 5, 6])], (a, b) => tf.matMul(a, b), { K: 50 });
for (const activation of ['linear', 'relu', 'sigmoid'] as const) {
  check(
    `matMul with bias and ${activation}`,
    [floats([5, 7]), floats([7, 9]), floats([9])],
    (a, b, bias) => tf.fused.matMul({ a: a as tf.Tensor2D, b: b as tf.Tensor2D, bias, activation }),
    {
      gradient: true,
      K: 70,
    },
  );
}

// ---- movement
for (const input of [floats, ints, bools]) {
  const kind = input === floats ? '' : input === ints ? ' of int32' : ' of bool';
  const gradient = input === floats;
  const moves: [string, number[], Op][] = [
    ['transpose of a matrix', [37, 50], (x) => tf.transpose(x)],
    ['transpose to heads', [2, 5, 3, 7], (x) => tf.transpose(x, [0, 2, 1, 3])],
    ['transpose of the last two', [2, 3, 33, 18], (x) => tf.transpose(x, [0, 1, 3, 2])],
    ['transpose of everything', [2, 3, 4, 5, 2, 3], (x) => tf.transpose(x, [5, 2, 0, 4, 1, 3])],
    ['transpose of one token', [1, 1, 3, 4], (x) => tf.transpose(x, [2, 0, 1, 3])],
    ['transpose of nothing', [0, 4], (x) => tf.transpose(x)],
    ['slice', [4, 5, 6], (x) => tf.slice(x, [1, 0, 2], [2, -1, 3])],
    ['slice of nothing', [4, 5], (x) => tf.slice(x, [1, 2], [0, 3])],
    ['stridedSlice', [7, 9], (x) => tf.stridedSlice(x, [1, 8], [7, 0], [2, -3])],
    ['stridedSlice of rows', [7, 9], (x) => tf.stridedSlice(x, [2], [5])],
    ['stridedSlice with a new axis', [7, 9], (x) => tf.stridedSlice(x, [0, 0, 3], [0, 7, 4], [1, 1, 1], 0, 0, 0, 1, 4)],
    ['reverse', [3, 4, 5], (x) => tf.reverse(x, [0, 2])],
    ['reverse of all', [3, 4], (x) => tf.reverse(x)],
    ['tile', [2, 3], (x) => tf.tile(x, [3, 2])],
    ['tile of four dimensions', [2, 1, 3, 2], (x) => tf.tile(x, [1, 4, 1, 2])],
    ['broadcastTo', [3, 1, 2], (x) => tf.broadcastTo(x, [4, 3, 5, 2])],
    [
      'pad',
      [3, 4],
      (x) =>
        tf.pad(
          x,
          [
            [1, 2],
            [0, 3],
          ],
          1,
        ),
    ],
    [
      'pad of nothing',
      [0, 4],
      (x) =>
        tf.pad(
          x,
          [
            [1, 0],
            [0, 0],
          ],
          1,
        ),
    ],
    ['split', [3, 7], (x) => tf.split(x, [2, 4, 1], 1)],
    ['unstack', [3, 4, 2], (x) => tf.unstack(x, 1)],
    ['reshape and back', [3, 8], (x) => tf.reshape(tf.expandDims(tf.reshape(x, [2, -1]), 1), [24])],
    ['squeeze', [3, 1, 8, 1], (x) => tf.squeeze(x)],
  ];
  for (const [name, shape, op] of moves) check(`${name}${kind}`, [input(shape)], op, { gradient: gradient && !/stridedSlice/.test(name) });
  check(`concat${kind}`, [input([3, 2, 2]), input([3, 5, 2]), input([3, 0, 2])], (...x) => tf.concat(x, 1), { gradient });
  check(`stack${kind}`, [input([3, 2]), input([3, 2])], (...x) => [tf.stack(x, 0), tf.stack(x, 1), tf.stack(x, 2)], { gradient });
  check(`gather${kind}`, [input([6, 5]), ints([2, 3], 0, 5)], (x, i) => [tf.gather(x, i), tf.gather(x, i, 1)], { gradient, gradientK: 9 });
  check(`gather with batches${kind}`, [input([2, 6, 3]), ints([2, 4], 0, 6)], (x, i) => tf.gather(x, i, 1, 1));
  check(`gather of nothing${kind}`, [input([6, 5]), ints([0], 0, 5)], (x, i) => tf.gather(x, i));
}
check('unsortedSegmentSum', [floats([9, 70]), ints([9], -1, 5)], (x, i) => tf.unsortedSegmentSum(x, i as tf.Tensor1D, 4), { K: 9 });
check('unsortedSegmentSum of scalars', [floats([90]), ints([90], 0, 5)], (x, i) => tf.unsortedSegmentSum(x, i as tf.Tensor1D, 6), {
  K: 90,
});
check('oneHot', [ints([3, 4], -1, 6)], (x) => [tf.oneHot(x, 5), tf.oneHot(x, 5, 0.9, 0.1, 'float32'), tf.oneHot(x, 5, 3, -2, 'int32')]);
check('fill, zeros, ones, range', [floats([2, 3])], (x) => [
  tf.fill([2, 3], 1.5),
  tf.fill([4], -7, 'int32'),
  tf.zeros([3], 'bool'),
  tf.zerosLike(x),
  tf.onesLike(x),
  tf.range(0, 10),
  tf.range(5, -3),
  tf.range(0, 1, 0.1),
  tf.range(1, 9, 3, 'int32'),
  tf.range(3, 3),
]);

/** Values, and the gradient of Σ dy·value for each float input. */
async function evaluate({
  inputs,
  op,
  gradient,
}: Case): Promise<{ values: tf.TypedArray[]; shapes: string[]; gradients: tf.TypedArray[] }> {
  const tensors = tf.tidy(() => inputs.map(({ shape, values, dtype }) => tf.keep(tf.tensor(Array.from(values), shape, dtype))));
  const outputs = [op(...tensors)].flat();
  const values = await Promise.all(outputs.map((output) => output.data()));
  const shapes = outputs.map(({ shape, dtype }) => `${dtype} [${shape}]`);
  let gradients: tf.TypedArray[] = [];
  if (gradient) {
    const dys = outputs.map(({ shape }, i) => tf.tensor(randomArray(shape, 900 + i), shape));
    const loss = (...x: tf.Tensor[]) =>
      tf.addN([op(...x, ...tensors.slice(x.length))].flat().map((output, i) => output.mul(dys[i]).sum())) as tf.Scalar;
    const sources = tensors.filter((_, i) => inputs[i].dtype === 'float32');
    gradients = await Promise.all(
      tf
        .grads(loss)(sources)
        .map((g) => g.data()),
    );
  }
  for (const tensor of tensors) tensor.dispose();
  return { values, shapes, gradients };
}

describe('standard ops on native are those of tfjs', () => {
  const families = new Map<string, Case[]>();
  for (const one of cases) {
    const family = one.name.split(/[ ,]/)[0];
    families.set(family, [...(families.get(family) ?? []), one]);
  }
  for (const [family, members] of families) {
    onNative(`${family} (${members.length} cases)`, async () => {
      await useDevice('cpu');
      const expected = [];
      for (const one of members) expected.push(await evaluate(one));
      await useDevice('native', { threads: 2 });
      const before = JSON.stringify(fallbackCounts());
      for (const [i, one] of members.entries()) {
        const actual = await evaluate(one);
        assert.deepEqual(actual.shapes, expected[i].shapes, one.name);
        for (const [j, value] of actual.values.entries()) {
          const dtype = actual.shapes[j].split(' ')[0] as 'float32' | 'int32' | 'bool';
          assert.equal(value.constructor, { float32: Float32Array, int32: Int32Array, bool: Uint8Array }[dtype], one.name);
          await assertClose(value, expected[i].values[j], { K: one.K, c: one.c, name: one.name });
        }
        for (const [j, value] of actual.gradients.entries()) {
          await assertClose(value, expected[i].gradients[j], { K: one.gradientK ?? one.K, c: one.c, name: `${one.name}: gradient ${j}` });
        }
      }
      assert.equal(JSON.stringify(fallbackCounts()), before, 'no fallback ran');
    });
    onNative(`${family}: the same bits with 1, 2 and 3 threads`, async () => {
      for (const { inputs, op } of members) {
        const tensors = inputs.map(({ shape, values, dtype }) => tf.tensor(Array.from(values), shape, dtype));
        await assertSameBitsOnAnyThreads(() => op(...tensors));
      }
    });
  }

  onNative('broadcasting any shapes', async () => {
    const dimension = fc.constantFrom(0, 1, 1, 2, 3, 5, 16, 17);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(dimension, fc.constantFrom('both', 'a', 'b')), { maxLength: 5 }),
        fc.nat(2),
        fc.nat(2),
        async (dimensions, cutA, cutB) => {
          const of = (who: string, cut: number) => {
            const shape = dimensions.map(([n, has]) => (has === 'both' || has === who ? n : 1));
            while (cut-- > 0 && shape[0] === 1) shape.shift();
            return shape;
          };
          const [a, b] = [of('a', cutA), of('b', cutB)];
          const [x, y] = [randomArray(a, 1), randomArray(b, 2)];
          const out = tf.backend_util.assertAndGetBroadcastShape(a, b);
          const at = (shape: number[], position: number[]) =>
            shape.reduce((index, n, d) => index * n + (n === 1 ? 0 : position[d + out.length - shape.length]), 0);
          const expected = Array.from({ length: out.reduce((p, n) => p * n, 1) }, (_, i) => {
            const position: number[] = new Array(out.length);
            for (let d = out.length - 1, rest = i; d >= 0; rest = Math.floor(rest / out[d--])) position[d] = rest % out[d];
            return Math.fround(x[at(a, position)] - y[at(b, position)]);
          });
          const value = tf.tidy(() => tf.sub(tf.tensor(x, a), tf.tensor(y, b)));
          assert.deepEqual(value.shape, out);
          assert.deepEqual(Array.from(await value.data()), expected);
          value.dispose();
        },
      ),
      { numRuns: 200, seed: 7 },
    );
  });
});
