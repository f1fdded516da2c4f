import os from 'node:os';
import path from 'node:path';

/** Where this user's programs keep what can be made again: FOURFOLD_CACHE, else the system's own place for it. */
export function cacheFolder(): string {
  const { FOURFOLD_CACHE, XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  if (FOURFOLD_CACHE) return FOURFOLD_CACHE;
  if (process.platform === 'darwin') return path.join(os.homedir(), 'Library', 'Caches', 'fourfold');
  if (process.platform === 'win32' && LOCALAPPDATA) return path.join(LOCALAPPDATA, 'fourfold');
  return path.join(XDG_CACHE_HOME || path.join(os.homedir(), '.cache'), 'fourfold');
}
