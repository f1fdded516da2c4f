/** What `prove` runs: `proof DEVICE FOLDER` computes with the device's packages in the folder, and prints one line about them. */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import { sharesTfjs } from '../packages.js';
import { loadTensorflow, TENSORFLOW_PACKAGES } from '../tensorflow.js';

const [device, folder] = process.argv.slice(2);
const from = createRequire(path.join(folder, 'package.json'));
console.log(await (device === 'webgpu' ? webgpu() : tensorflow()));
process.exit(0); // Dawn would keep the process

function find(name: string): string {
  const file = from.resolve(name);
  assert.ok(sharesTfjs(file), `${name} has a tfjs of its own`);
  return file;
}

async function tensorflow(): Promise<string> {
  const name = TENSORFLOW_PACKAGES.find((candidate) => isThere(candidate));
  assert.ok(name, 'tfjs-node is not there');
  const file = find(name);
  loadTensorflow(file);
  await tf.setBackend('tensorflow');
  const x = tf.tensor2d([1, 2, 3, 4, 5, 6], [2, 3]);
  const w = tf.tensor2d([1, 0, -1, 2, 3, 1], [3, 2]);
  assert.deepEqual([...(await tf.matMul(x, w).data())], [8, 7, 17, 16]); // [2, 2]
  // The gradient of Σ (x·w)² is 2·xᵀ·(x·w).
  const gradient = tf.grad((weights) => tf.sum(tf.square(tf.matMul(x, weights as tf.Tensor2D))))(w);
  assert.deepEqual([...(await gradient.data())], [152, 142, 202, 188, 252, 234]); // [3, 2]
  const backend = tf.backend() as unknown as { binding: { TF_Version: string }; isUsingGpuDevice: boolean };
  const gpu = backend.isUsingGpuDevice ? 'on the GPU' : name.endsWith('-gpu') ? 'on the CPU: it sees no GPU that it can use' : 'on the CPU';
  return `libtensorflow ${backend.binding.TF_Version} ${gpu}`;
}

function isThere(name: string): boolean {
  try {
    return from.resolve(name).startsWith(folder);
  } catch {
    return false;
  }
}

async function webgpu(): Promise<string> {
  type Gpu = { requestAdapter(): Promise<{ info: Record<'vendor' | 'architecture' | 'device' | 'description', string> } | null> };
  const dawn = (await import(pathToFileURL(from.resolve('webgpu')).href)) as { globals: object; create(flags: string[]): Gpu };
  Object.assign(globalThis, dawn.globals);
  const backend = (await import(pathToFileURL(find('@tensorflow/tfjs-backend-webgpu')).href)) as { WebGPUBackend?: unknown };
  assert.equal(typeof backend.WebGPUBackend, 'function', 'tfjs-backend-webgpu has no backend');
  const adapter = await dawn.create([]).requestAdapter();
  if (!adapter) return 'Dawn starts, and sees no adapter: it takes a GPU with a driver for Vulkan, Metal or Direct3D 12';
  const { vendor, architecture, device, description } = adapter.info;
  return `Dawn starts, and sees ${[vendor, architecture, device, description].filter((part) => part !== '').join(' ')}`;
}
