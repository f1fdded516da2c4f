// Legend: B rows, V vocabulary, L previous tokens.
import type { SamplingSettings } from '../../sampling-settings.js';
import type { Shader } from '../shader.js';
import { once, reductions, register } from './common.js';
import { PHILOX } from './random.js';

/** What a call does of it all: what it does not is not in its shader. */
interface Rules {
  previous: boolean;
  greedy: boolean;
  topK: boolean;
  topP: boolean;
  minP: boolean;
}

const LANES = 256;
const each = (code: string) => `for (var v = lane; v < numbers.V; v += ${LANES}u) { let i = row + v; ${code} }`;
/** What lanes wrote into a buffer is there for the others. */
const SYNC = 'storageBarrier(); workgroupBarrier();';

/**
 * The largest `limit`, in the order of floats as integers, that \`measure\` of the elements from it on lets through: bit by bit, from the highest. So
 * neither top-k nor top-p sorts.
 */
const largestLimit = (measure: string, enough: string) => `
var limit = 0u;
for (var bit = 0x80000000u; bit > 0u; bit >>= 1u) {
  let above = limit | bit;
  var own = 0f;
  ${each(`own += select(0f, ${measure}, ordered(x[i]) >= above);`)}
  limit = select(limit, above, total(own, lane) >= ${enough});
}
${SYNC}`;

/**
 * A workgroup a row, as backends/native/cpp/kernels/sample.h: penalty, temperature, top-k, top-p, min-p, and the token in which the cumulated
 * probability passes the draw. Tokens equal to the last one of the top-p set are kept as well. Where the logits are not finite the id is -1.
 */
function shader(rules: Rules): Shader {
  const chooseGreedily = `
var first = -3.4e38f;
${each('if (x[i] == top) { first = max(first, -f32(v)); }')}
let chosen = u32(-largest(first, lane));`;
  const chooseAtRandom = `
${each('x[i] = x[i] / numbers.temperature;')}
${SYNC}
highest = -3.4e38f;
${each('highest = max(highest, x[i]);')}
let coolest = largest(highest, lane);
${each('p[i] = exp(x[i] - coolest);')}
${SYNC}
${
  rules.topK
    ? `{ ${largestLimit('1f', 'f32(numbers.topK)')}
${each('if (ordered(x[i]) < limit) { p[i] = 0f; }')} ${SYNC} }`
    : ''
}
${
  rules.topP
    ? `{ var ownMass = 0f;
${each('ownMass += p[i];')}
let enough = numbers.topP * total(ownMass, lane);
${largestLimit('p[i]', 'enough')}
limit = min(limit, ordered(coolest));
${each('if (ordered(x[i]) < limit) { p[i] = 0f; }')} ${SYNC} }`
    : ''
}
${rules.minP ? `${each('if (p[i] < numbers.minP) { p[i] = 0f; }')} ${SYNC}` : ''}
// Each lane sums a stretch; the one in whose stretch the draw falls walks through it.
let stretch = (numbers.V + ${LANES - 1}u) / ${LANES}u;
let begin = min(lane * stretch, numbers.V);
let end = min(begin + stretch, numbers.V);
var mass = 0f;
for (var v = begin; v < end; v++) { mass += p[row + v]; }
before[lane] = mass;
workgroupBarrier();
if (lane == 0u) {
  var reached = 0f;
  for (var l = 0u; l < ${LANES}u; l++) { let more = before[l]; before[l] = reached; reached += more; }
  goal = reached * draw(group * 5u);
  token = numbers.V - 1u;
}
workgroupBarrier();
var reached = before[lane];
if (reached <= goal && goal < reached + mass) {
  for (var v = begin; v < end && reached <= goal; v++) {
    reached += p[row + v];
    if (p[row + v] > 0f) { token = v; }
  }
}
workgroupBarrier();
let chosen = token;`;
  return {
    name: ['sample', ...Object.entries(rules).flatMap(([rule, on]) => (on ? [rule] : []))].join('-'),
    buffers: {
      logits: 'f32',
      keys: 'i32',
      previous: rules.previous ? 'i32' : undefined,
      x: 'f32 written',
      p: rules.greedy ? undefined : 'f32 written',
      ids: 'i32 written',
      logProbs: 'f32 written',
    },
    numbers: { B: 'u32', V: 'u32', L: 'u32', topK: 'u32', temperature: 'f32', topP: 'f32', minP: 'f32', penalty: 'f32' },
    lanes: LANES,
    declarations: `${reductions(LANES)}
${PHILOX}
var<workgroup> before: array<f32, ${LANES}>;
var<workgroup> goal: f32;
var<workgroup> token: u32;
/** In [0, 1): the twin of \`uniforms\` in ops/sample.ts, to the rounding of float32. */
fn draw(key: u32) -> f32 {
  let words = philox(vec2u(vec2i(keys[key], keys[key + 1u])), vec4u(vec4i(keys[key + 4u], keys[key + 3u], keys[key + 2u], 0x53414d50)));
  return min(f32(words.x >> 5u) / 134217728f + f32(words.y >> 6u) / 9007199254740992f, 1f - 1f / 8388608f);
}
/** Larger for larger numbers. */
fn ordered(value: f32) -> u32 {
  let bits = bitcast<u32>(value);
  return select(bits | 0x80000000u, ~bits, bits >> 31u == 1u);
}`,
    code: `
if (group >= numbers.B) { return; }
let row = group * numbers.V;
let cold = select(1 / numbers.temperature, 1f, numbers.temperature == 0f);
var highest = -3.4e38f;
${each('highest = max(highest, logits[i]); x[i] = logits[i];')}
let plainTop = largest(highest, lane);
var own = 0f;
${each('own += exp((logits[i] - plainTop) * cold);')}
let whole = total(own, lane);
${SYNC}
${
  rules.previous
    ? `for (var l = lane; l < numbers.L; l += ${LANES}u) {
  let id = previous[group * numbers.L + l];
  if (id >= 0 && u32(id) < numbers.V) {
    let logit = logits[row + u32(id)];
    x[row + u32(id)] = select(logit / numbers.penalty, logit * numbers.penalty, logit < 0f);
  }
}
${SYNC}
highest = -3.4e38f;
${each('highest = max(highest, x[i]);')}`
    : ''
}
let top = largest(highest, lane);
${rules.greedy ? chooseGreedily : chooseAtRandom}
if (lane == 0u) {
  let sound = whole > 0f && (bitcast<u32>(whole) & 0x7f800000u) != 0x7f800000u;
  ids[group] = select(-1, i32(chosen), sound);
  logProbs[group] = select(0f, (logits[row + chosen] - plainTop) * cold - log(whole), sound);
}`,
  };
}

/** The kernel behind `sampleTokens` of ops/sample.ts. */
export function registerSample(): void {
  register<SamplingSettings>('FourfoldSampleTokens', (engine, { logits, keys, previous }, attributes) => {
    const [B, V] = logits.shape;
    const { temperature, topK, topP, minP, repetitionPenalty: penalty } = attributes;
    const greedy = temperature === 0;
    const rules: Rules = {
      previous: previous !== undefined,
      greedy,
      topK: !greedy && topK > 0 && topK < V,
      topP: !greedy && topP < 1,
      minP: !greedy && minP > 0,
    };
    const own = once(`sample-${JSON.stringify(rules)}`, () => shader(rules));
    const [ids, logProbs] = [engine.make([B], 'int32'), engine.make([B])];
    const x = engine.make([B, V]);
    const p = greedy ? undefined : engine.make([B, V]);
    const L = previous ? previous.shape[1] : 0;
    engine.run(own, { logits, keys, previous, x, p, ids, logProbs }, { B, V, L, topK, temperature, topP, minP, penalty }, B);
    for (const made of [x, p]) if (made) engine.release(made);
    return [ids, logProbs];
  });
}
