import type { TensorInfo } from '@tensorflow/tfjs';
import { matrixShape } from '../../matrix-shape.js';
import type { WebgpuEngine } from '../engine.js';
import { elementwise, register, runElementwise } from './common.js';

/** `philox(key, counter)`: ten rounds of Philox 4×32; the twin of util/random.ts. Source: Salmon et al. 2011. */
export const PHILOX = `
fn high(a: u32, b: u32) -> u32 {
  let low = (a & 0xffffu) * (b & 0xffffu);
  let middle = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
  let other = (a & 0xffffu) * (b >> 16u) + (middle & 0xffffu);
  return (a >> 16u) * (b >> 16u) + (middle >> 16u) + (other >> 16u);
}
fn philox(key: vec2u, counter: vec4u) -> vec4u {
  var k = key;
  var c = counter;
  for (var round = 0; round < 10; round++) {
    c = vec4u(high(0xcd9e8d57u, c.z) ^ c.y ^ k.x, 0xcd9e8d57u * c.z, high(0xd2511f53u, c.x) ^ c.w ^ k.y, 0xd2511f53u * c.x);
    k += vec2u(0x9e3779b9u, 0xbb67ae85u);
  }
  return c;
}`;

/** An invocation does four columns, 16 apart, of the row `m`: `each` makes element `i` from its random `word`. */
const shader = (name: string, buffers: { scale?: 'f32' }, numbers: Record<string, 'u32' | 'f32'>, each: string) =>
  elementwise(name, {
    buffers: { x: 'f32', key: 'i32', y: 'f32 written', ...buffers },
    numbers: { M: 'u32', C: 'u32', site: 'u32', ...numbers },
    declarations: PHILOX,
    code: `
let counters = (numbers.C + 63u) / 64u * 16u;
let m = index / counters;
let counter = index % counters;
let words = philox(vec2u(vec2i(key[0], key[1])), vec4u(counter, u32(key[3]) * numbers.M + m, u32(key[2]), numbers.site));
for (var w = 0u; w < 4u; w++) {
  let c = counter / 16u * 64u + 16u * w + counter % 16u;
  if (c < numbers.C) {
    let i = m * numbers.C + c;
    let word = words[w];
    ${each}
  }
}`,
  });
const DROPOUT = shader(
  'dropout',
  {},
  { threshold: 'u32', kept: 'f32' },
  'y[i] = select(0f, x[i] * numbers.kept, word >= numbers.threshold);',
);
// The product is rounded before it is added, as everywhere: the number that is always 0 keeps the driver from joining the two operations.
const NOISE = shader(
  'noise',
  { scale: 'f32' },
  {},
  `let part = scale[m] * (f32(i32((word >> 7u) | 1u) - 16777216) / 16777216);
    y[i] = x[i] + bitcast<f32>(bitcast<u32>(part) ^ numbers.unused);`,
);

function draw(
  engine: WebgpuEngine,
  own: typeof DROPOUT,
  inputs: Record<string, TensorInfo>,
  numbers: Record<string, number>,
): TensorInfo[] {
  const [M, C] = matrixShape(inputs.x);
  const y = engine.make(inputs.x.shape);
  runElementwise(engine, own, { ...inputs, y }, M * Math.ceil(C / 64) * 16, { M, C, ...numbers });
  return [y];
}

/** The kernels behind ops/dropout.ts and ops/noise.ts. */
export function registerRandom(): void {
  register<{ p: number; site: number }>('FourfoldDropout', (engine, { x, key }, { p, site }) =>
    draw(engine, DROPOUT, { x, key }, { site, threshold: Math.floor(p * 2 ** 32), kept: 1 / (1 - p) }),
  );
  register<{ site: number }>('FourfoldNoise', (engine, { x, scale, key }, { site }) => draw(engine, NOISE, { x, scale, key }, { site }));
}
