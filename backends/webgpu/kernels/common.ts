import * as tf from '@tensorflow/tfjs';
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

const shaders = new Map<string, Shader>();

/** The shader under this key, written at the first call: a variant's text is long, and its calls are many. */
export function once(key: string, make: () => Shader): Shader {
  let shader = shaders.get(key);
  if (!shader) {
    shader = make();
    shaders.set(key, shader);
  }
  return shader;
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
