/**
 * Writing that a crash cannot tear: contents go to a hidden neighbour, are synced, and take the place by renaming.
 * The hidden names are `.NAME.tmp-PID` (being written) and `.NAME.old` (complete, about to be replaced).
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import fs from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { writeError } from './errors.js';

const LEFTOVER = /^\.(.+)\.(tmp-\d+|old)$/;
const neighbour = (path: string, suffix: string) => join(dirname(path), `.${basename(path)}.${suffix}`);
const temporaryName = (path: string) => neighbour(path, `tmp-${process.pid}`);
const replacedName = (path: string) => neighbour(path, 'old');

/** Whether something lies at `path`. */
export async function exists(path: string): Promise<boolean> {
  return fs.stat(path).then(
    () => true,
    () => false,
  );
}

/** The code of a system error (`ENOENT`, `ENOSPC`, …), if it is one. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/**
 * Makes a folder, and those on the way to it; it may be there already. Not `mkdir` with `recursive`: where a folder holds none of its own
 * making (/proc), that one does not end.
 * @throws UserError
 */
export async function makeFolder(path: string): Promise<void> {
  const isFolder = async () => (await fs.stat(path).catch(() => undefined))?.isDirectory() ?? false;
  const make = () => fs.mkdir(path).catch(async (error) => ((await isFolder()) ? undefined : Promise.reject(error)));
  try {
    await make();
  } catch (error) {
    if (errorCode(error) !== 'ENOENT' || dirname(path) === path) throw writeError(path, error);
    await makeFolder(dirname(path));
    await make().catch((again) => Promise.reject(writeError(path, again)));
  }
}

/** Creates or replaces a file: a reader sees the old contents or the new, never a part. */
export async function writeFileAtomic(path: string, contents: string | Uint8Array): Promise<void> {
  await makeFolder(dirname(path));
  const temporary = temporaryName(path);
  try {
    await fs.writeFile(temporary, contents);
    await syncFile(temporary);
    await fs.rename(temporary, path);
    await syncDirectory(dirname(path));
  } catch (error) {
    await fs.rm(temporary, { force: true }).catch(() => {});
    throw writeError(path, error);
  }
}

/**
 * Creates or replaces a file that `fill` writes under a temporary name: synced and renamed when it is done, removed when it fails. What
 * processes that are no more left of earlier attempts is removed first.
 */
export async function atomicFile<T>(path: string, fill: (temporary: string) => Promise<T>): Promise<T> {
  await makeFolder(dirname(path));
  await removeOrphans(path);
  const temporary = temporaryName(path);
  try {
    const result = await fill(temporary);
    await syncFile(temporary);
    await fs.rename(temporary, path);
    await syncDirectory(dirname(path));
    return result;
  } catch (error) {
    await fs.rm(temporary, { recursive: true, force: true }).catch(() => {});
    throw error;
  }
}

/** Removes the temporary neighbours of `path`, and of names that begin with it, whose writers are no more. */
export async function removeOrphans(path: string): Promise<void> {
  for (const name of await fs.readdir(dirname(path))) {
    const [, target, kind] = LEFTOVER.exec(name) ?? [];
    if (kind === undefined || kind === 'old' || !target.startsWith(basename(path)) || isRunning(Number(kind.slice(4)))) continue;
    await fs.rm(join(dirname(path), name), { recursive: true, force: true });
  }
}

/** Whether there is a process of this number. */
export function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return errorCode(error) === 'EPERM';
  }
}

/**
 * Creates or replaces a directory: `fill` writes into a temporary one, which is synced and renamed. At any moment the old directory or the
 * new one is complete; between two renames the old one lies under its hidden name, where `settledDirectory` and `cleanLeftovers` find it.
 */
export async function atomicDirectory(path: string, fill: (temporary: string) => Promise<void>): Promise<void> {
  await makeFolder(dirname(path));
  await settle(path);
  const temporary = temporaryName(path);
  try {
    await fs.rm(temporary, { recursive: true, force: true });
    await fs.mkdir(temporary);
    await fill(temporary);
    await takePlace(temporary, path);
  } catch (error) {
    await settle(path).catch(() => {});
    await fs.rm(temporary, { recursive: true, force: true }).catch(() => {});
    throw error;
  }
}

/** Puts a complete directory in the place of `path`, which may exist: at any moment the old one or the new one is there, as above. */
export async function replaceDirectory(complete: string, path: string): Promise<void> {
  await settle(path);
  try {
    await takePlace(complete, path);
  } catch (error) {
    await settle(path).catch(() => {});
    throw error;
  }
}

async function takePlace(complete: string, path: string): Promise<void> {
  await syncTree(complete);
  if (await exists(path)) await fs.rename(path, replacedName(path));
  await fs.rename(complete, path);
  await syncDirectory(dirname(path));
  await fs.rm(replacedName(path), { recursive: true, force: true });
}

/** Removes a directory so that an interruption leaves a hidden leftover, not a directory with half of its files. */
export async function removeDirectory(path: string): Promise<void> {
  const hidden = temporaryName(path);
  await fs.rm(hidden, { recursive: true, force: true });
  await fs.rename(path, hidden);
  await fs.rm(hidden, { recursive: true, force: true });
}

/** Where the directory meant by `path` lies: at `path`, or under its hidden name when a replacement was interrupted between two renames. */
export async function settledDirectory(path: string): Promise<string> {
  return !(await exists(path)) && (await exists(replacedName(path))) ? replacedName(path) : path;
}

/** Clears what interrupted writes left in `directory`. Only for its owner: another process may be writing. */
export async function cleanLeftovers(directory: string): Promise<void> {
  for (const name of await fs.readdir(directory)) {
    const [, target, kind] = LEFTOVER.exec(name) ?? [];
    if (kind === 'old') await settle(join(directory, target));
    else if (kind) await fs.rm(join(directory, name), { recursive: true, force: true });
  }
}

/** SHA-256 of a file in hex, read piece by piece. */
export async function sha256File(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk);
  return hash.digest('hex');
}

/** Undoes or completes a replacement of `path` that was interrupted. */
async function settle(path: string): Promise<void> {
  const replaced = replacedName(path);
  if (!(await exists(replaced))) return;
  if (await exists(path)) await fs.rm(replaced, { recursive: true, force: true });
  else await fs.rename(replaced, path);
}

/** Sees to it that a file's contents survive a loss of power. */
export async function syncFile(path: string): Promise<void> {
  const handle = await fs.open(path, 'r+');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return; // a directory cannot be opened there
  const handle = await fs.open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function syncTree(path: string): Promise<void> {
  for (const entry of await fs.readdir(path, { withFileTypes: true })) {
    await (entry.isDirectory() ? syncTree : syncFile)(join(path, entry.name));
  }
  await syncDirectory(path);
}
