import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { packageRoot, packageVersion } from '../util/package-root.js';
import { physicalCores } from './device.js';
import { loadAddon } from './native/addon.js';

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
  /** The device that `auto` takes. */
  device: 'native' | 'wasm';
  native: {
    available: boolean;
    /** The instruction set in use, and all that this processor has. */
    isa?: string;
    isas?: string[];
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
  for (const name of [process.env.CXX, 'c++', 'g++', 'clang++']) {
    if (!name) continue;
    try {
      return execFileSync(name, ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).split('\n')[0];
    } catch {
      // Not there; the next one may be.
    }
  }
  return undefined;
}

/** Looks at this machine and at the native engine. Changes nothing. */
export function diagnose(probes: Partial<Probes> = {}): Diagnosis {
  const { addon, reason } = (probes.loadAddon ?? loadAddon)();
  const log = (probes.readLog ?? (() => readText(logFile())))();
  const compiler = (probes.findCompiler ?? findCompiler)();
  const platform = probes.platform ?? process.platform;
  const failure = log?.split('\n').find((line) => line.startsWith('failed: '));
  const distribution = probes.distribution ?? readText('/etc/os-release') ?? '';
  return {
    version: packageVersion(),
    node: process.version,
    platform: `${platform} ${process.arch}`,
    cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
    physicalCores: physicalCores(),
    hardwareThreads: os.availableParallelism(),
    memoryBytes: os.totalmem(),
    device: addon ? 'native' : 'wasm',
    native: addon
      ? { available: true, isa: addon.isa, isas: addon.isas }
      : { available: false, reason: failure?.slice('failed: '.length) ?? reason, log: log === undefined ? undefined : logFile() },
    compiler,
    advice: addon ? [] : advise(platform, compiler, distribution),
  };
}

function advise(platform: NodeJS.Platform, compiler: string | undefined, distribution: string): string[] {
  if (platform === 'win32') return ['Use the Windows Subsystem for Linux: the native engine is built on Linux and macOS.'];
  const rebuild = 'Build the engine: npm rebuild fourfold (in a clone of the repository: node backends/native/build.mjs)';
  return compiler ? [rebuild] : [`Install a C++ compiler: ${compilerPackage(platform, distribution)}`, rebuild];
}

function compilerPackage(platform: NodeJS.Platform, distribution: string): string {
  if (platform === 'darwin') return 'xcode-select --install';
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
    `native     ${native.available ? `ready, ${native.isa} (of ${native.isas?.join(', ')})` : `missing: ${native.reason}`}`,
    `compiler   ${diagnosis.compiler ?? 'none found'}`,
    `device     auto is ${diagnosis.device}`,
  ];
  if (native.available) return lines.join('\n');
  lines.push('', 'Without the native engine everything runs on wasm. Training was measured to be 29-37 times slower there.');
  for (const [i, step] of diagnosis.advice.entries()) lines.push(`${i + 1}. ${step}`);
  if (native.log) lines.push(`The log of the build: ${native.log}`);
  return lines.join('\n');
}
