/**
 * Where a training step's time goes on a GPU: microseconds a step of each shader, by the GPU's own clock, and what the host takes beside it.
 *
 *     node --import tsx bench/profile-webgpu.ts S2 20
 */
import { pathToFileURL } from 'node:url';
import { useDevice } from '../backends/device.js';
import { findPackage } from '../backends/packages.js';
import { webgpuEngine } from '../backends/webgpu.js';
import { initialParameters } from '../model/parameters.js';
import { trainState } from '../training/state.js';
import { stepper } from '../training/step.js';
import { median, table } from './figures.js';
import { randomBatch } from './random-batch.js';
import { TRAIN_SHAPES } from './shapes.js';

const [name, steps = '10'] = process.argv.slice(2);
const { config, B, T } = TRAIN_SHAPES[name];
/** Passes that a query set has place for: more than a step has. */
const PASSES = 2000;

/** What this needs of WebGPU beyond what the backend does. */
interface QuerySet {
  destroy(): void;
}
interface Globals {
  GPUAdapter: { prototype: { requestDevice(descriptor: object): Promise<object> } };
  GPUCommandEncoder: { prototype: { beginComputePass(descriptor?: object): object } };
}
interface Encoder {
  resolveQuerySet(set: QuerySet, first: number, count: number, into: object, offset: number): void;
  copyBufferToBuffer(from: object, fromOffset: number, to: object, toOffset: number, size: number): void;
  finish(): object;
}
interface Buffer {
  mapAsync(mode: number): Promise<void>;
  getMappedRange(): ArrayBuffer;
  destroy(): void;
}
interface Gpu {
  queue: { submit(commands: object[]): void; onSubmittedWorkDone(): Promise<void> };
  createQuerySet(descriptor: { type: string; count: number }): QuerySet;
  createBuffer(descriptor: { size: number; usage: number }): Buffer;
  createCommandEncoder(): Encoder;
}

const { globals } = (await import(pathToFileURL(findPackage('webgpu', 'webgpu')!).href)) as { globals: Globals };
const { GPUAdapter, GPUCommandEncoder } = globals;
const { requestDevice } = GPUAdapter.prototype;
GPUAdapter.prototype.requestDevice = function (descriptor) {
  return requestDevice.call(this, { ...descriptor, requiredFeatures: ['timestamp-query'] });
};

await useDevice('webgpu', { threads: 2 });
const engine = webgpuEngine();
const gpu = engine.device as unknown as Gpu;

/** The shaders of a step in their order, while it is timed, each in a pass of its own; and the passes begun. */
let passes: string[] | undefined;
let begun = 0;
let querySet: QuerySet;
const { beginComputePass } = GPUCommandEncoder.prototype;
GPUCommandEncoder.prototype.beginComputePass = function (descriptor) {
  if (!passes) return beginComputePass.call(this, descriptor);
  const at = 2 * begun++;
  return beginComputePass.call(this, {
    ...descriptor,
    timestampWrites: { querySet, beginningOfPassWriteIndex: at, endOfPassWriteIndex: at + 1 },
  });
};
/** Ends the pass that a dispatch of `name` was recorded in, if it was. */
function endPass(name: string): void {
  if (!passes || begun === passes.length) return;
  engine.endComputePassEncoder();
  passes.push(name);
}
const { run, recordAndSubmit, replay } = engine;
// A timed step goes through JavaScript, which knows the shaders' names.
engine.replay = (plan) => !passes && replay.call(engine, plan);
engine.run = function (shader, ...rest) {
  run.call(this, shader, ...rest);
  endPass(shader.name);
};
engine.recordAndSubmit = function (...program) {
  recordAndSubmit.apply(this, program);
  endPass(`tfjs ${(program[0] as { shaderKey: string }).shaderKey.split('_')[0]}`);
};

/** Nanoseconds of each pass of a step. */
async function timed(step: () => Promise<unknown>): Promise<[string, number][]> {
  querySet = gpu.createQuerySet({ type: 'timestamp', count: 2 * PASSES });
  engine.endComputePassEncoder();
  begun = 0;
  passes = [];
  await step();
  const [names, bytes] = [passes, 16 * passes.length];
  passes = undefined;
  const resolved = gpu.createBuffer({ size: bytes, usage: 0x200 | 0x4 }); // QUERY_RESOLVE | COPY_SRC
  const read = gpu.createBuffer({ size: bytes, usage: 0x1 | 0x8 }); // MAP_READ | COPY_DST
  const encoder = gpu.createCommandEncoder();
  encoder.resolveQuerySet(querySet, 0, 2 * names.length, resolved, 0);
  encoder.copyBufferToBuffer(resolved, 0, read, 0, bytes);
  gpu.queue.submit([encoder.finish()]);
  await read.mapAsync(1);
  const times = new BigUint64Array(read.getMappedRange());
  const spent = names.map((of, i): [string, number] => [of, Number(times[2 * i + 1] - times[2 * i])]);
  for (const buffer of [resolved, read]) buffer.destroy();
  querySet.destroy();
  return spent;
}

const state = trainState(config, initialParameters(config, 1337));
const step = stepper(state, B, T, { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, maxGradNorm: 1, seed: 1337 });
const batches = Array.from({ length: 4 }, (_, i) => [randomBatch(config.vocab_size, B, T, i)]);
for (let i = 0; i < 4; i++) await step.step(batches[i], 1e-3);

const walls: number[] = [];
for (let i = 0; i < Number(steps); i++) {
  const began = performance.now();
  await step.step(batches[i % 4], 1e-3);
  walls.push(performance.now() - began);
}

const totals = new Map<string, { calls: number; ns: number }>();
for (let i = 0; i < Number(steps); i++) {
  for (const [of, ns] of await timed(() => step.step(batches[i % 4], 1e-3))) {
    const total = totals.get(of) ?? { calls: 0, ns: 0 };
    totals.set(of, { calls: total.calls + 1, ns: total.ns + ns });
  }
}
const rows = [...totals].sort(([, a], [, b]) => b.ns - a.ns);
const perStep = (ns: number) => ns / 1000 / Number(steps);
const all = rows.reduce((sum, [, { ns }]) => sum + ns, 0);
console.log(
  table(
    ['shader', 'calls a step', 'µs a step', 'share'],
    rows.map(([of, { calls, ns }]) => [of, String(calls / Number(steps)), perStep(ns).toFixed(0), `${((100 * ns) / all).toFixed(1)} %`]),
  ),
);
const wall = median(walls);
console.log(
  `${wall.toFixed(2)} ms a step, ${((B * T * 1000) / wall).toFixed(0)} tokens/s; ${(perStep(all) / 1000).toFixed(2)} ms of it in shaders`,
);
