import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { nativeMissing } from '../../backends/device.js';
import { loadAddon } from '../../backends/native/addon.js';
import { packageRoot } from '../../util/package-root.js';

const SELF = 'all-isas.test.ts';

/** The other test files of this folder are run again, on native alone, with each instruction set that this processor has besides the one in use. */
describe('ops on the other instruction sets', () => {
  const addon = loadAddon().addon;
  if (!addon) {
    it('are skipped', function () {
      console.warn(`      instruction sets are skipped: ${nativeMissing()}`);
      this.skip();
    });
    return;
  }
  if (process.env.FOURFOLD_ISA) return; // one was asked for by name: this may be such a run
  for (const isa of addon.isas.filter((name) => name !== addon.isa)) {
    it(`pass every test of native: ${isa}`, function () {
      this.timeout(600_000);
      const folder = path.join(packageRoot(), 'test', 'ops');
      const files = readdirSync(folder).filter((name) => name.endsWith('.test.ts') && name !== SELF);
      const mocha = path.join(packageRoot(), 'node_modules', 'mocha', 'bin', 'mocha.js');
      const options = ['--no-config', '--node-option', 'import=tsx', '--timeout', '120000', '--reporter', 'dot', '--fgrep', '[native]'];
      const run = spawnSync(process.execPath, [mocha, ...options, ...files.map((name) => path.join(folder, name))], {
        env: { ...process.env, FOURFOLD_ISA: isa, FOURFOLD_TEST_DEVICES: 'native' },
        encoding: 'utf8',
        cwd: packageRoot(),
      });
      assert.equal(run.status, 0, `${run.stdout}${run.stderr}`.slice(-4000));
      assert.match(run.stdout, /[1-9]\d* passing/);
    });
  }
});
