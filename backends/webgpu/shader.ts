import type { TensorInfo } from '@tensorflow/tfjs';
import type { GpuBuffer, GpuDevice } from './types.js';

type Scalar = 'f32' | 'i32' | 'u32';
/** What a buffer is an array of: vec4f for one that is read 4 elements at a time, of which it must hold a multiple. */
type Element = Scalar | 'vec4f';

/** A compute shader in WGSL. What it declares of buffers and numbers is put in front of `code`. */
export interface Shader {
  /** Also the key under which its pipeline is kept: every variant has its own. */
  name: string;
  /** Storage buffers in the order of their bindings: name → what it holds, and whether it is written to as well. */
  buffers: Buffers;
  /** Numbers that change from call to call: `numbers.M`. */
  numbers: Readonly<Record<string, Scalar>>;
  /** Invocations of a workgroup, in one dimension; `lane` is the own one, `group` the number of the own workgroup. */
  lanes: number;
  /** Declarations before the entry point: workgroup memory, functions. */
  declarations?: string;
  /** The body of the entry point. */
  code: string;
}

/** Buffers of a shader; those that a variant lacks are left out, or undefined. */
export type Buffers = Readonly<Record<string, Element | `${Element} written` | undefined>>;

export type Bindings = Record<string, TensorInfo | GpuBuffer | undefined>;

export interface Pipeline {
  pipeline: object;
  layout: object;
}

/** The buffers that a shader has, in the order of their bindings. */
export function present(buffers: Buffers): Record<string, string> {
  return Object.fromEntries(Object.entries(buffers).filter((entry): entry is [string, Element] => entry[1] !== undefined));
}

/** The whole text of a shader. */
export function textOf({ buffers, numbers, lanes, declarations = '', code }: Shader): string {
  const bindings = Object.entries(present(buffers)).map(([name, kind], i) => {
    const [scalar, written] = kind.split(' ');
    return `@group(0) @binding(${i}) var<storage, ${written ? 'read_write' : 'read'}> ${name}: array<${scalar}>;`;
  });
  return [
    ...bindings,
    `struct Numbers { ${[...Object.entries(numbers), ['unused', 'u32']].map(([name, scalar]) => `${name}: ${scalar}`).join(', ')} }`,
    `@group(0) @binding(${bindings.length}) var<uniform> numbers: Numbers;`,
    declarations,
    `@compute @workgroup_size(${lanes}, 1, 1)`,
    'fn main(@builtin(workgroup_id) groupId: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {',
    'let group = groupId.y * groups.x + groupId.x;',
    `let index = group * ${lanes}u + lane;`,
    code,
    '}',
  ].join('\n');
}

export function pipelineOf(device: GpuDevice, shader: Shader): Pipeline {
  const COMPUTE = 4; // GPUShaderStage.COMPUTE
  const types = Object.values(present(shader.buffers)).map((kind) => (kind.endsWith('written') ? 'storage' : 'read-only-storage'));
  const layout = device.createBindGroupLayout({
    entries: [...types, 'uniform'].map((type, binding) => ({ binding, visibility: COMPUTE, buffer: { type } })),
  });
  const pipeline = device.createComputePipeline({
    layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
    compute: { module: device.createShaderModule({ code: textOf(shader) }), entryPoint: 'main' },
  });
  return { pipeline, layout };
}

/** The numbers as the shader's struct has them, 4 bytes each. */
export function uniformsOf(shader: Shader, numbers: Record<string, number>): ArrayBuffer {
  const names = Object.keys(shader.numbers);
  const data = new DataView(new ArrayBuffer(16 * Math.ceil((names.length + 1) / 4)));
  names.forEach((name, i) => {
    const value = numbers[name];
    if (value === undefined) throw new Error(`webgpu ${shader.name}: the number ${name} is missing`);
    if (shader.numbers[name] === 'f32') data.setFloat32(4 * i, value, true);
    else data.setInt32(4 * i, value, true); // of an unsigned one the same bits
  });
  return data.buffer;
}
