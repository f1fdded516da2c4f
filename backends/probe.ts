import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cacheFolder } from '../util/cache-folder.js';
import { writeFileAtomic } from '../util/files.js';
import { packageVersion } from '../util/package-root.js';
import { besides } from '../util/workers.js';
import type { Device } from './device-names.js';
import { loadAddon } from './native/addon.js';
import { findPackage } from './packages.js';
import type { WebgpuAdapter } from './webgpu/adapters.js';

/** The devices that `auto` chooses among. */
export const PROBED = ['native', 'tensorflow', 'webgpu', 'wasm'] as const satisfies readonly Device[];
type Probed = (typeof PROBED)[number];

/** What a device was measured to do on this machine. */
export interface Measured {
  device: Probed;
  /** What computes there: an instruction set, or the adapter's name. */
  on: string;
  /** A product of matrices of a Transformer's size, 10^9 floating-point operations a second. */
  gflops: number;
  /** The sum of two large tensors: 10^9 bytes read and written a second. */
  gigabytesPerSecond: number;
  /** What a call of the smallest kernel costs. */
  callMicroseconds: number;
  /** What tensors may take together, as far as the device says so. */
  memoryBytes?: number;
  /** The largest single tensor, where there is such a limit. */
  tensorBytes?: number;
  precisions: string[];
  /** webgpu only: what Dawn finds here. */
  adapters?: WebgpuAdapter[];
}

/** What was found of a device: its measurements, or why it is not there. */
export type Probe = Measured | { device: Probed; missing: string };

const LIMIT_MS = 60_000;

/** Measures each device, each in a process of its own: a driver that fails takes nothing with it. */
export async function probeDevices(threads: number): Promise<Probe[]> {
  const probes: Probe[] = [];
  for (const device of PROBED) probes.push(await probeApart(device, threads));
  return probes;
}

async function probeApart(device: Probed, threads: number): Promise<Probe> {
  const program = fileURLToPath(besides(import.meta.url, './probe-process'));
  const args = [...process.execArgv, program, device, String(threads)];
  try {
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: LIMIT_MS, killSignal: 'SIGKILL', maxBuffer: 1 << 24 });
    return JSON.parse(stdout.trim().split('\n').at(-1)!) as Probe;
  } catch (error) {
    const { killed, stderr = '', message } = error as Error & { killed?: boolean; stderr?: string };
    if (killed) return { device, missing: `the probe had no result after ${LIMIT_MS / 1000} s` };
    const said = stderr.split('\n').find((line) => /Error|error/.test(line)) ?? message.split('\n')[0];
    return { device, missing: `the probe failed: ${said.trim()}` };
  }
}

/** Everything here that a measurement depends on, but for a graphics card and its driver. */
function machine(threads: number): string {
  const { addon, reason } = loadAddon();
  const packages = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'].map((name) => findPackage('tensorflow', name));
  const parts = [os.hostname(), os.cpus()[0]?.model, os.totalmem(), threads, process.version, packageVersion(), addon?.isa ?? reason];
  return JSON.stringify([...parts, ...packages, findPackage('webgpu', 'webgpu'), process.env.VK_ICD_FILENAMES]);
}

const cacheFile = () => path.join(cacheFolder(), 'devices.json');

function readCache(): Record<string, Probe[]> {
  try {
    return JSON.parse(readFileSync(cacheFile(), 'utf8')) as Record<string, Probe[]>;
  } catch {
    return {}; // none yet, or none that can be read: it is made again
  }
}

/** Keeps the measurements of this machine for `probesOfThisMachine`. A folder that cannot be written to costs a probe each time, and no more. */
export async function rememberProbes(probes: Probe[], threads: number): Promise<void> {
  try {
    await writeFileAtomic(cacheFile(), `${JSON.stringify({ ...readCache(), [machine(threads)]: probes }, null, 1)}\n`);
  } catch {
    // Read-only, or full.
  }
}

/** The measurements of this machine: those of an earlier time, else new ones, which are kept. */
export async function probesOfThisMachine(threads: number, say: (text: string) => void = () => {}): Promise<Probe[]> {
  const before = readCache()[machine(threads)];
  if (before) return before;
  say('measuring what this machine can compute with, once; fourfold doctor shows it');
  const probes = await probeDevices(threads);
  await rememberProbes(probes, threads);
  return probes;
}

export function isMeasured(probe: Probe): probe is Measured {
  return !('missing' in probe);
}

/** A model and its batch that speed is estimated for. */
export interface Size {
  name: string;
  layers: number;
  width: number;
  vocabulary: number;
  /** Tokens that the model sees at once, and in a step. */
  context: number;
  batchTokens: number;
}

/** The models of the ready configurations, and GPT-2. */
export const SIZES: readonly Size[] = [
  { name: '4L/128', layers: 4, width: 128, vocabulary: 1024, context: 128, batchTokens: 2048 },
  { name: '6L/384', layers: 6, width: 384, vocabulary: 2048, context: 256, batchTokens: 2048 },
  { name: '12L/768', layers: 12, width: 768, vocabulary: 50257, context: 1024, batchTokens: 8192 },
];

/**
 * What a step costs beside its products: numbers read and written for a token and layer, in multiples of the width; the same for each score of
 * attention; and calls for a layer. Fitted to bench/devices.ts.
 */
const WORK = {
  native: { perWidth: 60, perScore: 0, calls: 0 },
  webgpu: { perWidth: 120, perScore: 0, calls: 40 },
  composed: { perWidth: 1500, perScore: 30, calls: 800 },
};

/**
 * Tokens that a device trains on in a second, by its measurements: arithmetic, traffic and calls one after the other. An estimate, within a factor
 * of two where it was compared; a step of 6 operations a parameter and 12·layers·width·context for attention (Kaplan et al. 2020).
 */
export function tokensPerSecond(measured: Measured, size: Size): number {
  const { layers, width, vocabulary, context, batchTokens } = size;
  const work = WORK[measured.device === 'native' || measured.device === 'webgpu' ? measured.device : 'composed'];
  const operations = 6 * (12 * layers * width ** 2 + vocabulary * width) + 12 * layers * width * context;
  const heads = width / 64;
  const numbers = layers * (work.perWidth * width + work.perScore * heads * context) + 10 * vocabulary;
  const seconds =
    operations / (measured.gflops * 1e9) +
    (4 * numbers) / (measured.gigabytesPerSecond * 1e9) +
    (work.calls * layers * measured.callMicroseconds * 1e-6) / batchTokens;
  return 1 / seconds;
}

/** The device that trains fastest here, by its estimate for the middle of the sizes. */
export function fastest(probes: readonly Probe[]): Measured | undefined {
  const speed = (probe: Measured) => tokensPerSecond(probe, SIZES[1]);
  return probes.filter(isMeasured).reduce<Measured | undefined>((best, one) => (best && speed(best) >= speed(one) ? best : one), undefined);
}
