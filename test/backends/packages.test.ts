import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { deviceFolder, findPackage, sharesTfjs } from '../../backends/packages.js';
import { packageRoot } from '../../util/package-root.js';

describe('packages of devices', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await fs.mkdtemp(path.join(os.tmpdir(), 'fourfold-packages-'));
  });
  afterEach(() => fs.rm(folder, { recursive: true }));

  it('are found where fourfold finds its own', () => {
    assert.equal(deviceFolder('it'), path.join(packageRoot(), 'build', 'devices', 'it'));
    assert.match(findPackage('it', '@tensorflow/tfjs-core') ?? '', /tfjs-core/);
    assert.equal(findPackage('it', 'fourfold-has-no-such-package'), undefined);
  });

  it('share tfjs when they lie below us, not when they bring their own or have none', async () => {
    assert.equal(sharesTfjs(path.join(deviceFolder('it'), 'node_modules', 'some', 'index.js')), true);
    const file = path.join(folder, 'index.js');
    assert.equal(sharesTfjs(file), false);
    const own = path.join(folder, 'node_modules', '@tensorflow', 'tfjs-core');
    await fs.mkdir(own, { recursive: true });
    await fs.writeFile(path.join(own, 'package.json'), JSON.stringify({ main: 'core.js' }));
    await fs.writeFile(path.join(own, 'core.js'), '');
    assert.equal(sharesTfjs(file), false);
  });
});
