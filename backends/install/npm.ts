import { readFileSync } from 'node:fs';
import fs from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { UserError } from '../../util/errors.js';
import { CommandError, type Machine } from './machine.js';

/** What the packages of a device depend on and find in fourfold's own tree: no second copy is brought, so that there is one tfjs in the process. */
const OURS = ['@tensorflow/tfjs', '@tensorflow/tfjs-core', '@tensorflow/tfjs-backend-cpu'];

/**
 * Installs packages into the folder, without running their scripts.
 * @param packages such as `webgpu@0.6.2`.
 * @throws UserError when npm is not there, or fails.
 */
export async function installPackages(folder: string, packages: readonly string[], machine: Machine): Promise<void> {
  const standIns = path.join(folder, 'ours');
  const overrides: Record<string, string> = {};
  for (const [i, name] of OURS.entries()) {
    const file = createRequire(import.meta.url).resolve(`${name}/package.json`);
    const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: string };
    await fs.mkdir(path.join(standIns, String(i)), { recursive: true });
    await fs.writeFile(path.join(standIns, String(i), 'package.json'), JSON.stringify({ name, version }));
    overrides[name] = `file:./ours/${i}`;
  }
  await fs.writeFile(path.join(folder, 'package.json'), JSON.stringify({ private: true, overrides }));
  const options = ['--ignore-scripts', '--legacy-peer-deps', '--no-audit', '--no-fund', '--no-package-lock', '--loglevel=error'];
  try {
    await machine.run('npm', ['install', ...options, ...packages], { cwd: folder });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    if (error.missing)
      throw new UserError('device install: packages are brought by npm, which is not there. It comes with Node.js: put it on the PATH');
    throw npmError(packages, error);
  }
  for (const name of OURS) await fs.rm(path.join(folder, 'node_modules', name), { recursive: true, force: true });
  await fs.rm(standIns, { recursive: true });
  const dependencies = Object.fromEntries(packages.map((spec) => spec.split(/@(?=\d)/)));
  await fs.writeFile(path.join(folder, 'package.json'), JSON.stringify({ private: true, dependencies }));
}

function npmError(packages: readonly string[], error: CommandError): UserError {
  const reason = /^npm (?:error|ERR!) (?!A complete log)(.+)$/m.exec(error.stderr)?.[1] ?? error.message;
  const space = /ENOSPC/.test(error.stderr) ? 'no space is left on the disk: free some' : "see to npm's registry and network (npm ping)";
  return new UserError(`device install: npm must bring ${packages.join(' and ')}; it failed (${reason}); ${space}, and run it again`, 1, {
    cause: error,
  });
}
