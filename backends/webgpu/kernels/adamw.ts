import type { TensorInfo } from '@tensorflow/tfjs';
import type { Shader } from '../shader.js';
import { once, reductions, register, sizeOf } from './common.js';

interface Attributes {
  weightDecay: readonly number[];
  learningRate: number;
  beta1: number;
  beta2: number;
  epsilon: number;
  step: number;
  maxGradNorm: number;
  /** What gradients are multiplied by before anything else; default 1. */
  gradientScale?: number;
}

const LANES = 256;
/** Workgroups that sum the squares of one gradient. */
const BLOCKS = 64;

const each = <T>(n: number, of: (k: number) => T) => Array.from({ length: n }, (_, k) => of(k));
const named = <T>(n: number, names: readonly string[], value: T) =>
  Object.fromEntries(each(n, (k) => names.map((name) => [`${name}${k}`, value])).flat());

/**
 * Of `n` gradients, BLOCKS workgroups each: partials[BLOCKS · (first + k) + block] is the sum of the squares of its elements block · LANES + lane,
 * + BLOCKS · LANES, ….
 */
const squares = (n: number): Shader => ({
  name: `squares-${n}`,
  buffers: { partials: 'f32 written', ...named(n, ['gradient'], 'f32' as const) },
  numbers: { first: 'u32', scale: 'f32', ...named(n, ['size'], 'u32' as const) },
  lanes: LANES,
  declarations: reductions(LANES),
  code: `
let start = group % ${BLOCKS}u * ${LANES}u + lane;
var own = 0f;
switch (group / ${BLOCKS}u) {
  ${each(n, (k) => `case ${k}u: { for (var i = start; i < numbers.size${k}; i += ${BLOCKS * LANES}u) { let g = gradient${k}[i] * numbers.scale; own += g * g; } }`).join('\n  ')}
  default: {}
}
let sum = total(own, lane);
if (lane == 0u) { partials[numbers.first * ${BLOCKS}u + group] = sum; }`,
});

/** The squared norm of each gradient, and behind them the factor of all of them; 0 where their sum is not finite. */
const NORMS: Shader = {
  name: 'norms',
  buffers: { partials: 'f32', norms: 'f32 written', factor: 'f32 written' },
  numbers: { count: 'u32', most: 'f32', scale: 'f32' },
  lanes: LANES,
  declarations: reductions(LANES),
  code: `
for (var p = lane; p < numbers.count; p += ${LANES}u) {
  var sum = 0f;
  for (var i = 0u; i < ${BLOCKS}u; i++) { sum += partials[p * ${BLOCKS}u + i]; }
  norms[p] = sum;
}
storageBarrier();
workgroupBarrier();
if (lane == 0u) {
  var sum = 0f;
  for (var p = 0u; p < numbers.count; p++) { sum += norms[p]; }
  let norm = sqrt(sum);
  // By its bits, since a compiler may assume that no number is infinite or NaN.
  let finite = (bitcast<u32>(sum) & 0x7f800000u) != 0x7f800000u;
  let clipped = select(1f, numbers.most / (norm + 1e-6), numbers.most > 0 && norm > numbers.most);
  factor[0] = select(0f, clipped * numbers.scale, finite);
  factor[1] = select(0f, 1f, finite);
}`,
};

const FIELDS = ['parameter', 'gradient', 'moment1', 'moment2'] as const;

/** `n` parameters, one after the other over the workgroups; parameter k begins with workgroup `group${k}`. */
const step = (n: number): Shader => ({
  name: `adamw-${n}`,
  buffers: { factor: 'f32', ...named(n, FIELDS, 'f32 written' as const) },
  numbers: {
    ...named(n, ['size', 'group'], 'u32' as const),
    ...named(n, ['keep'], 'f32' as const),
    ...{ stepSize: 'f32', beta1: 'f32', beta2: 'f32', root2: 'f32', epsilon: 'f32' },
  },
  lanes: LANES,
  code: `
if (factor[1] == 0f) { return; }
${each(
  n,
  (k) => `
if (group >= numbers.group${k} && (group - numbers.group${k}) * ${LANES}u + lane < numbers.size${k}) {
  let i = (group - numbers.group${k}) * ${LANES}u + lane;
  let g = gradient${k}[i] * factor[0];
  let first = moment1${k}[i] + (g - moment1${k}[i]) * numbers.beta1;
  let second = moment2${k}[i] * (1 - numbers.beta2) + g * g * numbers.beta2;
  moment1${k}[i] = first;
  moment2${k}[i] = second;
  parameter${k}[i] = parameter${k}[i] * numbers.keep${k} - first / (sqrt(second) / numbers.root2 + numbers.epsilon) * numbers.stepSize;
  gradient${k}[i] = 0f;
}`,
).join('')}`,
});

/** Runs of `size` items, the last one shorter. */
const runsOf = <T>(items: readonly T[], size: number) => each(Math.ceil(items.length / size), (k) => items.slice(k * size, (k + 1) * size));

/**
 * The kernel behind ops/adamw.ts. Inputs parameter0, gradient0, moment10, moment20, parameter1, …; they are changed in place.
 * Its output is the squared norm of each gradient; when their sum is not finite, nothing was changed. Nothing is read back in between.
 * A shader sees so many buffers and no more (8 everywhere, 12 or more on most adapters): four a parameter, one a gradient when norms are taken.
 */
export function registerAdamw(): void {
  register<Attributes>(
    'FourfoldAdamw',
    (engine, inputs, { weightDecay, learningRate, beta1, beta2, epsilon, step: steps, maxGradNorm, gradientScale = 1 }) => {
      const count = weightDecay.length;
      const [norms, partials, factor] = [engine.make([count]), engine.make([BLOCKS * count]), engine.make([2])];
      const buffers = engine.device.limits.maxStorageBuffersPerShaderStage;
      const all = each(count, (i) => i);
      for (const run of runsOf(all, buffers - 1)) {
        const gradients = Object.fromEntries(run.map((i, k) => [`gradient${k}`, inputs[`gradient${i}`]]));
        const sizes = Object.fromEntries(run.map((i, k) => [`size${k}`, sizeOf(inputs[`gradient${i}`])]));
        engine.run(
          once(`squares-${run.length}`, () => squares(run.length)),
          { partials, ...gradients },
          { first: run[0], scale: gradientScale, ...sizes },
          BLOCKS * run.length,
        );
      }
      engine.run(NORMS, { partials, norms, factor }, { count, most: maxGradNorm, scale: gradientScale }, 1);
      // 1 − β in double: WGSL has none.
      const shared = {
        ...{ beta1: 1 - beta1, beta2: 1 - beta2, epsilon },
        ...{ stepSize: learningRate / (1 - beta1 ** steps), root2: Math.sqrt(1 - beta2 ** steps) },
      };
      for (const run of runsOf(all, Math.floor((buffers - 1) / FIELDS.length))) {
        let group = 0;
        const tensors: Record<string, TensorInfo> = {};
        const numbers: Record<string, number> = {};
        for (const [k, i] of run.entries()) {
          for (const field of FIELDS) tensors[`${field}${k}`] = inputs[`${field}${i}`];
          const size = sizeOf(inputs[`parameter${i}`]);
          Object.assign(numbers, { [`size${k}`]: size, [`group${k}`]: group, [`keep${k}`]: 1 - learningRate * weightDecay[i] });
          group += Math.ceil(size / LANES);
        }
        engine.run(
          once(`adamw-${run.length}`, () => step(run.length)),
          { factor, ...tensors },
          { ...numbers, ...shared },
          group,
        );
      }
      for (const tensor of [partials, factor]) engine.release(tensor);
      return [norms];
    },
  );
}
