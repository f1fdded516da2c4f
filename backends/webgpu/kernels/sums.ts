import type { TensorInfo } from '@tensorflow/tfjs';
import { matrixShape } from '../../matrix-shape.js';
import type { WebgpuEngine } from '../engine.js';
import type { Shader } from '../shader.js';
import { elementwise, runElementwise } from './common.js';

interface Partials {
  /** [count, size]: parts of a sum, made by workgroups of their own. */
  parts: TensorInfo;
  count: number;
  size: number;
  into: TensorInfo;
  /** Elements of `into` before those that are meant. */
  offset?: number;
  accumulate?: boolean;
}

const partials = (accumulate: boolean) =>
  elementwise(`partials-${accumulate}`, {
    buffers: { parts: 'f32', sum: 'f32 written' },
    numbers: { count: 'u32', offset: 'u32' },
    code: `
var total = 0f;
for (var part = 0u; part < numbers.count; part++) { total += parts[part * numbers.size + index]; }
sum[numbers.offset + index] ${accumulate ? '+=' : '='} total;`,
  });
const [ADD, PUT] = [partials(true), partials(false)];

/** Sums the parts of each element in their order, and adds that to `into` or puts it there. */
export function sumPartials(engine: WebgpuEngine, { parts, count, size, into, offset = 0, accumulate }: Partials): void {
  runElementwise(engine, accumulate ? ADD : PUT, { parts, sum: into }, size, { count, offset });
}

const COLUMNS = 32;
const ROWS = 8;
/** Rows that a workgroup sums, and the most workgroups that share a column. */
const SPAN = 256;
const MOST = 64;

/**
 * Sums over the rows m what `term` gives for element `i` = m·C + c: the gradients of biases and norm weights. A row is summed by one of 8 lanes, the
 * lanes as a tree. Adds to `sum` [C], or with `parts` puts there the sums [parts, C] of `span` rows each.
 */
function columnSums(name: string, buffers: Shader['buffers'], term: string): { whole: Shader; parts: Shader } {
  const shader = (parts: boolean): Shader => ({
    name: parts ? `${name}-parts` : name,
    buffers: { ...buffers, sum: 'f32 written' },
    numbers: { M: 'u32', C: 'u32', span: 'u32', blocks: 'u32' },
    lanes: COLUMNS * ROWS,
    declarations: `var<workgroup> scratch: array<f32, ${COLUMNS * ROWS}>;`,
    code: `
let c = group % numbers.blocks * ${COLUMNS}u + lane % ${COLUMNS}u;
let part = group / numbers.blocks;
let end = min((part + 1u) * numbers.span, numbers.M);
var own = 0f;
if (c < numbers.C) {
  for (var m = part * numbers.span + lane / ${COLUMNS}u; m < end; m += ${ROWS}u) {
    let i = m * numbers.C + c;
    own += ${term};
  }
}
scratch[lane] = own;
workgroupBarrier();
for (var half = ${ROWS / 2}u; half > 0u; half >>= 1u) {
  if (lane < half * ${COLUMNS}u) { scratch[lane] += scratch[lane + half * ${COLUMNS}u]; }
  workgroupBarrier();
}
if (lane < ${COLUMNS}u && c < numbers.C) { ${parts ? 'sum[part * numbers.C + c] = scratch[lane];' : 'sum[c] += scratch[lane];'} }`,
  });
  return { whole: shader(false), parts: shader(true) };
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
  sum: TensorInfo,
  dy: TensorInfo,
  factors: { x?: TensorInfo; mean?: TensorInfo; rstd?: TensorInfo } = {},
): void {
  const [M, C] = matrixShape(dy);
  if (M === 0) return;
  const { whole, parts } = factors.mean ? TIMES_CENTRED : factors.x ? TIMES_NORMAL : PLAIN;
  const blocks = Math.ceil(C / COLUMNS);
  const span = Math.max(SPAN, Math.ceil(M / MOST));
  const count = Math.ceil(M / span);
  if (count === 1) {
    engine.run(whole, { dy, sum, ...factors }, { M, C, span, blocks }, blocks);
    return;
  }
  const sums = engine.make([count, C]);
  engine.run(parts, { dy, sum: sums, ...factors }, { M, C, span, blocks }, blocks * count);
  sumPartials(engine, { parts: sums, count, size: C, into: sum, accumulate: true });
  engine.release(sums);
}
