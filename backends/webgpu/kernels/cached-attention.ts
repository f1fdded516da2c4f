// Legend: B rows of tokens, T tokens each, S rows of the cache, N its capacity, H query heads, KV key-value heads, D head size.
import * as tf from '@tensorflow/tfjs';
import type { WebgpuEngine } from '../engine.js';
import type { Buffers, Shader } from '../shader.js';
import { elementwise, once, reductions, register, runElementwise, sizeOf } from './common.js';

const LANES = 64;

/** Which row of the cache row b of the tokens belongs to, and how many of its tokens count. */
const given = (newTokens: boolean, slots: boolean): Buffers => ({
  lengths: 'i32',
  newTokens: newTokens ? 'i32' : undefined,
  slots: slots ? 'i32' : undefined,
});
const find = (newTokens: boolean, slots: boolean) => `
let row = ${slots ? 'u32(slots[b])' : 'b'};
let length = u32(lengths[row]);
let count = ${newTokens ? 'u32(newTokens[b])' : 'numbers.T'};`;

const NUMBERS = { T: 'u32', H: 'u32', KV: 'u32', N: 'u32', D: 'u32' } as const;

/** An invocation puts one float of k and of v of a new token behind those in the cache. */
const append = (newTokens: boolean, slots: boolean) =>
  elementwise(`cacheAppend-${newTokens}-${slots}`, {
    buffers: { qkv: 'f32', keys: 'f32 written', values: 'f32 written', ...given(newTokens, slots) },
    numbers: NUMBERS,
    code: `
let d = index % numbers.D;
let head = index / numbers.D % numbers.KV;
let t = index / numbers.D / numbers.KV % numbers.T;
let b = index / numbers.D / numbers.KV / numbers.T;
${find(newTokens, slots)}
if (t >= count || length + t >= numbers.N) { return; }
let at = ((b * numbers.T + t) * (numbers.H + 2u * numbers.KV) + numbers.H + head) * numbers.D + d;
let place = ((row * numbers.KV + head) * numbers.N + length + t) * numbers.D + d;
keys[place] = qkv[at];
values[place] = qkv[at + numbers.KV * numbers.D];`,
  });

/**
 * A workgroup a query: 64 keys at a time, a score a lane; then the lanes share the values out by their elements. The softmax is kept up while keys
 * stream past.
 */
const attend = (D: number, newTokens: boolean, slots: boolean): Shader => {
  const own = Array.from({ length: Math.ceil(D / LANES) }, (_, i) => i);
  const each = (code: (name: string, d: string) => string) =>
    own.map((i) => `{ let d = lane + ${i * LANES}u; if (d < ${D}u) { ${code(`sum${i}`, 'd')} } }`).join('\n');
  return {
    name: `cachedAttention-${D}-${newTokens}-${slots}`,
    buffers: { qkv: 'f32', keys: 'f32', values: 'f32', o: 'f32 written', ...given(newTokens, slots) },
    numbers: { queries: 'u32', ...NUMBERS, scale: 'f32' },
    lanes: LANES,
    declarations: `${reductions(LANES)}\nvar<workgroup> query: array<f32, ${D}>;\nvar<workgroup> weights: array<f32, ${LANES}>;\nvar<workgroup> bound: u32;`,
    code: `
if (group >= numbers.queries) { return; }
let head = group % numbers.H;
let t = group / numbers.H % numbers.T;
let b = group / numbers.H / numbers.T;
${find(newTokens, slots)}
let into = group * numbers.D;
for (var d = lane; d < ${D}u; d += ${LANES}u) {
  query[d] = qkv[((b * numbers.T + t) * (numbers.H + 2u * numbers.KV) + head) * numbers.D + d] * numbers.scale;
}
if (lane == 0u) { bound = select(min(length + t + 1u, numbers.N), 0u, t >= count); }
let seen = workgroupUniformLoad(&bound); // the same in every lane, as the loop with barriers below must have it
let cache = (row * numbers.KV + head / (numbers.H / numbers.KV)) * numbers.N;
${own.map((i) => `var sum${i} = 0f;`).join(' ')}
var top = -3.4e38f;
var whole = 0f;
for (var start = 0u; start < seen; start += ${LANES}u) {
  let j = start + lane;
  var score = -3.4e38f;
  if (j < seen) {
    score = 0f;
    for (var d = 0u; d < ${D}u; d++) { score += query[d] * keys[(cache + j) * ${D}u + d]; }
  }
  let higher = max(top, largest(score, lane));
  let shrink = select(exp(top - higher), 0f, whole == 0f);
  let p = select(0f, exp(score - higher), j < seen);
  weights[lane] = p;
  whole = whole * shrink + total(p, lane);
  top = higher;
  let some = min(seen - start, ${LANES}u);
  ${each((sum, d) => `${sum} *= shrink; for (var i = 0u; i < some; i++) { ${sum} += weights[i] * values[(cache + start + i) * ${D}u + ${d}]; }`)}
  workgroupBarrier();
}
${each((sum, d) => `o[into + ${d}] = select(${sum} / whole, 0f, t >= count);`)}`,
  };
};

const advance = (newTokens: boolean, slots: boolean) =>
  elementwise(`cacheAdvance-${newTokens}-${slots}`, {
    buffers: { ...given(newTokens, slots), lengths: 'i32 written' },
    numbers: { T: 'u32' },
    code: `let b = index;\nlet row = ${slots ? 'u32(slots[b])' : 'b'};\nlengths[row] += ${newTokens ? 'newTokens[b]' : 'i32(numbers.T)'};`,
  });

/** An invocation copies one float from the row that it is taken from. */
const TAKE = elementwise('cacheTake', {
  buffers: { x: 'f32 written', source: 'i32', counts: 'i32' },
  numbers: { KV: 'u32', N: 'u32', D: 'u32' },
  code: `
let token = index / numbers.D % numbers.N;
let one = numbers.KV * numbers.N * numbers.D;
let row = index / one;
if (u32(source[row]) != row && token < u32(counts[row])) { x[index] = x[u32(source[row]) * one + index % one]; }`,
});

/** An invocation moves one column of a head to the front, token by token, so that it overwrites nothing that it still needs. */
const DROP = elementwise('cacheDrop', {
  buffers: { x: 'f32 written', lengths: 'i32', drop: 'i32' },
  numbers: { KV: 'u32', N: 'u32', D: 'u32' },
  code: `
let d = index % numbers.D;
let head = index / numbers.D;
let row = head / numbers.KV;
let by = u32(drop[row]);
let remain = u32(lengths[row]) - by;
for (var n = 0u; by > 0u && n < remain; n++) {
  x[(head * numbers.N + n) * numbers.D + d] = x[(head * numbers.N + n + by) * numbers.D + d];
}`,
});

/** The kernels behind cachedAttention of ops/attention.ts, and model/kv-cache.ts. */
export function registerCachedAttention(): void {
  register<{ heads: number; kvHeads: number }>('FourfoldCachedAttention', (engine, inputs, { heads: H, kvHeads: KV }) => {
    const { qkv, keys, values, lengths, newTokens, slots } = inputs;
    const [B, T, W] = qkv.shape;
    const D = W / (H + 2 * KV);
    const N = keys.shape[2];
    const flags = [newTokens !== undefined, slots !== undefined] as const;
    const o = engine.make([B, T, H * D]);
    const numbers = { T, H, KV, N, D };
    const shared = { qkv, keys, values, lengths, newTokens, slots };
    runElementwise(
      engine,
      once(`append-${flags}`, () => append(...flags)),
      shared,
      B * T * KV * D,
      numbers,
    );
    const shader = once(`attend-${D}-${flags}`, () => attend(D, ...flags));
    engine.run(shader, { ...shared, o }, { ...numbers, queries: B * H * T, scale: 1 / Math.sqrt(D) }, B * H * T);
    return [o];
  });
  const inPlace = (
    kernelName: string,
    run: (engine: WebgpuEngine, inputs: Record<string, tf.TensorInfo>, attrs: tf.NamedAttrMap) => void,
  ) =>
    tf.registerKernel({
      kernelName,
      backendName: 'webgpu',
      kernelFunc: ({ inputs, attrs, backend }) => {
        run(backend as WebgpuEngine, inputs as Record<string, tf.TensorInfo>, attrs ?? {});
        return [];
      },
    });
  inPlace('FourfoldCacheAdvance', (engine, { lengths, newTokens, slots }, { tokens }) => {
    const flags = [newTokens !== undefined, slots !== undefined] as const;
    const B = slots?.shape[0] ?? lengths.shape[0];
    runElementwise(
      engine,
      once(`advance-${flags}`, () => advance(...flags)),
      { lengths, newTokens, slots },
      B,
      { T: tokens as number },
    );
  });
  inPlace('FourfoldCacheTake', (engine, { x, from, counts }) => {
    const [, KV, N, D] = x.shape;
    runElementwise(engine, TAKE, { x, source: from, counts }, sizeOf(x), { KV, N, D });
  });
  inPlace('FourfoldCacheDrop', (engine, { x, lengths, drop }) => {
    const [B, KV, N, D] = x.shape;
    runElementwise(engine, DROP, { x, lengths, drop }, B * KV * D, { KV, N, D });
  });
}
