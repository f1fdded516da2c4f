/** A file that says which process writes something, so that two cannot. What a dead process left is taken over. */
import fs from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { writeError } from './errors.js';
import { errorCode, isRunning } from './files.js';

const held = new Set<string>(); // by this process: after a restart, a container gives another process the same number

/**
 * Takes the lock; the function returned gives it back.
 * @param taken the error to throw when the process `owner` has it.
 */
export async function lockFile(file: string, taken: (owner: number) => Error): Promise<() => Promise<void>> {
  const path = resolve(file);
  while (!(await create(path))) {
    const owner = await readOwner(path);
    if (owner !== undefined && isAlive(owner, path)) throw taken(owner);
    await removeStale(path, owner);
  }
  held.add(path);
  return async () => {
    held.delete(path);
    await fs.rm(path, { force: true });
  };
}

async function create(path: string): Promise<boolean> {
  try {
    await fs.writeFile(path, `${process.pid}\n`, { flag: 'wx' });
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    if (errorCode(error) === 'ENOSPC') await fs.rm(path, { force: true }); // made, and empty
    throw writeError(path, error);
  }
}

/** The process number in the lock; undefined when there is none, even after the moment that writing it takes. */
async function readOwner(path: string): Promise<number | undefined> {
  for (const waitMs of [0, 200]) {
    await setTimeout(waitMs);
    const owner = Number.parseInt(await fs.readFile(path, 'utf8').catch(() => ''), 10);
    if (owner > 0) return owner;
  }
  return undefined;
}

function isAlive(owner: number, path: string): boolean {
  return owner === process.pid ? held.has(path) : isRunning(owner);
}

/** Removes the lock of `owner`, unless another process has just done so and taken it. */
async function removeStale(path: string, owner: number | undefined): Promise<void> {
  const aside = `${path}.${process.pid}`;
  try {
    await fs.rename(path, aside);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return;
    throw error;
  }
  const found = await readOwner(aside);
  if (found !== owner) await fs.rename(aside, path);
  else await fs.rm(aside);
}
