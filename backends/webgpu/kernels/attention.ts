// Legend: B batch, T tokens, H query heads, KV key-value heads, D head size, W = (H + 2·KV)·D.
import type { TensorInfo } from '@tensorflow/tfjs';
import type { Shader } from '../shader.js';
import { once, register } from './common.js';

interface Attributes {
  heads: number;
  kvHeads: number;
  causal: boolean;
}

/** Queries, or keys, of a workgroup: one a lane. */
const LANES = 64;
/** Floats of workgroup memory for the tiles, 14 KiB of the 16 that every adapter has. */
const TILE_FLOATS = 3584;

const NUMBERS = { B: 'u32', T: 'u32', H: 'u32', KV: 'u32', blocks: 'u32', causal: 'u32', scale: 'f32' } as const;

/** The width of the vectors that heads are read in, as far as they divide D. */
function vectorsOf(D: number): { type: string; width: number; count: number } {
  const width = D % 4 === 0 ? 4 : D % 2 === 0 ? 2 : 1;
  return { type: width === 1 ? 'f32' : `vec${width}<f32>`, width, count: D / width };
}

/** WGSL for heads of size D: reading them from a buffer, dot products, tiles in workgroup memory. */
function heads(D: number, tiles: number) {
  const { type, width, count } = vectorsOf(D);
  const rows = Math.max(1, Math.min(LANES, Math.floor(TILE_FLOATS / (tiles * D))));
  const parts = (from: string, at: string) => Array.from({ length: width }, (_, i) => `${from}[${at} + ${i}u]`).join(', ');
  const lanes = Array.from({ length: width }, (_, i) => (width === 1 ? '' : `.${'xyzw'[i]}`));
  return {
    rows,
    zero: `${type}(0)`,
    /** Private memory of one head, or zeros of it. */
    own: (name: string) => `var ${name}: array<${type}, ${count}>;`,
    tile: (name: string) => `var<workgroup> ${name}: array<${type}, ${rows * count}>;`,
    /** One head at element `at` of a buffer into private memory. */
    read: (name: string, from: string, at: string) =>
      `for (var d = 0u; d < ${count}u; d++) { let at = ${at} + d * ${width}u; ${name}[d] = ${type}(${parts(from, 'at')}); }`,
    write: (into: string, at: string, value: string) =>
      `for (var d = 0u; d < ${count}u; d++) { let at = ${at} + d * ${width}u; let value = ${value}; ${lanes.map((lane, i) => `${into}[at + ${i}u] = value${lane};`).join(' ')} }`,
    /** Fills a tile with the heads of tokens start + 0, 1, …; `at` is the first element of token `token`. */
    load: (name: string, from: string, at: string, limit: string) =>
      `for (var e = lane; e < ${rows * count}u; e += ${LANES}u) { let token = min(start + e / ${count}u, ${limit}); let at = ${at} + e % ${count}u * ${width}u; ${name}[e] = ${type}(${parts(from, 'at')}); }`,
    dot: (result: string, name: string, tile: string) =>
      `var ${result} = 0f; for (var d = 0u; d < ${count}u; d++) { ${result} += ${width === 1 ? `${name}[d] * ${tile}[j * ${count}u + d]` : `dot(${name}[d], ${tile}[j * ${count}u + d])`}; }`,
    each: (code: string) => `for (var d = 0u; d < ${count}u; d++) { ${code} }`,
    at: (tile: string) => `${tile}[j * ${count}u + d]`,
  };
}

/** The workgroup's head and batch row, and the first of its 64 tokens. */
const place = (perHead: string, D: number) => `
let block = group % numbers.blocks;
let head = group / numbers.blocks % numbers.${perHead};
let b = group / numbers.blocks / numbers.${perHead};
if (b >= numbers.B) { return; }
let W = (numbers.H + 2u * numbers.KV) * ${D}u;
let first = block * ${LANES}u;
let own = first + lane;
let mine = min(own, numbers.T - 1u);
let segment = select(-1, segments[b * numbers.T + mine], own < numbers.T);
let end = select(numbers.T, min(first + ${LANES}u, numbers.T), numbers.causal != 0u);`;

/** Where k and v of key-value head `head` and q of query head `head` of token t of row b begin. */
const q = (t: string, head: string, D: number) => `(b * numbers.T + ${t}) * W + ${head} * ${D}u`;
const k = (t: string, head: string, D: number) => `(b * numbers.T + ${t}) * W + (numbers.H + ${head}) * ${D}u`;
const v = (t: string, head: string, D: number) => `(b * numbers.T + ${t}) * W + (numbers.H + numbers.KV + ${head}) * ${D}u`;
const o = (t: string, head: string, D: number) => `((b * numbers.T + ${t}) * numbers.H + ${head}) * ${D}u`;

/** Segments of the tokens of a tile. */
const loadSegments = (rows: number) =>
  `if (lane < ${rows}u) { segmentOf[lane] = segments[b * numbers.T + min(start + lane, numbers.T - 1u)]; }`;

/** Keys and values stream past, tile by tile and in their order: `code` runs for each key `t`, place `j` of its tile, that the own query sees. */
function overKeys(h: ReturnType<typeof heads>, D: number, code: string): string {
  return `for (var start = 0u; start < end; start += ${h.rows}u) {
  ${h.load('keys', 'qkv', k('token', 'kvHead', D), 'numbers.T - 1u')}
  ${h.load('values', 'qkv', v('token', 'kvHead', D), 'numbers.T - 1u')}
  ${loadSegments(h.rows)}
  workgroupBarrier();
  for (var j = 0u; j < ${h.rows}u; j++) {
    let t = start + j;
    if (t < numbers.T && segment >= 0 && segmentOf[j] == segment && (t <= own || numbers.causal == 0u)) {
      ${code}
    }
  }
  workgroupBarrier();
}`;
}

/** One query a lane; its softmax is kept up while keys stream past, in their order. */
function forward(D: number): Shader {
  const h = heads(D, 2);
  return {
    name: `attention-${D}`,
    buffers: { qkv: 'f32', segments: 'i32', o: 'f32 written', lse: 'f32 written' },
    numbers: NUMBERS,
    lanes: LANES,
    declarations: `${h.tile('keys')}\n${h.tile('values')}\nvar<workgroup> segmentOf: array<i32, ${h.rows}>;`,
    code: `${place('H', D)}
let kvHead = head / (numbers.H / numbers.KV);
${h.own('query')} ${h.own('sum')}
${h.read('query', 'qkv', q('mine', 'head', D))}
var top = -3.4e38f;
var weight = 0f;
${overKeys(
  h,
  D,
  `${h.dot('score', 'query', 'keys')}
      score *= numbers.scale;
      if (score > top) {
        let shrink = select(exp(top - score), 0f, weight == 0f);
        weight *= shrink;
        ${h.each('sum[d] *= shrink;')}
        top = score;
      }
      let p = exp(score - top);
      weight += p;
      ${h.each(`sum[d] += p * ${h.at('values')};`)}`,
)}
if (own < numbers.T) {
  let share = select(1 / weight, 0f, segment < 0);
  ${h.write('o', o('own', 'head', D), 'sum[d] * share')}
  lse[(b * numbers.H + head) * numbers.T + own] = select(top + log(weight), 0f, segment < 0);
}`,
  };
}

/** delta [B, H, T]: the sum of dy · o over a head. */
const delta = (D: number): Shader => ({
  name: `attentionDelta-${D}`,
  buffers: { o: 'f32', dy: 'f32', delta: 'f32 written' },
  numbers: NUMBERS,
  lanes: LANES,
  code: `
if (index >= numbers.B * numbers.H * numbers.T) { return; }
let t = index % numbers.T;
let head = index / numbers.T % numbers.H;
let b = index / numbers.T / numbers.H;
let start = ${o('t', 'head', D)};
var total = 0f;
for (var d = 0u; d < ${D}u; d++) { total += o[start + d] * dy[start + d]; }
delta[index] = total;`,
});

/** One query a lane: dq = scale · Σ p · (dy · v − delta) · k over its keys, with p = exp(score − lse). */
function queries(D: number): Shader {
  const h = heads(D, 2);
  return {
    name: `attentionQueries-${D}`,
    buffers: { qkv: 'f32', segments: 'i32', lse: 'f32', delta: 'f32', dy: 'f32', dqkv: 'f32 written' },
    numbers: NUMBERS,
    lanes: LANES,
    declarations: `${h.tile('keys')}\n${h.tile('values')}\nvar<workgroup> segmentOf: array<i32, ${h.rows}>;`,
    code: `${place('H', D)}
let kvHead = head / (numbers.H / numbers.KV);
${h.own('query')} ${h.own('error')} ${h.own('sum')}
${h.read('query', 'qkv', q('mine', 'head', D))}
${h.read('error', 'dy', o('mine', 'head', D))}
let whole = lse[(b * numbers.H + head) * numbers.T + mine];
let level = delta[(b * numbers.H + head) * numbers.T + mine];
${overKeys(
  h,
  D,
  `${h.dot('score', 'query', 'keys')}
      ${h.dot('pull', 'error', 'values')}
      let ds = exp(score * numbers.scale - whole) * (pull - level) * numbers.scale;
      ${h.each(`sum[d] += ds * ${h.at('keys')};`)}`,
)}
if (own < numbers.T) { ${h.write('dqkv', q('own', 'head', D), 'sum[d]')} }`,
  };
}

/**
 * One key a lane: over the queries that see it, of every query head that shares it, dv = Σ p · dy and dk = scale · Σ p · (dy · v − delta) · q.
 * One of the two at a time, so that what a lane holds fits into registers for longer.
 */
function keys(D: number, of: 'k' | 'v'): Shader {
  const h = heads(D, 2);
  return {
    name: `attentionKeys-${of}-${D}`,
    buffers: { qkv: 'f32', segments: 'i32', lse: 'f32', dy: 'f32', dqkv: 'f32 written', ...(of === 'k' && { delta: 'f32' as const }) },
    numbers: NUMBERS,
    lanes: LANES,
    declarations: `${h.tile('queries')}\n${h.tile('errors')}\nvar<workgroup> segmentOf: array<i32, ${h.rows}>;`,
    code: `${place('KV', D)}
let shared_by = numbers.H / numbers.KV;
${h.own('key')} ${of === 'k' ? h.own('value') : ''} ${h.own('sum')}
${h.read('key', 'qkv', k('mine', 'head', D))}
${of === 'k' ? h.read('value', 'qkv', v('mine', 'head', D)) : ''}
for (var g = 0u; g < shared_by; g++) {
  let query = head * shared_by + g;
  let row = (b * numbers.H + query) * numbers.T;
  for (var start = select(0u, first, numbers.causal != 0u); start < numbers.T; start += ${h.rows}u) {
    ${h.load('queries', 'qkv', q('token', 'query', D), 'numbers.T - 1u')}
    ${h.load('errors', 'dy', o('token', 'query', D), 'numbers.T - 1u')}
    ${loadSegments(h.rows)}
    workgroupBarrier();
    for (var j = 0u; j < ${h.rows}u; j++) {
      let t = start + j;
      if (t < numbers.T && segment >= 0 && segmentOf[j] == segment && (own <= t || numbers.causal == 0u)) {
        ${h.dot('score', 'key', 'queries')}
        let p = exp(score * numbers.scale - lse[row + t]);
        ${
          of === 'v'
            ? h.each(`sum[d] += p * ${h.at('errors')};`)
            : `${h.dot('pull', 'value', 'errors')}
        let ds = p * (pull - delta[row + t]) * numbers.scale;
        ${h.each(`sum[d] += ds * ${h.at('queries')};`)}`
        }
      }
    }
    workgroupBarrier();
  }
}
if (own < numbers.T) { ${h.write('dqkv', of === 'k' ? k('own', 'head', D) : v('own', 'head', D), 'sum[d]')} }`,
  };
}

/** The kernels behind ops/attention.ts. */
export function registerAttention(): void {
  const sizes = (qkv: TensorInfo, { heads: H, kvHeads: KV, causal }: Attributes) => {
    const [B, T, W] = qkv.shape;
    const D = W / (H + 2 * KV);
    const blocks = Math.ceil(T / LANES);
    return { B, T, D, blocks, numbers: { B, T, H, KV, blocks, causal: Number(causal), scale: 1 / Math.sqrt(D) } };
  };

  register<Attributes>('FourfoldAttention', (engine, { qkv, segments }, attributes) => {
    const { heads: H } = attributes;
    const { B, T, D, blocks, numbers } = sizes(qkv, attributes);
    const [o, lse] = [engine.make([B, T, H * D]), engine.make([B, H, T])];
    engine.run(
      once(`attention-${D}`, () => forward(D)),
      { qkv, segments, o, lse },
      numbers,
      B * H * blocks,
    );
    return [o, lse];
  });
  register<Attributes>('FourfoldAttentionGrad', (engine, { qkv, segments, o, lse, dy }, attributes) => {
    const { heads: H, kvHeads: KV } = attributes;
    const { B, T, D, blocks, numbers } = sizes(qkv, attributes);
    const dqkv = engine.make(qkv.shape);
    const level = engine.make([B, H, T]);
    engine.run(
      once(`attentionDelta-${D}`, () => delta(D)),
      { o, dy, delta: level },
      numbers,
      Math.ceil((B * H * T) / LANES),
    );
    const given = { qkv, segments, lse, dy, dqkv, delta: level };
    engine.run(
      once(`attentionQueries-${D}`, () => queries(D)),
      given,
      numbers,
      B * H * blocks,
    );
    for (const of of ['k', 'v'] as const)
      engine.run(
        once(`attentionKeys-${of}-${D}`, () => keys(D, of)),
        given,
        numbers,
        B * KV * blocks,
      );
    engine.release(level);
    return [dqkv];
  });
}
