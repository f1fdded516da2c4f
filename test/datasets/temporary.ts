import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';

/** A folder that is there for the length of a test file's suite. Call it in a `describe`. */
export function temporaryFolder(): (name?: string) => string {
  let folder = '';
  before(async () => {
    folder = await fs.mkdtemp(path.join(os.tmpdir(), 'fourfold-'));
  });
  after(() => fs.rm(folder, { recursive: true, force: true }));
  return (name = '') => path.join(folder, name);
}
