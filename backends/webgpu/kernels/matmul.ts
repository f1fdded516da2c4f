import type { TensorInfo } from '@tensorflow/tfjs';
import type { WebgpuEngine } from '../engine.js';
import type { Shader } from '../shader.js';
import { ACTIVATIONS, type Activation } from './activation.js';

/** What one product is: c [M, N] = activation(a · b + bias), or c += a · b. */
export interface Product {
  a: TensorInfo;
  b: TensorInfo;
  c: TensorInfo;
  M: number;
  N: number;
  K: number;
  /** a lies as [K, M]. */
  transposeA?: boolean;
  /** b lies as [N, K]. */
  transposeB?: boolean;
  /** [N]. */
  bias?: TensorInfo;
  activation?: Activation;
  /** [M, N]: where the sum before the activation goes, too. */
  before?: TensorInfo;
  /** c is added to. */
  accumulate?: boolean;
  /** Elements before the part of a, b and c that is meant. */
  offsetA?: number;
  offsetB?: number;
  offsetC?: number;
}

const DEPTH = 16;
/** Products that are summed before they join the others. */
const STRETCH = 256;

const times = <T>(n: number, of: (i: number) => T) => Array.from({ length: n }, (_, i) => of(i));

interface Variant extends Pick<Product, 'transposeA' | 'transposeB' | 'activation' | 'accumulate'> {
  bias: boolean;
  before: boolean;
}

/**
 * 16 × 16 lanes make a tile of c, each R × S elements of it; tiles of a and b pass through workgroup memory, 16 of K at a time. Whatever the tile,
 * an element is summed over K from first to last, 256 products at a time, so that long sums stay exact.
 */
function shader(R: number, S: number, { transposeA, transposeB, bias, activation, before, accumulate }: Variant): Shader {
  const [rows, columns] = [16 * R, 16 * S];
  // One element more a line, so that lanes that write a column meet in no bank.
  const [lineA, lineB] = [rows + 1, columns + 1];
  const loadA = times(R, (i) => {
    const at = `(lane + ${256 * i}u)`;
    const [m, k] = transposeA ? [`${at} % ${rows}u`, `${at} / ${rows}u`] : [`${at} / ${DEPTH}u`, `${at} % ${DEPTH}u`];
    const from = transposeA ? 'k * numbers.M + m' : 'm * numbers.K + k';
    return `{ let inM = ${m}; let inK = ${k}; let m = top + inM; let k = start + inK;
    tileA[inK * ${lineA}u + inM] = select(0f, a[numbers.offsetA + min(${from}, numbers.M * numbers.K - 1u)], m < numbers.M && k < numbers.K); }`;
  });
  const loadB = times(S, (i) => {
    const at = `(lane + ${256 * i}u)`;
    const [n, k] = transposeB ? [`${at} / ${DEPTH}u`, `${at} % ${DEPTH}u`] : [`${at} % ${columns}u`, `${at} / ${columns}u`];
    const from = transposeB ? 'n * numbers.K + k' : 'k * numbers.N + n';
    return `{ let inN = ${n}; let inK = ${k}; let n = left + inN; let k = start + inK;
    tileB[inK * ${lineB}u + inN] = select(0f, b[numbers.offsetB + min(${from}, numbers.N * numbers.K - 1u)], n < numbers.N && k < numbers.K); }`;
  });
  const store = times(R, (i) =>
    times(S, (j) =>
      [
        `{ let m = top + y * ${R}u + ${i}u; let n = left + x + ${16 * j}u;`,
        `if (m < numbers.M && n < numbers.N) { let at = m * numbers.N + n; var v = s${i}_${j};`,
        bias ? 'v += bias[n];' : '',
        before ? 'before[at] = v;' : '',
        activation ? `v = ${activation}(v);` : '',
        accumulate ? 'c[numbers.offsetC + at] += v; } }' : 'c[numbers.offsetC + at] = v; } }',
      ].join(' '),
    ),
  ).flat();
  const cells = (code: (at: string) => string) => times(R, (i) => times(S, (j) => code(`${i}_${j}`)).join(' ')).join('\n');
  const flags = [transposeA && 'A', transposeB && 'B', bias && 'bias', activation, before && 'before', accumulate && 'add'];
  return {
    name: ['matmul', R, S, ...flags.filter(Boolean)].join('-'),
    buffers: {
      a: 'f32',
      b: 'f32',
      c: 'f32 written',
      ...(bias && { bias: 'f32' as const }),
      ...(before && { before: 'f32 written' as const }),
    },
    numbers: { M: 'u32', N: 'u32', K: 'u32', offsetA: 'u32', offsetB: 'u32', offsetC: 'u32' },
    lanes: 256,
    declarations: `var<workgroup> tileA: array<f32, ${DEPTH * lineA}>;
var<workgroup> tileB: array<f32, ${DEPTH * lineB}>;
${activation ? ACTIVATIONS[activation].value : ''}`,
    code: `
let x = lane % 16u;
let y = lane / 16u;
let top = groupId.y * ${rows}u;
let left = groupId.x * ${columns}u;
${cells((at) => `var c${at} = 0f; var s${at} = 0f;`)}
for (var start = 0u; start < numbers.K; start += ${DEPTH}u) {
  ${[...loadA, ...loadB].join('\n  ')}
  workgroupBarrier();
  for (var k = 0u; k < ${DEPTH}u; k++) {
    ${times(R, (i) => `let a${i} = tileA[k * ${lineA}u + y * ${R}u + ${i}u];`).join(' ')}
    ${times(S, (j) => `let b${j} = tileB[k * ${lineB}u + x + ${16 * j}u];`).join(' ')}
    ${times(R, (i) => times(S, (j) => `c${i}_${j} += a${i} * b${j};`).join(' ')).join('\n    ')}
  }
  workgroupBarrier();
  if ((start + ${DEPTH}u) % ${STRETCH}u == 0u || start + ${DEPTH}u >= numbers.K) {
    ${cells((at) => `s${at} += c${at}; c${at} = 0f;`)}
  }
}
${store.join('\n')}`,
  };
}

/** Small products get small tiles, so that there are enough of them for the whole GPU. */
function tileOf(M: number, N: number): [R: number, S: number] {
  if (M <= 16) return [1, 4];
  return Math.ceil(M / 64) * Math.ceil(N / 64) >= 64 ? [4, 4] : [2, 2];
}

const shaders = new Map<string, Shader>();

export function multiply(engine: WebgpuEngine, product: Product): void {
  const { a, b, c, M, N, K, bias, before, offsetA = 0, offsetB = 0, offsetC = 0 } = product;
  const { transposeA, transposeB, activation, accumulate } = product;
  const [R, S] = tileOf(M, N);
  const variant = { transposeA, transposeB, activation, accumulate, bias: bias !== undefined, before: before !== undefined };
  const key = JSON.stringify([R, S, variant]);
  let own = shaders.get(key);
  if (!own) {
    own = shader(R, S, variant);
    shaders.set(key, own);
  }
  const numbers = { M, N, K, offsetA, offsetB, offsetC };
  engine.run(own, { a, b, c, bias, before }, numbers, [Math.ceil(N / (16 * S)), Math.ceil(M / (16 * R)), 1]);
}
