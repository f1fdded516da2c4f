import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { type Zippable, zipSync } from 'fflate';
import { unpackMembers } from '../../../backends/install/zip.js';

describe('unpacking a zip archive', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await fs.mkdtemp(path.join(os.tmpdir(), 'fourfold-zip-'));
  });
  afterEach(() => fs.rm(folder, { recursive: true }));

  it('brings the chosen members, stored or deflated, and leaves the others', async () => {
    const long = new Uint8Array(300_000).map((_, i) => i % 251);
    const archive = path.join(folder, 'a.zip');
    const members: Zippable = {
      'lib/stored.so': [long, { level: 0 }],
      'lib/deflated.so': [long, { level: 6 }],
      'lib/empty.so': new Uint8Array(0),
    };
    await fs.writeFile(archive, zipSync({ ...members, other: long }));
    const place = (name: string) => (name.endsWith('.so') ? path.join(folder, 'out', path.basename(name)) : undefined);
    assert.equal(await unpackMembers(archive, place), 3);
    assert.deepEqual((await fs.readdir(path.join(folder, 'out'))).sort(), ['deflated.so', 'empty.so', 'stored.so']);
    for (const name of ['stored.so', 'deflated.so'])
      assert.deepEqual(new Uint8Array(await fs.readFile(path.join(folder, 'out', name))), long);
    assert.equal((await fs.stat(path.join(folder, 'out', 'empty.so'))).size, 0);
  });

  it('says what is no archive', async () => {
    const archive = path.join(folder, 'a.zip');
    await fs.writeFile(archive, 'not a zip archive');
    await assert.rejects(
      unpackMembers(archive, () => undefined),
      { name: 'UserError', message: /must be a zip archive/ },
    );
  });
});
