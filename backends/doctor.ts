import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { packageRoot, packageVersion } from '../util/package-root.js';
import { physicalCores } from './device.js';
import type { Device } from './device-names.js';
import { loadAddon } from './native/addon.js';
import { fastest, isMeasured, type Measured, type Probe, probeDevices, rememberProbes, SIZES, tokensPerSecond } from './probe.js';

/** What this machine can compute with. */
export interface Diagnosis {
  version: string;
  node: string;
  /** Operating system and architecture: `linux x64`. */
  platform: string;
  cpu: string;
  physicalCores: number;
  hardwareThreads: number;
  memoryBytes: number;
  /** The device that `auto` takes: the one that trains fastest by these measurements. */
  device: Device;
  /** What each device was measured to do just now, with its estimated speed of training in tokens a second by size. */
  devices: (Probe & { tokensPerSecond?: Record<string, number> })[];
  native: {
    available: boolean;
    /** The instruction set in use, and all that this processor has. */
    isa?: string;
    isas?: string[];
    /** Where it was loaded from, in the package: built on this machine, or one of `prebuilds`. */
    file?: string;
    /** Why it is not there. */
    reason?: string;
    /** Where the build wrote what it did, if it ran. */
    log?: string;
  };
  /** The C++ compiler found, with its version. */
  compiler?: string;
  /** What to do, one step each; nothing when all is well. */
  advice: string[];
}

/** What a diagnosis looks at; a test puts its own in place. */
export interface Probes {
  loadAddon: typeof loadAddon;
  probeDevices: typeof probeDevices;
  findCompiler(): string | undefined;
  /** The text of the build log, if there is one. */
  readLog(): string | undefined;
  platform: NodeJS.Platform;
  /** The contents of /etc/os-release. */
  distribution: string;
}

const logFile = () => path.join(packageRoot(), 'build', 'build.log');

function readText(file: string): string | undefined {
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}

/** The first C++ compiler that answers; the same search as the build's. */
function findCompiler(): string | undefined {
  const usual = process.platform === 'win32' ? ['zig c++', 'clang++'] : ['c++', 'g++', 'clang++'];
  for (const name of [process.env.CXX, ...usual]) {
    if (!name) continue;
    const [program, ...args] = name.trim().split(/\s+/);
    try {
      return execFileSync(program, [...args, '--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).split('\n')[0];
    } catch {
      // Not there; the next one may be.
    }
  }
  return undefined;
}

/** Looks at this machine, and measures each device that is there; `auto` goes by these measurements from now on. Takes some seconds. */
export async function diagnose(probes: Partial<Probes> = {}): Promise<Diagnosis> {
  const { addon, file, reason } = (probes.loadAddon ?? loadAddon)();
  const log = (probes.readLog ?? (() => readText(logFile())))();
  const compiler = (probes.findCompiler ?? findCompiler)();
  const platform = probes.platform ?? process.platform;
  const failure = log?.split('\n').find((line) => line.startsWith('failed: '));
  const distribution = probes.distribution ?? readText('/etc/os-release') ?? '';
  const measured = await (probes.probeDevices ?? measureAndRemember)(physicalCores());
  return {
    version: packageVersion(),
    node: process.version,
    platform: `${platform} ${process.arch}`,
    cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
    physicalCores: physicalCores(),
    hardwareThreads: os.availableParallelism(),
    memoryBytes: os.totalmem(),
    device: fastest(measured)?.device ?? 'wasm',
    devices: measured.map((probe) => ({ ...probe, ...(isMeasured(probe) && { tokensPerSecond: speeds(probe) }) })),
    native: addon
      ? { available: true, isa: addon.isa, isas: addon.isas, file: file && path.relative(packageRoot(), file) }
      : { available: false, reason: failure?.slice('failed: '.length) ?? reason, log: log === undefined ? undefined : logFile() },
    compiler,
    advice: [...(addon ? [] : advise(platform, compiler, distribution)), ...adviseMore(measured)],
  };
}

async function measureAndRemember(threads: number): Promise<Probe[]> {
  const measured = await probeDevices(threads);
  await rememberProbes(measured, threads);
  return measured;
}

function speeds(measured: Measured): Record<string, number> {
  return Object.fromEntries(SIZES.map((size) => [size.name, Math.round(tokensPerSecond(measured, size))]));
}

/** Devices that can be installed. */
function adviseMore(probes: readonly Probe[]): string[] {
  const missing = (device: Device) =>
    probes.some((probe) => probe.device === device && 'missing' in probe && /not installed|is installed/.test(probe.missing));
  return [
    ...(missing('webgpu') ? ['For a graphics card of any make: fourfold device install webgpu (140 MB)'] : []),
    ...(missing('tensorflow') ? ['For an NVIDIA card through CUDA: fourfold device install tensorflow --gpu'] : []),
  ];
}

function advise(platform: NodeJS.Platform, compiler: string | undefined, distribution: string): string[] {
  const rebuild = 'Build the engine: npm rebuild fourfold (in a clone of the repository: node backends/native/build.mjs)';
  return compiler ? [rebuild] : [`Install a C++ compiler: ${compilerPackage(platform, distribution)}`, rebuild];
}

function compilerPackage(platform: NodeJS.Platform, distribution: string): string {
  if (platform === 'darwin') return 'xcode-select --install';
  if (platform === 'win32') return 'winget install zig.zig (or use the Windows Subsystem for Linux, where everything has been tried)';
  const family = distribution.match(/^ID(?:_LIKE)?=.*$/gm)?.join(' ') ?? '';
  if (/fedora|rhel/.test(family)) return 'dnf install gcc-c++';
  if (/alpine/.test(family)) return 'apk add g++';
  if (/arch/.test(family)) return 'pacman -S gcc';
  return 'apt install g++';
}

/** A diagnosis for people. */
export function describe(diagnosis: Diagnosis): string {
  const { native } = diagnosis;
  const cores = `${diagnosis.physicalCores} cores, ${diagnosis.hardwareThreads} hardware threads`;
  const lines = [
    `fourfold   ${diagnosis.version}, Node.js ${diagnosis.node}, ${diagnosis.platform}`,
    `processor  ${diagnosis.cpu}, ${cores}, ${(diagnosis.memoryBytes / 2 ** 30).toFixed(1)} GiB of memory`,
    `native     ${native.available ? `ready, ${native.isa} (of ${native.isas?.join(', ')}), ${native.file}` : `missing: ${native.reason}`}`,
    `compiler   ${diagnosis.compiler ?? 'none found'}`,
    `device     auto is ${diagnosis.device}`,
    '',
    ...deviceTable(diagnosis.devices),
  ];
  if (!native.available) lines.push('', 'Without the native engine training is slow: wasm was measured to be 29-37 times slower.');
  if (diagnosis.advice.length > 0) lines.push('', 'To get more:', ...diagnosis.advice.map((step, i) => `${i + 1}. ${step}`));
  if (native.log) lines.push(`The log of the build: ${native.log}`);
  return lines.join('\n');
}

function deviceTable(devices: Diagnosis['devices']): string[] {
  const digits = (value: number) => (value >= 100 ? Math.round(value).toLocaleString('en-US') : value.toPrecision(2));
  const gibibytes = (bytes: number) => `${(bytes / 2 ** 30).toFixed(0)} GiB`;
  const memory = ({ memoryBytes, tensorBytes }: Measured) =>
    memoryBytes ? gibibytes(memoryBytes) : tensorBytes ? `${gibibytes(tensorBytes)} a tensor` : '?';
  const present = devices.filter(isMeasured) as (Measured & { tokensPerSecond: Record<string, number> })[];
  const rows = [
    ['device', 'on', 'GFLOP/s', 'GB/s', 'µs a call', 'memory', 'precision', ...SIZES.map(({ name }) => name)],
    ...present.map((one) => [
      one.device,
      one.on,
      digits(one.gflops),
      digits(one.gigabytesPerSecond),
      digits(one.callMicroseconds),
      memory(one),
      one.precisions.join(' '),
      ...SIZES.map(({ name }) => digits(one.tokensPerSecond[name])),
    ]),
  ];
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return [
    ...rows.map((row) =>
      row
        .map((cell, column) => (column < 2 || column === 6 ? cell.padEnd(widths[column]) : cell.padStart(widths[column])))
        .join('  ')
        .trimEnd(),
    ),
    ...devices
      .filter((probe) => !isMeasured(probe))
      .map((probe) => `${probe.device.padEnd(widths[0])}  not here: ${(probe as { missing: string }).missing}`),
    ...present
      .flatMap(({ adapters = [] }) => adapters)
      .map(
        ({ name, backend, software, largestTensorBytes }) =>
          `adapter  ${name} through ${backend}${software ? ', in software: for tests' : ''}, ${gibibytes(largestTensorBytes)} a tensor`,
      ),
    'The last columns are estimated tokens a second of training: layers/width of the model. npm run bench:devices measures.',
  ];
}
