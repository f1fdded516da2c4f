import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs';
import { accumulateGradients, tapeRoot } from '../../ops/gradients.js';
import { linear, packedLinear, packWeights } from '../../ops/linear.js';
import { type Precision, setPrecision } from '../../ops/precision.js';
import { toHalf } from '../oracles/half.js';
import { type LinearShape, linearGradientOracle, linearOracle } from '../oracles/linear.js';
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

function inPrecision<T>(precision: Precision, run: () => T): T {
  setPrecision(precision);
  try {
    return run();
  } finally {
    setPrecision('fp32');
  }
}

interface Operands {
  x: tf.Tensor2D;
  weight: tf.Tensor2D;
  bias: tf.Tensor1D;
  dy: tf.Tensor2D;
}

function operands({ M, K, N }: LinearShape): Operands {
  return {
    x: randomTensor([M, K], 1) as tf.Tensor2D,
    weight: randomTensor([N, K], 2, { scale: 0.1 }) as tf.Tensor2D,
    bias: randomTensor([N], 3) as tf.Tensor1D,
    dy: randomTensor([M, N], 4) as tf.Tensor2D,
  };
}

const run = ({ x, weight, bias, dy }: Operands, { activation }: LinearShape) =>
  gradientsOf((x, weight, bias) => linear(x, weight as tf.Tensor2D, bias as tf.Tensor1D, activation), [x, weight, bias], dy);

async function assertLinear(shape: LinearShape, dtype: 'float32' | 'bf16'): Promise<void> {
  const inputs = operands(shape);
  const { value, gradients } = dtype === 'bf16' ? inPrecision('bf16', () => run(inputs, shape)) : run(inputs, shape);
  const [x, weight, bias, dy] = await Promise.all([inputs.x, inputs.weight, inputs.bias, inputs.dy].map(float64));
  await assertClose(value, linearOracle(shape, x, weight, bias), { K: shape.K, dtype });
  const expected = linearGradientOracle(shape, x, weight, bias, dy);
  const terms = [shape.N, shape.M, shape.M];
  for (const [i, name] of ['dx', 'dweight', 'dbias'].entries()) await assertClose(gradients[i], expected[i], { K: terms[i], dtype, name });
}

describe('linear', () => {
  for (const activation of [undefined, 'gelu', 'gelu_new'] as const) {
    it(`has an oracle whose gradient is that of its value, ${activation ?? 'no activation'}`, () => {
      const shape = { M: 2, K: 3, N: 4, activation };
      const [x, weight, bias, dy] = [6, 12, 4, 8].map((size, i) => Float64Array.from(randomArray(size, i)));
      const gradients = linearGradientOracle(shape, x, weight, bias, dy);
      assertGradientOf(
        (...inputs) => linearOracle(shape, ...(inputs as Parameters<typeof linearOracle> extends [unknown, ...infer R] ? R : never)),
        gradients,
        [x, weight, bias],
        dy,
      );
    });
  }

  const shapes: LinearShape[] = [
    { M: 1, K: 1, N: 1 },
    { M: 1, K: 37, N: 65 },
    { M: 14, K: 16, N: 32, activation: 'gelu' },
    { M: 33, K: 70, N: 31, activation: 'gelu_new' },
    { M: 100, K: 530, N: 130 },
    { M: 65, K: 65, N: 600 },
    { M: 0, K: 8, N: 4 },
  ];
  for (const shape of shapes) {
    const name = `multiplies [${shape.M}, ${shape.K}] by [${shape.N}, ${shape.K}], with its gradients, ${shape.activation ?? 'no activation'}`;
    onEveryDevice(name, () => assertLinear(shape, 'float32'));
    onNative(`${name}, in bf16`, () => assertLinear(shape, 'bf16'));
  }

  onNative('rounds to fp16 as IEEE says: ties to even, small steps near 0, infinity beyond 65504, NaN', async () => {
    const edges = [
      0,
      1,
      1 + 2 ** -11,
      1 + 3 * 2 ** -11,
      -2049,
      65504,
      65519.99,
      65520,
      -1e9,
      2 ** -14,
      2 ** -25,
      3 * 2 ** -25,
      -(2 ** -26),
      5e-8,
      1e-45,
    ];
    const x = tf.tensor2d(
      [...edges, Number.NaN, ...randomArray(200, 1, { scale: 10 }), ...randomArray(200, 2, { scale: 1e-6 })],
      [edges.length + 401, 1],
    );
    const one = tf.tensor2d([1], [1, 1]);
    const found = await inPrecision('fp16', () => linear(x, one)).data();
    for (const [i, value] of (await x.data()).entries()) {
      assert.ok(Object.is(found[i] + 0, toHalf(value) + 0), `${value}: ${found[i]}, not ${toHalf(value)}`);
    }
  });

  for (const shape of shapes.filter(({ activation }) => !activation)) {
    onNative(`multiplies in fp16 [${shape.M}, ${shape.K}] by [${shape.N}, ${shape.K}] as fp32 does what was rounded before`, async () => {
      const inputs = operands(shape);
      const { value, gradients } = inPrecision('fp16', () => run(inputs, shape));
      const [x, weight, dy] = (await Promise.all([inputs.x, inputs.weight, inputs.dy].map(float64))).map((values) => values.map(toHalf));
      const bias = await float64(inputs.bias);
      await assertClose(value, linearOracle(shape, x, weight, bias), { K: shape.K });
      const [dx, dweight] = linearGradientOracle(shape, x, weight, bias, dy);
      await assertClose(gradients[0], dx, { K: shape.N, name: 'dx' });
      await assertClose(gradients[1], dweight, { K: shape.M, name: 'dweight' });
    });
  }

  onEveryDevice('takes any dimensions before the last, and no bias', async () => {
    const [x, weight] = [randomTensor([2, 3, 5], 1), randomTensor([4, 5], 2) as tf.Tensor2D];
    const y = linear(x, weight);
    assert.deepEqual(y.shape, [2, 3, 4]);
    await assertClose(y, linearOracle({ M: 6, K: 5, N: 4 }, await float64(x), await float64(weight), new Float64Array(4)), { K: 5 });
  });

  onEveryDevice('refuses weights and biases of another shape', () => {
    const x = tf.zeros([2, 3]);
    assert.throws(() => linear(x, tf.zeros([4, 5])), /linear: weight must be \[N, 3\]; received \[4, 5\]/);
    assert.throws(() => linear(x, tf.zeros([4, 3]), tf.zeros([3])), /linear: bias must be \[4\]; received \[3\]/);
  });

  onEveryDevice('adds to the gradients that its parameters have already', async () => {
    const shape: LinearShape = { M: 9, K: 20, N: 11, activation: 'gelu' };
    const { x, weight, bias } = operands(shape);
    const parameters = new Map<string, tf.Variable>([
      ['weight', tf.variable(weight)],
      ['bias', tf.variable(bias)],
    ]);
    const buffers = new Map<string, tf.Variable>([
      ['weight', tf.variable(tf.ones([11, 20]))],
      ['bias', tf.variable(tf.ones([11]))],
    ]);
    const loss = () => {
      const connected = tf.add(x, tapeRoot()!) as tf.Tensor2D; // as what the embedding makes
      return tf.sum(linear(connected, parameters.get('weight') as tf.Tensor2D, parameters.get('bias') as tf.Tensor1D, 'gelu')) as tf.Scalar;
    };
    accumulateGradients(parameters, buffers, loss).dispose();
    const dy = new Float64Array(9 * 11).fill(1);
    const [, dweight, dbias] = linearGradientOracle(shape, await float64(x), await float64(weight), await float64(bias), dy);
    await assertClose(
      buffers.get('weight')!,
      dweight.map((v) => v + 1),
      { K: 9, name: 'dweight' },
    );
    await assertClose(
      buffers.get('bias')!,
      dbias.map((v) => v + 1),
      { K: 9, name: 'dbias' },
    );
    for (const variable of [...parameters.values(), ...buffers.values()]) variable.dispose();
  });

  onEveryDevice('leaves a gradient alone that others share', async () => {
    const shape: LinearShape = { M: 3, K: 4, N: 4, activation: 'gelu' };
    const { x, weight, bias, dy } = operands(shape);
    const { gradients } = gradientsOf((x) => tf.add(linear(x, weight, bias, 'gelu'), x), [x], dy);
    const [dx] = linearGradientOracle(shape, await float64(x), await float64(weight), await float64(bias), await float64(dy));
    const expected = (await float64(dy)).map((v, i) => v + dx[i]);
    await assertClose(gradients[0], expected, { K: 4 });
  });

  onEveryDevice('shows NaN', async () => {
    const y = await linear(tf.tensor2d([1, Number.NaN, 1, 1], [2, 2]), tf.tensor2d([[1, 1]])).data();
    assert.deepEqual([...y], [Number.NaN, 2]);
  });

  for (const precision of ['fp32', 'bf16', 'fp16'] as const) {
    const within = <T>(body: () => T): T => inPrecision(precision, body);

    onNative(`gives a row the same bits whatever the other rows are, packed or not, ${precision}`, async () => {
      const [K, N] = [1100, 70];
      const { x, weight, bias } = operands({ M: 300, K, N });
      const packed = within(() => packWeights(weight));
      const whole = await bitsOf(within(() => linear(x, weight, bias, 'gelu')));
      for (const M of [1, 2, 3, 13, 14, 15, 65, 100, 300]) {
        const rows = tf.slice(x, [0, 0], [M, K]);
        const expected = whole.slice(0, M * N * 4);
        assert.deepEqual(await bitsOf(within(() => linear(rows, weight, bias, 'gelu'))), expected, `${M} rows`);
        assert.deepEqual(await bitsOf(packedLinear(rows, packed, bias, 'gelu')), expected, `${M} rows, packed`);
      }
      packed.data.dispose();
    });

    onNative(`gives an output the same bits whatever the other outputs are, ${precision}`, async () => {
      const { x, weight } = operands({ M: 40, K: 600, N: 1300 });
      const whole = within(() => linear(x, weight));
      for (const N of [1, 31, 32, 33, 600]) {
        const part = within(() => linear(x, tf.slice(weight, [0, 0], [N, 600])));
        assert.deepEqual(await bitsOf(part), await bitsOf(tf.slice(whole, [0, 0], [40, N])), `${N} outputs`);
      }
    });

    for (const shape of [
      { M: 3, K: 300, N: 200 },
      { M: 210, K: 1100, N: 90 },
      { M: 100, K: 20, N: 1300 },
    ]) {
      onNative(`has the same bits on any number of threads: ${Object.values(shape)}, ${precision}`, async () => {
        const inputs = operands(shape);
        await assertSameBitsOnAnyThreads(() => {
          const { value, gradients } = within(() => run(inputs, { ...shape, activation: 'gelu_new' }));
          return [value, ...gradients];
        });
      });
    }
  }

  onEveryDevice('runs with packed weights', async () => {
    const shape = { M: 2, K: 50, N: 37 };
    const { x, weight, bias } = operands(shape);
    const packed = packWeights(weight);
    const y = packedLinear(x, packed, bias);
    await assertClose(y, linearOracle(shape, await float64(x), await float64(weight), await float64(bias)), { K: 50 });
    packed.data.dispose();
  });
});

describe('matMul', () => {
  for (const [transposeA, transposeB] of [
    [false, false],
    [false, true],
    [true, false],
    [true, true],
  ]) {
    onEveryDevice(`multiplies a batch, transposed: ${transposeA}, ${transposeB}`, async () => {
      const [M, K, N] = [35, 40, 33];
      const a = randomTensor([3, M, K], 1);
      const b = randomTensor([1, N, K], 2);
      const left = transposeA ? tf.transpose(a, [0, 2, 1]) : a;
      const right = transposeB ? b : tf.transpose(b, [0, 2, 1]);
      const product = tf.matMul(left, right, transposeA, transposeB);
      assert.deepEqual(product.shape, [3, M, N]);
      await assertClose(product, linearOracle({ M: 3 * M, K, N }, await float64(a), await float64(b), new Float64Array(N)), { K });
    });
  }
});
