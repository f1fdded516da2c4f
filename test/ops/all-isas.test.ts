import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { nativeMissing } from '../../backends/device.js';
import { loadAddon } from '../../backends/native/addon.js';
import { packageRoot } from '../../util/package-root.js';

/** Instruction sets that differ from AVX-512 in how they multiply bfloat16, and in nothing else. */
const AS_AVX512 = ['amx', 'avx512_bf16'];
const MULTIPLIES = /^(linear|matmul|gemm)/;

const kernelsOf = (isa: string) => (AS_AVX512.includes(isa) ? 'avx512' : isa);

/** The other test files of this folder again, on native alone, with each instruction set that this processor has besides the one in use. */
describe('ops on the other instruction sets', () => {
  const addon = loadAddon().addon;
  if (process.env.FOURFOLD_ISA) return; // one was asked for by name: this may be such a run
  if (!addon) {
    it('pass every test of native', function () {
      console.warn(`      the other instruction sets are skipped: ${nativeMissing()}`);
      this.skip();
    });
    return;
  }
  const folder = path.join(packageRoot(), 'test', 'ops');
  const files = readdirSync(folder).filter((name) => name.endsWith('.test.ts') && name !== 'all-isas.test.ts');
  const tested = new Set([kernelsOf(addon.isa)]);
  for (const isa of addon.isas.filter((name) => name !== addon.isa)) {
    const own = tested.has(kernelsOf(isa)) ? files.filter((name) => MULTIPLIES.test(name)) : files;
    tested.add(kernelsOf(isa));
    if (own.length === 0) continue;
    it(`pass the tests of native: ${isa}, ${own.length} files`, function () {
      this.timeout(600_000);
      const mocha = path.join(packageRoot(), 'node_modules', 'mocha', 'bin', 'mocha.js');
      const options = ['--no-config', '--node-option', 'import=tsx', '--timeout', '120000', '--reporter', 'dot', '--fgrep', '[native]'];
      const run = spawnSync(process.execPath, [mocha, ...options, ...own.map((name) => path.join(folder, name))], {
        env: { ...process.env, FOURFOLD_ISA: isa, FOURFOLD_TEST_DEVICES: 'native' },
        encoding: 'utf8',
        cwd: packageRoot(),
      });
      assert.equal(run.status, 0, `${run.stdout}${run.stderr}`.slice(-4000));
      assert.match(run.stdout, /[1-9]\d* passing/);
    });
  }
});
