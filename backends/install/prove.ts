import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UserError } from '../../util/errors.js';
import { besides } from '../../util/workers.js';
import { CommandError, type Machine } from './machine.js';

/**
 * Computes with what was installed into the folder, in a process of its own.
 * @returns what it said of itself.
 * @throws UserError when it does not load, or computes what is wrong.
 */
export async function prove(device: 'tensorflow' | 'webgpu', folder: string, machine: Machine): Promise<string> {
  const entry = fileURLToPath(besides(import.meta.url, './proof'));
  const loader = extname(entry) === '.ts' ? ['--import', import.meta.resolve('tsx')] : [];
  try {
    return (await machine.run(process.execPath, [...loader, entry, device, folder])).trim();
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new UserError(`device install: what was installed must compute; it failed (${reasonOf(error)})`, 1, { cause: error });
  }
}

/** Of an uncaught error the line with its message. */
function reasonOf({ stderr, message }: CommandError): string {
  return /^\w*Error: .+$/m.exec(stderr)?.[0] ?? message;
}
