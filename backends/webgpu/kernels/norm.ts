import { matrixShape } from '../../matrix-shape.js';
import type { WebgpuEngine } from '../engine.js';
import type { Shader } from '../shader.js';
import { reductions, register } from './common.js';
import { addColumnSums } from './sums.js';

const LANES = 64;

/** A workgroup a row of [M, C]: `each(code)` runs over the elements `i` of the row, `c` its column. */
function rows(name: string, { buffers, numbers, code }: Pick<Shader, 'buffers' | 'numbers' | 'code'>): Shader {
  return {
    name,
    buffers,
    numbers: { M: 'u32', C: 'u32', ...numbers },
    lanes: LANES,
    declarations: reductions(LANES),
    code: `if (group >= numbers.M) { return; }\nlet width = f32(numbers.C);\n${code}`,
  };
}
const each = (code: string) => `for (var c = lane; c < numbers.C; c += ${LANES}u) { let i = group * numbers.C + c; ${code} }`;

const read = (summed: boolean) => (summed ? 'let v = x[i] + delta[i]; sum[i] = v;' : 'let v = x[i];');
const added = (summed: boolean) => (summed ? { delta: 'f32' as const, sum: 'f32 written' as const } : {});
const again = (summed: boolean) => (summed ? 'sum[i]' : 'x[i]');

const rmsNorm = (summed: boolean) =>
  rows(`rmsNorm-${summed}`, {
    buffers: { x: 'f32', weight: 'f32', y: 'f32 written', rstd: 'f32 written', ...added(summed) },
    numbers: { eps: 'f32' },
    code: `
var own = 0f;
${each(`${read(summed)} own += v * v;`)}
let r = 1 / sqrt(total(own, lane) / width + numbers.eps);
${each(`y[i] = ${again(summed)} * r * weight[c];`)}
if (lane == 0u) { rstd[group] = r; }`,
  });

const rmsNormGrad = (summed: boolean) =>
  rows(`rmsNormGrad-${summed}`, {
    buffers: { x: 'f32', weight: 'f32', rstd: 'f32', dy: 'f32', dx: 'f32 written', ...(summed && { dtotal: 'f32' as const }) },
    numbers: {},
    code: `
var own = 0f;
${each('own += dy[i] * weight[c] * x[i];')}
let r = rstd[group];
let along = total(own, lane) / width * r * r;
${each(`dx[i] = r * (dy[i] * weight[c] - x[i] * along)${summed ? ' + dtotal[i]' : ''};`)}`,
  });

const layerNorm = (summed: boolean, bias: boolean) =>
  rows(`layerNorm-${summed}-${bias}`, {
    buffers: {
      x: 'f32',
      weight: 'f32',
      y: 'f32 written',
      mean: 'f32 written',
      rstd: 'f32 written',
      ...added(summed),
      ...(bias && { bias: 'f32' as const }),
    },
    numbers: { eps: 'f32' },
    code: `
var own = 0f;
${each(`${read(summed)} own += v;`)}
let centre = total(own, lane) / width;
own = 0f;
${each(`let d = ${again(summed)} - centre; own += d * d;`)}
let r = 1 / sqrt(total(own, lane) / width + numbers.eps);
${each(`y[i] = (${again(summed)} - centre) * r * weight[c]${bias ? ' + bias[c]' : ''};`)}
if (lane == 0u) { mean[group] = centre; rstd[group] = r; }`,
  });

const layerNormGrad = (summed: boolean) =>
  rows(`layerNormGrad-${summed}`, {
    buffers: {
      x: 'f32',
      weight: 'f32',
      mean: 'f32',
      rstd: 'f32',
      dy: 'f32',
      dx: 'f32 written',
      ...(summed && { dtotal: 'f32' as const }),
    },
    numbers: {},
    code: `
let centre = mean[group];
let r = rstd[group];
var own = 0f;
var ownAlong = 0f;
${each('let g = dy[i] * weight[c]; own += g; ownAlong += g * (x[i] - centre) * r;')}
let level = total(own, lane) / width;
let along = total(ownAlong, lane) / width;
${each(`dx[i] = r * (dy[i] * weight[c] - level - (x[i] - centre) * r * along)${summed ? ' + dtotal[i]' : ''};`)}`,
  });

const both = <T>(make: (flag: boolean) => T) => ({ true: make(true), false: make(false) });
const of = <T>(shaders: { true: T; false: T }, flag: unknown): T => (flag ? shaders.true : shaders.false);
const RMS = both(rmsNorm);
const RMS_GRAD = both(rmsNormGrad);
const LAYER = both((summed) => both((bias) => layerNorm(summed, bias)));
const LAYER_GRAD = both(layerNormGrad);

/** The kernels behind ops/rms-norm.ts and ops/layer-norm.ts. With `delta` the first output is x + delta. */
export function registerNorms(): void {
  const made = (engine: WebgpuEngine, M: number) => engine.make([M]);

  register<{ eps: number }>('FourfoldRmsNorm', (engine, { x, delta, weight }, { eps }) => {
    const [M, C] = matrixShape(x);
    const sum = delta && engine.make(x.shape);
    const [y, rstd] = [engine.make(x.shape), made(engine, M)];
    engine.run(of(RMS, delta), { x, delta, sum, weight, y, rstd }, { M, C, eps }, M);
    return sum ? [sum, y, rstd] : [y, rstd];
  });
  register('FourfoldRmsNormGrad', (engine, { x, weight, rstd, dy, dtotal, dweight }) => {
    const [M, C] = matrixShape(x);
    const dx = engine.make(x.shape);
    engine.run(of(RMS_GRAD, dtotal), { x, weight, rstd, dy, dtotal, dx }, { M, C }, M);
    if (dweight) addColumnSums(engine, dweight, dy, { x, rstd });
    return [dx];
  });
  register<{ eps: number }>('FourfoldLayerNorm', (engine, { x, delta, weight, bias }, { eps }) => {
    const [M, C] = matrixShape(x);
    const sum = delta && engine.make(x.shape);
    const [y, mean, rstd] = [engine.make(x.shape), made(engine, M), made(engine, M)];
    engine.run(of(of(LAYER, delta), bias), { x, delta, sum, weight, bias, y, mean, rstd }, { M, C, eps }, M);
    return sum ? [sum, y, mean, rstd] : [y, mean, rstd];
  });
  register('FourfoldLayerNormGrad', (engine, { x, weight, mean, rstd, dy, dtotal, dweight, dbias }) => {
    const [M, C] = matrixShape(x);
    const dx = engine.make(x.shape);
    engine.run(of(LAYER_GRAD, dtotal), { x, weight, mean, rstd, dy, dtotal, dx }, { M, C }, M);
    if (dweight) addColumnSums(engine, dweight, dy, { x, mean, rstd });
    if (dbias) addColumnSums(engine, dbias, dy);
    return [dx];
  });
}
