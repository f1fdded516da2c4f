// Legend: M rows (tokens), C hidden size, V vocabulary.
import type { TensorInfo } from '@tensorflow/tfjs';
import { matrixShape } from '../../matrix-shape.js';
import type { WebgpuEngine } from '../engine.js';
import type { Shader } from '../shader.js';
import { elementwise, once, reductions, register, runElementwise, sizeOf } from './common.js';
import { multiply } from './matmul.js';

interface CrossEntropyAttributes {
  scale: number;
  smoothing: number;
  /** What is made beside the loss and each row's. */
  correct?: boolean;
  dhidden?: boolean;
  dtable?: boolean;
}

/** Rows whose logits are in memory at once: at least those of 16 MB, and with more than a GPU is busy with. */
const TOGETHER = 2 ** 22;
const ROWS = 512;
const LANES = 256;

/** A workgroup a row of the logits [rows, V] of some rows from `first` on: `each(code)` runs over its elements `z[i]`. */
function rowsOfLogits({ name, buffers, numbers, code, declarations = '' }: Omit<Shader, 'lanes'>): Shader {
  return {
    name,
    buffers,
    numbers: { V: 'u32', rows: 'u32', first: 'u32', ...numbers },
    lanes: LANES,
    declarations: `${reductions(LANES)}\n${declarations}`,
    code: `
if (group >= numbers.rows) { return; }
let m = numbers.first + group;
let target_id = targets[m];
let counts = target_id >= 0;
let aim = group * numbers.V + u32(max(target_id, 0));
${code}`,
  };
}
const each = (code: string) => `for (var v = lane; v < numbers.V; v += ${LANES}u) { let i = group * numbers.V + v; ${code} }`;
const TOP = `var highest = -3.4e38f;\n${each('highest = max(highest, z[i]);')}\nlet top = largest(highest, lane);`;

/**
 * losses[m] = weight · ((1 − ε) · nll + ε · mean(−log p)); with `gradient` each logit is replaced by the slope of scale · loss. With `correct`: whether
 * the target is the likeliest token, of several the first.
 */
const crossEntropyRows = (weighted: boolean, correct: boolean, gradient: boolean) =>
  rowsOfLogits({
    name: `crossEntropy-${weighted}-${correct}-${gradient}`,
    buffers: {
      z: gradient ? 'f32 written' : 'f32',
      targets: 'i32',
      losses: 'f32 written',
      weights: weighted ? 'f32' : undefined,
      correct: correct ? 'i32 written' : undefined,
    },
    numbers: { scale: 'f32', smoothing: 'f32' },
    code: `
${TOP}
var own = 0f;
var ownSum = 0f;
${each('own += exp(z[i] - top); ownSum += z[i] - top;')}
let weight = ${weighted ? 'weights[m]' : '1f'};
let logTotal = log(total(own, lane));
let mean = total(ownSum, lane) / f32(numbers.V);
let nll = logTotal - (z[aim] - top);
if (lane == 0u) { losses[m] = select(0f, weight * ((1 - numbers.smoothing) * nll + numbers.smoothing * (logTotal - mean)), counts); }
${
  correct
    ? `
var below = 3.4e38f;
${each('if (z[i] == top) { below = min(below, f32(v)); }')}
let likeliest = -largest(-below, lane);
if (lane == 0u) { correct[m] = select(0, 1, counts && u32(likeliest) == u32(max(target_id, 0))); }`
    : ''
}
${
  gradient
    ? `
let factor = select(0f, weight * numbers.scale, counts);
let even = numbers.smoothing / f32(numbers.V);
${each(`
  let slope = exp(z[i] - top - logTotal) - even - select(0f, 1 - numbers.smoothing, i == aim);
  z[i] = select(0f, slope * factor, counts);`)}`
    : ''
}`,
  });

/** Of each row log p(target), entropy and log-sum-exp of z / temperature; 0 where the target is -1. */
const LOG_PROBS = rowsOfLogits({
  name: 'logProbs',
  buffers: { z: 'f32', targets: 'i32', logProbs: 'f32 written', entropy: 'f32 written', logSumExp: 'f32 written' },
  numbers: { cold: 'f32' },
  code: `
${TOP}
var own = 0f;
var ownSpread = 0f;
${each('let below = (z[i] - top) * numbers.cold; let e = exp(below); own += e; ownSpread += select(e * below, 0f, e == 0f);')}
let whole = total(own, lane);
let spread = total(ownSpread, lane);
if (lane == 0u) {
  let logTotal = log(whole);
  logProbs[m] = select(0f, (z[aim] - top) * numbers.cold - logTotal, counts);
  entropy[m] = select(0f, logTotal - spread / whole, counts);
  logSumExp[m] = select(0f, top * numbers.cold + logTotal, counts);
}`,
});

/** Each logit is replaced by its slope, of what dLogProbs, dEntropy and dLogSumExp ask for. */
const LOG_PROBS_GRAD = rowsOfLogits({
  name: 'logProbsGrad',
  buffers: { z: 'f32 written', targets: 'i32', entropy: 'f32', logSumExp: 'f32', dLogProbs: 'f32', dEntropy: 'f32', dLogSumExp: 'f32' },
  numbers: { cold: 'f32' },
  code: `
let own = dLogProbs[m];
let spread = entropy[m];
${each(`
  let logP = z[i] * numbers.cold - logSumExp[m];
  let slope = exp(logP) * (dLogSumExp[m] - own - dEntropy[m] * (logP + spread)) + select(0f, own, i == aim);
  z[i] = select(0f, slope * numbers.cold, counts);`)}`,
});

const SUM: Shader = {
  name: 'sum',
  buffers: { x: 'f32', y: 'f32 written' },
  numbers: { size: 'u32', scale: 'f32' },
  lanes: LANES,
  declarations: reductions(LANES),
  code: `
var own = 0f;
for (var i = lane; i < numbers.size; i += ${LANES}u) { own += x[i]; }
let sum = total(own, lane);
if (lane == 0u) { y[0] = sum * numbers.scale; }`,
};

const FILL = elementwise('fill', { buffers: { y: 'f32 written' }, numbers: { value: 'f32' }, code: 'y[index] = numbers.value;' });

const SCALED = elementwise('scaled', {
  buffers: { x: 'f32', by: 'f32', y: 'f32 written' },
  numbers: {},
  code: 'y[index] = x[index] * by[0];',
});
const ADD_SCALED = elementwise('addScaled', {
  buffers: { x: 'f32', by: 'f32', y: 'f32 written' },
  numbers: {},
  code: 'y[index] += x[index] * by[0];',
});

interface Logits {
  hidden: TensorInfo;
  table: TensorInfo;
}

/**
 * Runs `work` over all rows, some at a time, with their logits z; where it leaves slopes in z, they are multiplied into dhidden [M, C], and added
 * to dtable, or put there when `fresh`.
 */
function inChunks(
  engine: WebgpuEngine,
  { hidden, table }: Logits,
  work: (z: TensorInfo, rows: number, first: number) => void,
  into: { dhidden?: TensorInfo; dtable?: TensorInfo; fresh?: boolean } = {},
): void {
  const [M, C] = matrixShape(hidden);
  const V = table.shape[0];
  const together = Math.min(M, Math.max(ROWS, Math.floor(TOGETHER / V)));
  const { dhidden, dtable, fresh } = into;
  if (M === 0) {
    if (dtable && fresh) runElementwise(engine, FILL, { y: dtable }, V * C, { value: 0 });
    return;
  }
  const z = engine.make([together, V]);
  for (let first = 0; first < M; first += together) {
    const rows = Math.min(together, M - first);
    multiply(engine, { a: hidden, b: table, c: z, M: rows, N: V, K: C, transposeB: true, offsetA: first * C });
    work(z, rows, first);
    if (dhidden) multiply(engine, { a: z, b: table, c: dhidden, M: rows, N: C, K: V, offsetC: first * C });
    if (dtable) {
      const accumulate = !(fresh && first === 0);
      multiply(engine, { a: z, b: hidden, c: dtable, M: V, N: C, K: rows, transposeA: true, accumulate, offsetB: first * C });
    }
  }
  engine.release(z);
}

/** The kernels behind ops/cross-entropy.ts and ops/log-probs.ts. */
export function registerCrossEntropy(): void {
  register<CrossEntropyAttributes>('FourfoldCrossEntropy', (engine, { hidden, table, targets, weights }, attributes) => {
    const [M] = hidden.shape;
    const V = table.shape[0];
    const { scale, smoothing } = attributes;
    const [loss, losses] = [engine.make([]), engine.make([M])];
    const correct = attributes.correct ? engine.make([M], 'int32') : undefined;
    const dhidden = attributes.dhidden ? engine.make(hidden.shape) : undefined;
    const dtable = attributes.dtable ? engine.make(table.shape) : undefined;
    const flags = [weights, correct, dhidden ?? dtable].map((tensor) => tensor !== undefined);
    const shader = once(`crossEntropy-${flags}`, () => crossEntropyRows(flags[0], flags[1], flags[2]));
    const work = (z: TensorInfo, rows: number, first: number) =>
      engine.run(shader, { z, targets, losses, weights, correct }, { V, rows, first, scale, smoothing }, rows);
    inChunks(engine, { hidden, table }, work, { dhidden, dtable, fresh: true });
    engine.run(SUM, { x: losses, y: loss }, { size: M, scale }, 1);
    return [loss, losses, correct, dhidden, dtable].filter((tensor) => tensor !== undefined);
  });
  register('FourfoldCrossEntropyGrad', (engine, { dhidden, dtable, dy, target }) => {
    const dx = engine.make(dhidden.shape);
    runElementwise(engine, SCALED, { x: dhidden, by: dy, y: dx }, sizeOf(dx));
    if (dtable) runElementwise(engine, ADD_SCALED, { x: dtable, by: dy, y: target }, sizeOf(dtable));
    return [dx];
  });
  register<{ temperature: number }>('FourfoldLogProbs', (engine, { hidden, table, targets }, { temperature }) => {
    const [M] = hidden.shape;
    const V = table.shape[0];
    const [logProbs, entropy, logSumExp] = [engine.make([M]), engine.make([M]), engine.make([M])];
    inChunks(engine, { hidden, table }, (z, rows, first) =>
      engine.run(LOG_PROBS, { z, targets, logProbs, entropy, logSumExp }, { V, rows, first, cold: 1 / temperature }, rows),
    );
    return [logProbs, entropy, logSumExp];
  });
  register<{ temperature: number }>('FourfoldLogProbsGrad', (engine, inputs, { temperature }) => {
    const { hidden, table, targets, entropy, logSumExp, dLogProbs, dEntropy, dLogSumExp, dtable } = inputs;
    const V = table.shape[0];
    const dhidden = engine.make(hidden.shape);
    const given = { targets, entropy, logSumExp, dLogProbs, dEntropy, dLogSumExp };
    inChunks(
      engine,
      { hidden, table },
      (z, rows, first) => engine.run(LOG_PROBS_GRAD, { z, ...given }, { V, rows, first, cold: 1 / temperature }, rows),
      { dhidden, dtable },
    );
    return [dhidden];
  });
}
