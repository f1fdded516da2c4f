import { readFileSync } from 'node:fs';
import os from 'node:os';
import * as tf from '@tensorflow/tfjs';
import { UserError } from '../util/errors.js';
import { registerCpu } from './cpu-kernels.js';
import type { DEVICES, Device } from './device-names.js';
import { loadAddon, multipliesBf16 } from './native/addon.js';
import { registerNative } from './native/register.js';
import type { Precision } from './precision.js';
import { fastest, isMeasured, type Probe, probesOfThisMachine, SIZES, tokensPerSecond } from './probe.js';
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
 * Makes `device` tfjs's backend and sets its threads. `auto` is the one that was measured to be the fastest here (see probe.ts).
 * @throws UserError when the named device is not there.
 */
export async function useDevice(
  device: (typeof DEVICES)[number],
  options: { threads?: number; warn?: (message: string) => void } = {},
): Promise<DeviceDescription> {
  const threads = options.threads ?? physicalCores();
  const warn = options.warn ?? (() => {});
  const chosen = device === 'auto' ? await chooseDevice(threads, warn) : device;
  const description = await register(chosen, threads, warn);
  await tf.setBackend(chosen);
  if (device === 'wasm' && options.warn) await sayHowSlow(threads, warn);
  return description;
}

async function chooseDevice(threads: number, warn: (message: string) => void): Promise<Device> {
  const probes = await probesOfThisMachine(threads, warn);
  const best = fastest(probes)?.device ?? 'wasm';
  if (best === 'wasm') {
    const { reason } = loadAddon();
    warn(
      `running on wasm, the fastest that is here${reason ? `: the native engine, some 30 times as fast, is not there (${reason})` : ''}. \`fourfold doctor\` says how to get more`,
    );
  }
  return best;
}

let saidHowSlow = false;

/** Once a process, to who asked for wasm where native is, and listens. */
async function sayHowSlow(threads: number, warn: (message: string) => void): Promise<void> {
  if (saidHowSlow || !loadAddon().addon) return;
  saidHowSlow = true;
  const speed = (name: Device, probes: Probe[]) => {
    const found = probes.filter(isMeasured).find(({ device }) => device === name);
    return found && tokensPerSecond(found, SIZES[1]);
  };
  const probes = await probesOfThisMachine(threads);
  const [wasm, native] = [speed('wasm', probes), speed('native', probes)];
  if (wasm && native) warn(`wasm trains about ${Math.round(native / wasm)} times slower than native here`);
}

async function register(device: Device, threads: number, warn: (message: string) => void): Promise<DeviceDescription> {
  const cpu = os.cpus()[0]?.model.trim() ?? os.arch();
  switch (device) {
    case 'native': {
      const { addon, reason } = loadAddon();
      if (!addon) {
        throw new UserError(
          `device: native needs the compiled engine, which is not there (${reason}). \`fourfold doctor\` says how to get it; or use device: wasm`,
        );
      }
      registerNative(addon);
      addon.threads(threads);
      return { device, isa: addon.isa, threads: addon.threads(), cpu };
    }
    case 'tensorflow':
      registerTensorflow(warn);
      return { device, threads, cpu };
    case 'webgpu':
      await registerWebgpu();
      return { device, threads: 1, cpu };
    case 'wasm':
      await registerWasm(threads);
      return { device, threads: 1, cpu }; // Node.js gives wasm one
    case 'cpu':
      registerCpu();
      return { device, threads: 1, cpu };
  }
}

/** What the device multiplies in: bf16 needs the native engine on a processor with AMX or AVX512-BF16, fp16 the native engine. */
export function precisionsOf(device: Device): Precision[] {
  const { addon } = loadAddon();
  if (device !== 'native' || !addon) return ['fp32'];
  return multipliesBf16(addon) ? ['fp32', 'bf16', 'fp16'] : ['fp32', 'fp16'];
}

/**
 * Checks that the device in use can multiply at `precision`.
 * @throws UserError when it cannot.
 */
export function checkPrecision(precision: Precision): void {
  const device = tf.getBackend() as Device;
  if (precisionsOf(device).includes(precision)) return;
  const here = device === 'native' ? `native on ${loadAddon().addon?.isa}` : device;
  const needed =
    precision === 'bf16' ? 'the native device on a processor that multiplies bfloat16 (AMX, AVX512-BF16)' : 'the native device';
  throw new UserError(`precision: ${precision} needs ${needed}; received ${here}; use precision: ${precisionsOf(device).join(' or ')}`);
}

/** The most floating-point operations a second that this machine was seen to do, by a probe of some 20 ms; undefined on devices that have none. */
export function peakFlops(precision: Precision): number | undefined {
  const { addon } = loadAddon();
  if (tf.getBackend() !== 'native' || !addon) return undefined;
  const result = addon.allocate(4);
  const value = new Float32Array(1);
  addon.kernels['probeMultiply'](result, precision === 'bf16' ? 1 : 0);
  addon.read(result, value);
  addon.release(result);
  return value[0] * 1e9;
}
