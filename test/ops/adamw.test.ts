import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs';
import { type AdamwItem, adamw } from '../../ops/adamw.js';
import { type AdamwState, adamwOracle } from '../oracles/adamw.js';
import { assertClose, assertSameBitsOnAnyThreads, bitsOf, onEveryDevice, onNative, randomArray } from './conformance.js';

const SETTINGS = { learningRate: 0.01, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, maxGradNorm: 1 };
const FIELDS = ['parameter', 'gradient', 'moment1', 'moment2'] as const;

function variables(values: Record<(typeof FIELDS)[number], ArrayLike<number>>, name: string, weightDecay: number): AdamwItem {
  const [parameter, gradient, moment1, moment2] = FIELDS.map((field) => tf.variable(tf.tensor1d(Float32Array.from(values[field]))));
  return { name, parameter, gradient, moment1, moment2, weightDecay };
}

function dispose(items: AdamwItem[]): void {
  for (const item of items) for (const field of FIELDS) item[field].dispose();
}

/** Random state of the given sizes; second moments are not negative. */
function states(sizes: number[]): AdamwState[] {
  return sizes.map((size, i) => ({
    parameter: Float64Array.from(randomArray(size, i)),
    gradient: Float64Array.from(randomArray(size, i, { stream: 1, scale: 0.01 })),
    moment1: Float64Array.from(randomArray(size, i, { stream: 2, scale: 0.01 })),
    moment2: Float64Array.from(randomArray(size, i, { stream: 3, scale: 0.01 })).map((v) => v * v),
    weightDecay: i % 2 === 0 ? 0.1 : 0,
  }));
}

// What torch.optim.AdamW (float64) makes of these in two steps, with torch.nn.utils.clip_grad_norm_(…, 1).
const GRADIENTS = [
  [[0.3, -4, 0], [2]],
  [[1, 0.5, -0.25], [-0.125]],
];
const TORCH = [
  { norm: 4.4821869662029945, first: [0.9890000014940624, -1.9880000001120548, 0.4995], second: [0.2400000002241094] },
  { norm: 1.1524430571616109, first: [0.9801733011857916, -1.9832195328733295, 0.5063500995499277], second: [0.2351936960809593] },
];

describe('adamw', () => {
  it('has an oracle that agrees with torch', () => {
    const zeros = (n: number) => new Float64Array(n);
    const items: AdamwState[] = [
      { parameter: Float64Array.of(1, -2, 0.5), gradient: zeros(3), moment1: zeros(3), moment2: zeros(3), weightDecay: 0.1 },
      { parameter: Float64Array.of(0.25), gradient: zeros(1), moment1: zeros(1), moment2: zeros(1), weightDecay: 0 },
    ];
    for (const [i, expected] of TORCH.entries()) {
      for (const [k, item] of items.entries()) item.gradient = Float64Array.from(GRADIENTS[i][k]);
      const norm = adamwOracle(items, { ...SETTINGS, step: i + 1 });
      const values = [norm, ...items[0].parameter, ...items[1].parameter];
      const all = [expected.norm, ...expected.first, ...expected.second];
      assert.ok(all.every((e, j) => Math.abs(e - values[j]) < 1e-12));
    }
  });

  for (const maxGradNorm of [0, 1, 1e6]) {
    onEveryDevice(`steps as the oracle over parameters of any size, gradients clipped at ${maxGradNorm}`, async () => {
      const expected = states([1, 17, 40000, 256]);
      const items = expected.map((state, i) => variables(state, `p${i}`, state.weightDecay));
      for (let step = 5; step < 8; step++) {
        const settings = { ...SETTINGS, maxGradNorm, step };
        const norm = adamwOracle(expected, settings);
        const result = await adamw(items, settings);
        assert.equal(result.nonFinite, undefined);
        await assertClose([result.gradNorm], [norm], { K: 40000 });
        for (const [i, item] of items.entries()) {
          await assertClose(item.parameter, expected[i].parameter, { scale: 4, c: 16, name: 'parameter' });
          await assertClose(item.moment1, expected[i].moment1, { name: 'moment1', c: 64 });
          await assertClose(item.moment2, expected[i].moment2, { name: 'moment2', c: 64 });
          await assertClose(item.gradient, new Float64Array(item.gradient.size), { name: 'gradient' });
          expected[i].gradient = Float64Array.from(randomArray(item.gradient.size, i + step, { scale: 0.01 }));
          item.gradient.assign(tf.tensor1d(Float32Array.from(expected[i].gradient)));
        }
      }
      dispose(items);
    });
  }

  onEveryDevice('scales gradients before it clips: those of a scaled loss make the same step', async () => {
    const given = states([17, 300]);
    const settings = { ...SETTINGS, step: 3 };
    const [plain, scaled] = [1, 1024].map((factor) =>
      given.map((state, i) => variables({ ...state, gradient: state.gradient.map((value) => factor * value) }, `p${i}`, state.weightDecay)),
    );
    const [first, second] = [await adamw(plain, settings), await adamw(scaled, { ...settings, gradientScale: 1 / 1024 })];
    await assertClose([second.gradNorm], [first.gradNorm], { K: 317 });
    for (const [i, { parameter, moment1, moment2 }] of scaled.entries()) {
      await assertClose(parameter, await plain[i].parameter.data(), { scale: 4, name: 'parameter' });
      await assertClose(moment1, await plain[i].moment1.data(), { c: 8, name: 'moment1' });
      await assertClose(moment2, await plain[i].moment2.data(), { c: 8, name: 'moment2' });
    }
    dispose([...plain, ...scaled]);
  });

  for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY]) {
    onEveryDevice(`names the parameter whose gradient holds ${wrong}, and changes nothing`, async () => {
      const items = states([5, 20, 9]).map((state, i) => variables(state, `layer.${i}`, 0.1));
      const poisoned = await items[1].gradient.data();
      poisoned[7] = wrong;
      items[1].gradient.assign(tf.tensor1d(poisoned as Float32Array));
      const before = await Promise.all(items.flatMap((item) => FIELDS.map((field) => bitsOf(item[field]))));
      const result = await adamw(items, { ...SETTINGS, step: 1 });
      assert.equal(result.nonFinite, 'layer.1');
      assert.ok(!Number.isFinite(result.gradNorm));
      assert.deepEqual(await Promise.all(items.flatMap((item) => FIELDS.map((field) => bitsOf(item[field])))), before);
      dispose(items);
    });
  }

  onNative('has the same bits on any number of threads', async () => {
    const initial = states([50000, 3, 70001]);
    const results: tf.Tensor[][] = [];
    for (let i = 0; i < 3; i++) {
      const items = initial.map((state, k) => variables(state, `p${k}`, 0.1));
      results.push(items.flatMap((item) => [item.parameter, item.moment1, item.moment2, item.gradient]));
    }
    let run = 0;
    const work = results.map((tensors) => () => {
      const items = initial.map((state, k) => {
        const [parameter, moment1, moment2, gradient] = tensors.slice(4 * k, 4 * k + 4) as tf.Variable[];
        return { name: '', parameter, moment1, moment2, gradient, weightDecay: state.weightDecay };
      });
      void adamw(items, { ...SETTINGS, step: 2 });
      return tensors;
    });
    await assertSameBitsOnAnyThreads(() => work[run++]());
    for (const tensor of results.flat()) tensor.dispose();
  });
});
