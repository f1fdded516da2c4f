import * as tf from '@tensorflow/tfjs';
import { matrixShape } from '../../matrix-shape.js';
import type { WebgpuEngine } from '../engine.js';
import type { Bindings, Shader } from '../shader.js';

type Inputs = Record<string, tf.TensorInfo>;

/** Registers a kernel of the backend `webgpu`; inputs that are not there are undefined. */
export function register<Attributes>(
  kernelName: string,
  run: (engine: WebgpuEngine, inputs: Inputs, attributes: Attributes) => tf.TensorInfo[],
): void {
  tf.registerKernel({
    kernelName,
    backendName: 'webgpu',
    kernelFunc: ({ inputs, attrs, backend }) => run(backend as WebgpuEngine, inputs as Inputs, attrs as unknown as Attributes),
  });
}

export const sizeOf = (tensor: tf.TensorInfo) => tensor.shape.reduce((a, b) => a * b, 1);

const EACH = 256;

/** A shader whose invocation `index` below `numbers.size` makes one element. */
export function elementwise(name: string, { buffers, numbers, declarations, code }: Omit<Shader, 'name' | 'lanes'>): Shader {
  return {
    name,
    buffers,
    numbers: { size: 'u32', ...numbers },
    lanes: EACH,
    declarations,
    code: `if (index >= numbers.size) { return; }\n${code}`,
  };
}

export function runElementwise(
  engine: WebgpuEngine,
  shader: Shader,
  bindings: Bindings,
  size: number,
  numbers: Record<string, number> = {},
): void {
  engine.run(shader, bindings, { size, ...numbers }, Math.ceil(size / EACH));
}

/**
 * `total(value, lane)`: the sum of every lane's value; `largest(value, lane)`: the greatest. Each of the first lanes joins a stretch of values, then
 * every lane what these made: two barriers, whatever the number of lanes.
 */
export function reductions(lanes: number): string {
  const heads = 2 ** Math.ceil(Math.log2(lanes) / 2);
  const stretch = lanes / heads;
  const twice = (name: string, join: (a: string, b: string) => string) => `
fn ${name}(value: f32, lane: u32) -> f32 {
  scratch[lane] = value;
  workgroupBarrier();
  if (lane < ${heads}u) {
    var part = scratch[lane * ${stretch}u];
    for (var i = 1u; i < ${stretch}u; i++) { part = ${join('part', `scratch[lane * ${stretch}u + i]`)}; }
    joined[lane] = part;
  }
  workgroupBarrier();
  var result = joined[0];
  for (var i = 1u; i < ${heads}u; i++) { result = ${join('result', 'joined[i]')}; }
  return result;
}`;
  return `var<workgroup> scratch: array<f32, ${lanes}>;
var<workgroup> joined: array<f32, ${heads}>;
${twice('total', (a, b) => `${a} + ${b}`)}
${twice('largest', (a, b) => `max(${a}, ${b})`)}`;
}

const COLUMNS = 16;

/**
 * Adds to `sum` [C] over the rows m what `term` gives for element `i` = m·C + c: the gradients of biases and norm weights. A row is summed by one
 * of 16 lanes, the lanes as a tree.
 */
function columnSums(name: string, buffers: Shader['buffers'], term: string): Shader {
  return {
    name,
    buffers: { ...buffers, sum: 'f32 written' },
    numbers: { M: 'u32', C: 'u32' },
    lanes: COLUMNS * 16,
    declarations: `var<workgroup> scratch: array<f32, ${COLUMNS * 16}>;`,
    code: `
let c = group * ${COLUMNS}u + lane % ${COLUMNS}u;
var own = 0f;
if (c < numbers.C) {
  for (var m = lane / ${COLUMNS}u; m < numbers.M; m += 16u) {
    let i = m * numbers.C + c;
    own += ${term};
  }
}
scratch[lane] = own;
workgroupBarrier();
for (var half = 8u; half > 0u; half >>= 1u) {
  if (lane < half * ${COLUMNS}u) { scratch[lane] += scratch[lane + half * ${COLUMNS}u]; }
  workgroupBarrier();
}
if (lane < ${COLUMNS}u && c < numbers.C) { sum[c] += scratch[lane]; }`,
  };
}

const PLAIN = columnSums('columnSums', { dy: 'f32' }, 'dy[i]');
const TIMES_NORMAL = columnSums('columnSumsRms', { dy: 'f32', x: 'f32', rstd: 'f32' }, 'dy[i] * x[i] * rstd[m]');
const TIMES_CENTRED = columnSums(
  'columnSumsLayer',
  { dy: 'f32', x: 'f32', mean: 'f32', rstd: 'f32' },
  'dy[i] * (x[i] - mean[m]) * rstd[m]',
);

/** sum [C] += Σ_m dy · (x − mean) · rstd, each factor where it is given. */
export function addColumnSums(
  engine: WebgpuEngine,
  sum: tf.TensorInfo,
  dy: tf.TensorInfo,
  factors: { x?: tf.TensorInfo; mean?: tf.TensorInfo; rstd?: tf.TensorInfo } = {},
): void {
  const [M, C] = matrixShape(dy);
  const shader = factors.mean ? TIMES_CENTRED : factors.x ? TIMES_NORMAL : PLAIN;
  engine.run(shader, { dy, sum, ...factors }, { M, C }, M > 0 ? Math.ceil(C / COLUMNS) : 0);
}
