/**
 * Real installs, over the network: `npm run test:install`. Some minutes and 1.5 GB of disk. What is installed already stays as it is.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs/promises';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { installDevice, removeDevice } from '../../backends/install/install.js';
import { exists } from '../../util/files.js';
import { packageRoot } from '../../util/package-root.js';

// Inside this package, so that what is installed finds the one tfjs.
const root = path.join(packageRoot(), 'build', 'test-devices');
const say = (line: string) => console.log(`      ${line}`);

describe('device install, for real', function () {
  this.timeout('15m');
  after(() => fs.rm(root, { recursive: true, force: true }));

  it('installs webgpu, and finds it installed the second time', async () => {
    const folder = path.join(root, 'webgpu');
    const { fresh, proof } = await installDevice('webgpu', { folder, say });
    assert.equal(fresh, true);
    assert.match(proof, /^Dawn starts/);
    assert.deepEqual(await installDevice('webgpu', { folder }), { fresh: false, proof });
    assert.deepEqual(await fs.readdir(path.join(folder, 'node_modules', '@tensorflow')), ['tfjs-backend-webgpu']);
  });

  it('installs tensorflow from the Python registry after it was killed in the middle, with what was brought before', async () => {
    const folder = path.join(root, 'tensorflow');
    const downloads = path.join(root, '.tensorflow.downloads');
    await killOnce(start(folder), async () => (await fs.readdir(downloads).catch(() => [])).some((name) => name.endsWith('.whl')));
    const lines: string[] = [];
    const hear = (line: string) => {
      say(line);
      lines.push(line);
    };
    const { fresh, proof } = await installDevice('tensorflow', { folder, source: 'wheel', say: hear });
    assert.deepEqual([fresh, proof], [true, 'libtensorflow 2.15.1 on the CPU']);
    assert.ok(lines.some((line) => /is there from an earlier attempt/.test(line)));
    assert.deepEqual(
      (await fs.readdir(root)).filter((name) => name.includes('tensorflow')),
      ['tensorflow'],
    );
    assert.equal(await removeDevice('tensorflow', folder), true);
    assert.equal(await exists(folder), false);
  });
});

/** An install in a process of its own. */
function start(folder: string): ChildProcess {
  const program = `
    import { installDevice } from './backends/install/install.ts';
    await installDevice('tensorflow', { folder: ${JSON.stringify(folder)}, source: 'wheel' });`;
  return spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', program], { cwd: packageRoot(), stdio: 'inherit' });
}

async function killOnce(child: ChildProcess, ready: () => Promise<boolean>): Promise<void> {
  const ended = new Promise((resolve) => child.on('close', resolve));
  while (!(await ready())) {
    assert.equal(child.exitCode, null, 'the install goes on');
    await setTimeout(100);
  }
  child.kill('SIGKILL');
  await ended;
}
