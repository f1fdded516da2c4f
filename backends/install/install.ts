import fs from 'node:fs/promises';
import path from 'node:path';
import { UserError } from '../../util/errors.js';
import { atomicDirectory, exists, makeFolder, removeDirectory, removeOrphans } from '../../util/files.js';
import { lockFile } from '../../util/lock.js';
import { deviceFolder } from '../packages.js';
import { type Machine, thisMachine } from './machine.js';
import { reportTo } from './report.js';
import { fillTensorflow, type Source, tensorflowPackages } from './tensorflow.js';
import { fillWebgpu, WEBGPU_PACKAGES } from './webgpu.js';

/** Devices whose packages are not installed with fourfold. */
export const INSTALLABLE = ['tensorflow', 'webgpu'] as const;
export type Installable = (typeof INSTALLABLE)[number];

export interface InstallOptions {
  /** tensorflow: the package for NVIDIA GPUs. */
  gpu?: boolean;
  /** tensorflow: where libtensorflow comes from. */
  source?: Source;
  /** Again, even where it is installed. */
  force?: boolean;
  /** Hears what is done. */
  say?: (line: string) => void;
  /** Another folder than the device's own. */
  folder?: string;
  machine?: Machine;
}

/** What was installed, as it lies beside it in install.json. */
interface Installed {
  packages: string[];
  /** What it said of itself when it was tried. */
  proof: string;
}

/**
 * Installs a device's packages into a folder of their own: written aside, tried, and put in place when they compute. What is installed already is left
 * as it is; downloads of an attempt that failed are used by the next one.
 * @returns whether anything was installed, and what there is now.
 * @throws UserError that names what is missing: a compiler, pip, space, the platform, the network.
 */
export async function installDevice(device: Installable, options: InstallOptions = {}): Promise<{ fresh: boolean; proof: string }> {
  const { gpu = false, source, force = false, say = () => {}, folder = deviceFolder(device), machine = thisMachine } = options;
  if (device === 'webgpu' && (gpu || source)) {
    throw new UserError('device install: --gpu and --source are for tensorflow; webgpu uses a GPU anyway. Leave them out');
  }
  const packages = device === 'webgpu' ? WEBGPU_PACKAGES : tensorflowPackages(gpu);
  const downloads = path.join(path.dirname(folder), `.${path.basename(folder)}.downloads`);
  await makeFolder(path.dirname(folder));
  const release = await lockFile(path.join(path.dirname(folder), `.${path.basename(folder)}.lock`), (owner) => {
    return new UserError(`device install: process ${owner} is installing ${device}. Wait until it is done`);
  });
  try {
    const there = force ? undefined : await readInstalled(folder);
    if (there && there.packages.join() === packages.join()) return { fresh: false, proof: there.proof };
    await removeOrphans(folder);
    let proof = '';
    await atomicDirectory(folder, async (temporary) => {
      const report = reportTo(say);
      proof =
        device === 'webgpu'
          ? await fillWebgpu(temporary, machine, report)
          : await fillTensorflow(temporary, downloads, { gpu, source }, machine, report);
      const installed: Installed = { packages, proof };
      await fs.writeFile(path.join(temporary, 'install.json'), `${JSON.stringify(installed, null, 2)}\n`);
    });
    await fs.rm(downloads, { recursive: true, force: true });
    return { fresh: true, proof };
  } finally {
    await release();
  }
}

async function readInstalled(folder: string): Promise<Installed | undefined> {
  const text = await fs.readFile(path.join(folder, 'install.json'), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as Installed);
}

/** Removes what `installDevice` put there, and kept downloads. @returns whether there was anything. */
export async function removeDevice(device: Installable, folder = deviceFolder(device)): Promise<boolean> {
  const downloads = path.join(path.dirname(folder), `.${path.basename(folder)}.downloads`);
  const installed = await exists(folder);
  const begun = await exists(downloads);
  if (installed) await removeDirectory(folder);
  await fs.rm(downloads, { recursive: true, force: true });
  return installed || begun;
}

/** Bytes of all files below a folder; a link counts as nothing. */
export async function bytesBelow(folder: string): Promise<number> {
  let bytes = 0;
  for (const entry of await fs.readdir(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) bytes += (await fs.stat(path.join(entry.parentPath ?? entry.path, entry.name))).size;
  }
  return bytes;
}
