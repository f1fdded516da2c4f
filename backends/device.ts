import { readFileSync } from 'node:fs';
import os from 'node:os';
import * as tf from '@tensorflow/tfjs';
import { UserError } from '../util/errors.js';
import type { DEVICES, Device } from './device-names.js';
import { loadAddon, multipliesBf16 } from './native/addon.js';
import { registerNative } from './native/register.js';
import { registerTensorflow } from './tensorflow.js';
import { registerWasm } from './wasm.js';
import { registerWebgpu } from './webgpu.js';

export { DEVICES, type Device } from './device-names.js';

/** What was chosen, as it is written into a run. */
export interface DeviceDescription {
  device: Device;
  /** native only: the instruction set. */
  isa?: string;
  threads: number;
  cpu: string;
}

/** Physical cores: two hardware threads of one core share its multipliers, so more threads than these do not help. */
export function physicalCores(): number {
  try {
    const cores = new Set<string>();
    let socket = '0';
    for (const line of readFileSync('/proc/cpuinfo', 'utf8').split('\n')) {
      const [key, value] = line.split(':').map((part) => part.trim());
      if (key === 'physical id') socket = value;
      if (key === 'core id') cores.add(`${socket}/${value}`);
    }
    if (cores.size > 0) return Math.min(cores.size, os.availableParallelism());
  } catch {
    // Not Linux: macOS on Apple silicon has one hardware thread a core.
  }
  return os.availableParallelism();
}

/** Why `native` is not there, or undefined when it is. */
export function nativeMissing(): string | undefined {
  return loadAddon().reason;
}

/**
 * Makes `device` tfjs's backend and sets its threads. `auto` is native, else wasm, which is said once.
 * @throws UserError when the named device is not there.
 */
export async function useDevice(
  device: (typeof DEVICES)[number],
  options: { threads?: number; warn?: (message: string) => void } = {},
): Promise<DeviceDescription> {
  const threads = options.threads ?? physicalCores();
  const { addon, reason } = loadAddon();
  const cpu = os.cpus()[0]?.model.trim() ?? os.arch();
  if (device === 'native' || (device === 'auto' && addon)) {
    if (!addon) {
      throw new UserError(
        `device: native needs the compiled engine, which is not there (${reason}). \`fourfold doctor\` says how to get it; or use device: wasm`,
      );
    }
    registerNative(addon);
    addon.threads(threads);
    await tf.setBackend('native');
    return { device: 'native', isa: addon.isa, threads: addon.threads(), cpu };
  }
  if (device === 'auto') {
    options.warn?.(`the native engine is not there (${reason}); running on wasm, 30 times slower. \`fourfold doctor\` says how to get it`);
  }
  if (device === 'cpu') {
    await tf.setBackend('cpu');
    return { device: 'cpu', threads: 1, cpu };
  }
  if (device === 'tensorflow') {
    registerTensorflow();
    await tf.setBackend('tensorflow');
    return { device: 'tensorflow', threads, cpu };
  }
  if (device === 'webgpu') {
    await registerWebgpu();
    await tf.setBackend('webgpu');
    return { device: 'webgpu', threads: 1, cpu };
  }
  await registerWasm(threads);
  await tf.setBackend('wasm');
  return { device: 'wasm', threads, cpu };
}

/**
 * Checks that the device in use can multiply at `precision`.
 * @throws UserError when it cannot: bf16 needs the native engine on a processor with AMX or AVX512-BF16.
 */
export function checkPrecision(precision: 'fp32' | 'bf16'): void {
  const { addon } = loadAddon();
  if (precision === 'fp32' || (tf.getBackend() === 'native' && addon && multipliesBf16(addon))) return;
  const here = tf.getBackend() === 'native' ? `native on ${addon?.isa}` : tf.getBackend();
  throw new UserError(
    `precision: bf16 needs the native device on a processor that multiplies bfloat16 (AMX, AVX512-BF16); received ${here}; use precision: fp32`,
  );
}

/** The most floating-point operations a second that this machine was seen to do, by a probe of some 20 ms; undefined on devices that have none. */
export function peakFlops(precision: 'fp32' | 'bf16'): number | undefined {
  const { addon } = loadAddon();
  if (tf.getBackend() !== 'native' || !addon) return undefined;
  const result = addon.allocate(4);
  const value = new Float32Array(1);
  addon.kernels['probeMultiply'](result, precision === 'bf16' ? 1 : 0);
  addon.read(result, value);
  addon.release(result);
  return value[0] * 1e9;
}
