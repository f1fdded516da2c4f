/** manifest.json: size and SHA-256 of every file of a checkpoint. A checkpoint whose manifest verifies is whole. */
import fs from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode, sha256File } from '../util/files.js';

interface Manifest {
  version: 1;
  files: Record<string, { bytes: number; sha256: string }>;
}

const MANIFEST = 'manifest.json';

/** Writes the manifest of all files that lie in `directory`. */
export async function writeManifest(directory: string): Promise<void> {
  const manifest: Manifest = { version: 1, files: {} };
  for (const name of (await fs.readdir(directory)).sort()) {
    const path = join(directory, name);
    manifest.files[name] = { bytes: (await fs.stat(path)).size, sha256: await sha256File(path) };
  }
  await fs.writeFile(join(directory, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`);
}

/** What is wrong with the checkpoint in `directory`: nothing when its manifest verifies. */
export async function verifyCheckpoint(directory: string): Promise<string[]> {
  let files: Manifest['files'];
  try {
    files = (JSON.parse(await fs.readFile(join(directory, MANIFEST), 'utf8')) as Manifest).files;
    if (Object.keys(files).length === 0) return [`${MANIFEST} lists no files`];
  } catch (error) {
    return [errorCode(error) === 'ENOENT' ? `${MANIFEST} is missing` : `${MANIFEST} cannot be read (${(error as Error).message})`];
  }
  const problems: string[] = [];
  for (const [name, expected] of Object.entries(files)) {
    const path = join(directory, name);
    const bytes = await fs.stat(path).then(
      (stat) => stat.size,
      () => undefined,
    );
    if (bytes === undefined) problems.push(`${name} is missing`);
    else if (bytes !== expected.bytes) problems.push(`${name} has ${bytes} bytes, the manifest says ${expected.bytes}`);
    else if ((await sha256File(path)) !== expected.sha256) problems.push(`${name} does not have the SHA-256 in the manifest`);
  }
  return problems;
}
