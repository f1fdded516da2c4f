import { pathToFileURL } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import { UserError } from '../util/errors.js';
import { findPackage, sharesTfjs } from './packages.js';
import { createEngine, type WebgpuCounts, type WebgpuEngine } from './webgpu/engine.js';
import { registerWebgpuKernels } from './webgpu/kernels/index.js';
import type { Dawn, TfjsWebgpu } from './webgpu/types.js';

const DAWN = 'webgpu';
const TFJS = '@tensorflow/tfjs-backend-webgpu';

/** Of the adapter's limits those that kernels run into: a device has the least that WebGPU allows unless it asks for more. */
const LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeWorkgroupsPerDimension',
  'maxComputeWorkgroupSizeX',
  'maxComputeInvocationsPerWorkgroup',
];

/** Why `webgpu` cannot be tried, or undefined when its packages are there; whether there is an adapter, only trying tells. */
export function webgpuMissing(): string | undefined {
  for (const name of [DAWN, TFJS]) {
    const file = findPackage('webgpu', name);
    if (!file) return `${name} is not installed`;
    if (name === TFJS && !sharesTfjs(file)) return `${name} at ${file} has a tfjs of its own`;
  }
  return undefined;
}

async function load<T>(name: string): Promise<T> {
  return (await import(pathToFileURL(findPackage('webgpu', name)!).href)) as T;
}

/**
 * Registers the backend `webgpu` on the fastest adapter, with our kernels. Calling it twice changes nothing, unless the GPU was lost.
 * @throws UserError when it is not installed, or there is no adapter.
 */
export async function registerWebgpu(): Promise<void> {
  if (tf.findBackend('webgpu')) {
    if (!webgpuEngine().isLost) return;
    tf.removeBackend('webgpu');
  }
  const missing = webgpuMissing();
  if (missing) throw new UserError(`device: webgpu is not there (${missing}); \`fourfold device install webgpu\` installs it`);
  // Before there is a navigator.gpu: where it finds one, it registers a backend of its own.
  const { WebGPUBackend } = await load<TfjsWebgpu>(TFJS);
  const dawn = await load<Dawn>(DAWN);
  Object.assign(globalThis, dawn.globals);
  const gpu = dawn.create([]);
  // tfjs looks for navigator.gpu; Node.js has a navigator since version 21.
  const scope = globalThis as { navigator?: object };
  if (!scope.navigator) Object.defineProperty(scope, 'navigator', { value: {}, configurable: true });
  Object.defineProperty(scope.navigator, 'gpu', { value: gpu, configurable: true });
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) throw new UserError('device: webgpu found no adapter; `fourfold doctor` says what it needs');
  const device = await adapter.requestDevice({ requiredLimits: Object.fromEntries(LIMITS.map((name) => [name, adapter.limits[name]])) });
  const engine = createEngine(WebGPUBackend, device, adapter.info);
  tf.registerBackend('webgpu', () => engine, 0);
  registerWebgpuKernels();
}

/** The backend `webgpu`, which must be registered. */
export function webgpuEngine(): WebgpuEngine {
  return tf.findBackend('webgpu') as WebgpuEngine;
}

/** What the GPU was asked for since the last call. */
export function webgpuCounts(): WebgpuCounts {
  return webgpuEngine().takeCounts();
}
