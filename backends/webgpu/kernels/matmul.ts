import type { TensorInfo } from '@tensorflow/tfjs';
import type { WebgpuEngine } from '../engine.js';
import type { Shader } from '../shader.js';
import { ACTIVATIONS, type Activation } from './activation.js';
import { once } from './common.js';
import { sumPartials } from './sums.js';

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

/** Elements of K that are in workgroup memory at a time. */
const DEPTH = 16;
const LANES = 256;
/** Products that are summed before they join the others, so that long sums stay exact. */
const STRETCH = 256;

const times = <T>(n: number, of: (i: number) => T) => Array.from({ length: n }, (_, i) => of(i));

/** A lane's part of a tile of c: R × S elements. 16 × 16 lanes make the tile. */
type Tile = readonly [R: number, S: number];

interface Variant extends Pick<Product, 'transposeA' | 'transposeB' | 'activation' | 'accumulate'> {
  bias: boolean;
  before: boolean;
  /** Read 4 elements at a time: what lies together in memory is a multiple of 4. */
  wideA: boolean;
  wideB: boolean;
  /** c is a stack of sums, [splits, M, N], one for each part of K. */
  split: boolean;
}

interface Operand {
  name: 'a' | 'b';
  /** Rows of a, or columns of b, of a lane. */
  each: number;
  /** Their number in all, and the first of the tile. */
  size: string;
  first: string;
  offset: string;
  /** Whether neighbours in memory are neighbours in K. */
  alongK: boolean;
  wide: boolean;
}

/** WGSL that brings a stretch of K of one operand into workgroup memory, as vectors [DEPTH][16 · each / width] and one more to avoid its banks. */
function operand({ name, each, size, first, offset, alongK, wide }: Operand) {
  const [outer, width, step] = [16 * each, Math.min(4, each), wide ? 4 : 1];
  const line = outer / width + 1;
  const tile = `tile_${name}`;
  const [zero, count] = [wide ? 'vec4f()' : '0f', (outer * DEPTH) / (LANES * step)];
  const place = (i: number) => {
    const at = `(lane + ${LANES * i}u)`;
    return alongK
      ? { o: `${at} / ${DEPTH / step}u`, k: `${at} % ${DEPTH / step}u * ${step}u` }
      : { o: `${at} % ${outer / step}u * ${step}u`, k: `${at} / ${outer / step}u` };
  };
  const put = (value: string, more = '0u') =>
    `${tile}[(k + ${more}) * ${line}u + o / ${width}u]${width > 1 ? `[o % ${width}u]` : ''} = ${value};`;
  return {
    width,
    vectors: each / width,
    declaration: `var<workgroup> ${tile}: array<${width > 1 ? `vec${width}f` : 'f32'}, ${DEPTH * line}>;`,
    variables: times(count, (i) => `var ${name}_${i} = ${zero};`).join(' '),
    /** Reads what begins at `start` of K. */
    read: times(count, (i) => {
      const { o, k } = place(i);
      const from = alongK ? `(${first} + o) * numbers.K + start + k` : `(start + k) * numbers.${size} + ${first} + o`;
      return `{ let o = ${o}; let k = ${k}; let inside = ${first} + o < numbers.${size} && start + k < end;
    ${name}_${i} = select(${zero}, ${name}[select(0u, (numbers.${offset} + ${from}) / ${step}u, inside)], inside); }`;
    }).join('\n  '),
    /** Puts what was read into workgroup memory. */
    write: times(count, (i) => {
      const { o, k } = place(i);
      const value = `${name}_${i}`;
      const puts = !wide
        ? [put(value)]
        : alongK
          ? times(4, (c) => put(`${value}[${c}]`, `${c}u`))
          : [`${tile}[k * ${line}u + o / 4u] = ${value};`];
      return `{ let o = ${o}; let k = ${k}; ${puts.join(' ')} }`;
    }).join('\n  '),
    /** Vector `v` of those that a lane multiplies at place k of the stretch. */
    at: (v: string) => `${tile}[k * ${line}u + ${v}]`,
  };
}

/** Tiles of a and b pass through workgroup memory, the next one on its way while one is multiplied; an element is summed over K from first to last. */
function shader([R, S]: Tile, variant: Variant): Shader {
  const { transposeA, transposeB, bias, activation, before, accumulate, wideA, wideB, split } = variant;
  const [rows, columns] = [16 * R, 16 * S];
  const a = operand({ name: 'a', each: R, size: 'M', first: 'top', offset: 'offsetA', alongK: !transposeA, wide: wideA });
  const b = operand({ name: 'b', each: S, size: 'N', first: 'left', offset: 'offsetB', alongK: !!transposeB, wide: wideB });
  const type = b.width > 1 ? `vec${b.width}f` : 'f32';
  const part = (v: string, i: number, width: number) => (width > 1 ? `${v}[${i}]` : v);
  const cells = (code: (i: number, j: number) => string) => times(R, (i) => times(b.vectors, (j) => code(i, j)).join(' ')).join('\n    ');
  const store = (i: number, j: number, e: number) =>
    [
      `{ let n = left + (x + ${16 * j}u) * ${b.width}u + ${e}u; if (n < numbers.N) { let at = m * numbers.N + n; var v = ${part(`s${i}_${j}`, e, b.width)};`,
      bias ? 'v += bias[n];' : '',
      before ? 'before[at] = v;' : '',
      activation ? `v = ${activation}(v);` : '',
      split ? 'c[groupId.z * numbers.M * numbers.N + at] = v; } }' : `c[numbers.offsetC + at] ${accumulate ? '+=' : '='} v; } }`,
    ].join(' ');
  const flags = [transposeA && 'A', transposeB && 'B', wideA && 'wideA', wideB && 'wideB', bias && 'bias', activation, before && 'before'];
  return {
    name: ['matmul', R, S, ...flags, accumulate && 'add', split && 'split'].filter(Boolean).join('-'),
    buffers: {
      a: wideA ? 'vec4f' : 'f32',
      b: wideB ? 'vec4f' : 'f32',
      c: 'f32 written',
      ...(bias && { bias: 'f32' as const }),
      ...(before && { before: 'f32 written' as const }),
    },
    numbers: { M: 'u32', N: 'u32', K: 'u32', offsetA: 'u32', offsetB: 'u32', offsetC: 'u32', span: 'u32' },
    lanes: LANES,
    declarations: `${a.declaration}\n${b.declaration}\n${activation ? ACTIVATIONS[activation].value : ''}`,
    code: `
let x = lane % 16u;
let y = lane / 16u;
let top = groupId.y * ${rows}u;
let left = groupId.x * ${columns}u;
var start = groupId.z * numbers.span;
let end = min(start + numbers.span, numbers.K);
${a.variables} ${b.variables}
${cells((i, j) => `var c${i}_${j} = ${type}(); var s${i}_${j} = ${type}();`)}
  ${a.read}
  ${b.read}
while (start < end) {
  ${a.write}
  ${b.write}
  workgroupBarrier();
  start += ${DEPTH}u;
  if (start < end) {
  ${a.read}
  ${b.read}
  }
  for (var k = 0u; k < ${DEPTH}u; k++) {
    ${times(a.vectors, (v) => `let a${v} = ${a.at(`y * ${a.vectors}u + ${v}u`)};`).join(' ')}
    ${times(b.vectors, (v) => `let b${v} = ${b.at(`x + ${16 * v}u`)};`).join(' ')}
    ${cells((i, j) => `c${i}_${j} += ${part(`a${Math.floor(i / a.width)}`, i % a.width, a.width)} * b${j};`)}
  }
  workgroupBarrier();
  if (start % ${STRETCH}u == 0u || start >= end) {
    ${cells((i, j) => `s${i}_${j} += c${i}_${j}; c${i}_${j} = ${type}();`)}
  }
}
${times(
  R,
  (i) =>
    `{ let m = top + y * ${R}u + ${i}u; if (m < numbers.M) {\n${times(b.vectors, (j) => times(b.width, (e) => store(i, j, e)))
      .flat()
      .join('\n')}\n} }`,
).join('\n')}`,
  };
}

const LARGE: readonly Tile[] = [
  [8, 4],
  [4, 4],
];
const SMALL: Tile = [2, 2];
/** For 16 rows and fewer. */
const FLAT: Tile = [1, 4];
/** Workgroups that a large GPU has place for, at least. */
const BUSY = 128;
/** The least of K that workgroups share, and the most workgroups that do. */
const SPAN = 512;
const MOST = 32;

/** How a product is shared out: the largest tile of which there are enough, and how many workgroups sum a part of K each. */
function planOf({ M, N, K, bias, before, activation }: Product): { tile: Tile; groups: [number, number]; span: number; splits: number } {
  const most = bias || before || activation ? 1 : Math.max(1, Math.min(MOST, Math.floor(K / SPAN)));
  const groupsOf = ([R, S]: Tile): [number, number] => [Math.ceil(N / (16 * S)), Math.ceil(M / (16 * R))];
  const countOf = (tile: Tile) => groupsOf(tile)[0] * groupsOf(tile)[1];
  const tile = M <= 16 ? FLAT : (LARGE.find((tile) => countOf(tile) * most >= BUSY) ?? SMALL);
  // Few workgroups run in few rounds, the last of them with most of the GPU idle: small ones even that out.
  const count = countOf(tile);
  const wanted = count >= 4 * BUSY ? 1 : Math.min(most, Math.ceil((8 * BUSY) / count));
  const span = STRETCH * Math.max(1, Math.ceil(K / wanted / STRETCH));
  return { tile, groups: groupsOf(tile), span, splits: Math.max(1, Math.ceil(K / span)) };
}

export function multiply(engine: WebgpuEngine, product: Product): void {
  const { a, b, c, M, N, K, bias, before, offsetA = 0, offsetB = 0, offsetC = 0 } = product;
  const { transposeA, transposeB, activation, accumulate } = product;
  const { tile, groups, span, splits } = planOf(product);
  const split = splits > 1;
  const wide = (contiguous: number, offset: number, each: number) => contiguous % 4 === 0 && offset % 4 === 0 && each >= 4;
  const variant: Variant = {
    transposeA,
    transposeB,
    activation,
    accumulate: accumulate && !split,
    bias: bias !== undefined,
    before: before !== undefined,
    wideA: wide(transposeA ? M : K, offsetA, tile[0]),
    wideB: wide(transposeB ? K : N, offsetB, tile[1]),
    split,
  };
  const own = once(`matmul-${JSON.stringify([tile, variant])}`, () => shader(tile, variant));
  const sums = split ? engine.make([splits, M, N]) : c;
  engine.run(own, { a, b, c: sums, bias, before }, { M, N, K, offsetA, offsetB, offsetC, span }, [...groups, splits]);
  if (!split) return;
  sumPartials(engine, { parts: sums, count: splits, size: M * N, into: c, offset: offsetC, accumulate });
  engine.release(sums);
}
