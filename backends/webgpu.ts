import { pathToFileURL } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import { UserError } from '../util/errors.js';
import { findPackage, sharesTfjs } from './packages.js';

const DAWN = 'webgpu';
const TFJS = '@tensorflow/tfjs-backend-webgpu';

/** What we use of the packages, which are not there when fourfold is built. */
interface Adapter {
  readonly info: { vendor: string; architecture: string; device: string; description: string };
  readonly limits: Record<string, number>;
  requestDevice(descriptor: { requiredLimits: Record<string, number> }): Promise<object>;
}
interface Dawn {
  globals: object;
  create(flags: string[]): { requestAdapter(options: { powerPreference: string }): Promise<Adapter | null> };
}
interface TfjsWebgpu {
  WebGPUBackend: new (device: object, info: Adapter['info']) => tf.KernelBackend;
}

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
 * Registers tfjs's backend `webgpu` on the fastest adapter. Calling it twice changes nothing.
 * @throws UserError when it is not installed, or there is no adapter.
 */
export async function registerWebgpu(): Promise<void> {
  if (tf.findBackend('webgpu')) return;
  const missing = webgpuMissing();
  if (missing) throw new UserError(`device: webgpu is not there (${missing}); \`fourfold device install webgpu\` installs it`);
  const dawn = await load<Dawn>(DAWN);
  Object.assign(globalThis, dawn.globals);
  const gpu = dawn.create([]);
  // tfjs looks for navigator.gpu; Node.js has a navigator since version 21.
  const scope = globalThis as { navigator?: object };
  if (!scope.navigator) Object.defineProperty(scope, 'navigator', { value: {}, configurable: true });
  Object.defineProperty(scope.navigator, 'gpu', { value: gpu, configurable: true });
  const { WebGPUBackend } = await load<TfjsWebgpu>(TFJS);
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) throw new UserError('device: webgpu found no adapter; `fourfold doctor` says what it needs');
  const device = await adapter.requestDevice({ requiredLimits: Object.fromEntries(LIMITS.map((name) => [name, adapter.limits[name]])) });
  const backend = new WebGPUBackend(device, adapter.info);
  tf.registerBackend('webgpu', () => backend, 0);
}
