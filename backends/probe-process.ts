/** Measures one device and says on its last line, in JSON, what it found: see probe.ts. */
import os from 'node:os';
import * as tf from '@tensorflow/tfjs';
import { isUserError } from '../util/errors.js';
import { type DeviceDescription, precisionsOf, useDevice } from './device.js';
import type { Measured, Probe } from './probe.js';
import { listAdapters } from './webgpu/adapters.js';

const [device, threads] = process.argv.slice(2) as [Measured['device'], string];
/** How long and how often at least, so that the best of them is undisturbed; how long at most. */
const [AT_LEAST_MS, AT_LEAST_RUNS, AT_MOST_MS] = [100, 5, 2000];
const FAST_MS = 5;
const MOST_RUNS = 64;
const WASM_BYTES = 4 * 2 ** 30;

/** The shortest time in milliseconds of one run, of as many as take a few together; what the last one leaves is read, so that they are over. */
async function fastestMs(run: () => tf.Tensor): Promise<number> {
  const once = async (runs: number) => {
    const began = performance.now();
    for (let i = 1; i < runs; i++) run().dispose();
    const result = run();
    const last = tf.tidy(() => tf.slice(result.flatten(), [result.size - 1], [1]));
    await last.data();
    tf.dispose([result, last]);
    return (performance.now() - began) / runs;
  };
  await once(1); // compiles, allocates
  let runs = 1;
  while (runs < MOST_RUNS && (await once(runs)) * runs < FAST_MS) runs *= 4; // reading takes its time, too
  const began = performance.now();
  const times: number[] = [];
  const taken = () => performance.now() - began;
  while ((times.length < AT_LEAST_RUNS || taken() < AT_LEAST_MS) && taken() < AT_MOST_MS) times.push(await once(runs));
  return Math.min(...times);
}

/** a [M, K] · b [N, K], transposed, by the kernel that trains with, where the device has one of ours. */
function product(a: tf.Tensor2D, b: tf.Tensor2D): tf.Tensor {
  if (!tf.getKernel('FourfoldLinear', device)) return tf.matMul(a, b, false, true);
  const outputs = tf
    .engine()
    .runKernel('FourfoldLinear', { x: a, weight: b }, { keep: false, precision: 'fp32' }) as unknown as tf.Tensor[];
  return outputs[0];
}

async function measure({ isa }: DeviceDescription): Promise<Measured> {
  const adapters = device === 'webgpu' ? await listAdapters() : undefined;
  const [K, N] = [384, 1152];
  const b = tf.randomUniform([N, K]) as tf.Tensor2D;
  const productsMs = async (M: number) => {
    const a = tf.randomUniform([M, K]) as tf.Tensor2D;
    return fastestMs(() => product(a, b));
  };
  const large = tf.randomUniform([2 ** 22]);
  const small = tf.scalar(1);
  const CALLS = 100;
  let M = 128;
  let products = await productsMs(M);
  for (; products < FAST_MS && M < 8192; products = await productsMs(M)) M *= 4; // few rows tell nothing of a fast device
  const sum = await fastestMs(() => tf.add(large, large));
  const calls = await fastestMs(() => tf.tidy(() => Array.from({ length: CALLS }).reduce<tf.Tensor>((x) => tf.add(x, small), small)));
  return {
    device,
    on: isa ?? adapters?.[0].name ?? (device === 'wasm' ? 'one thread' : 'processor'),
    gflops: (2 * M * K * N) / products / 1e6,
    gigabytesPerSecond: (2 * 4 * large.size) / sum / 1e6,
    callMicroseconds: (calls * 1000) / CALLS,
    memoryBytes: device === 'wasm' ? Math.min(WASM_BYTES, os.totalmem()) : device === 'webgpu' ? undefined : os.totalmem(),
    tensorBytes: adapters?.[0].largestTensorBytes,
    precisions: precisionsOf(device),
    ...(adapters && { adapters }),
  };
}

let probe: Probe;
try {
  probe = await measure(await useDevice(device, { threads: Number(threads) }));
} catch (error) {
  if (!isUserError(error)) throw error;
  probe = { device, missing: error.message };
}
console.log(JSON.stringify(probe));
process.exit(0); // a device may hold threads of its own
