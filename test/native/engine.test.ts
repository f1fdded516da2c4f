import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { packageRoot } from '../../util/package-root.js';

interface EngineFiles {
  libcOf(platform: string, report: () => { header: { glibcVersionRuntime?: string } }): string | undefined;
  prebuiltFile(root: string, platform: string, arch: string, libc?: string): string;
}
const files = createRequire(import.meta.url)('../../backends/native/prebuilt.cjs') as EngineFiles;

describe('the prebuilt engine', () => {
  it('is one file for each platform, architecture and, on Linux, C library', () => {
    const at = (...parts: string[]) => path.join('/x', 'prebuilds', ...parts);
    assert.equal(files.prebuiltFile('/x', 'linux', 'arm64', 'glibc'), at('linux-arm64', 'fourfold.glibc.node'));
    assert.equal(files.prebuiltFile('/x', 'linux', 'x64', 'musl'), at('linux-x64', 'fourfold.musl.node'));
    assert.equal(files.prebuiltFile('/x', 'darwin', 'arm64'), at('darwin-arm64', 'fourfold.node'));
  });

  it('is never one of another C library', () => {
    assert.equal(
      files.libcOf('linux', () => ({ header: { glibcVersionRuntime: '2.36' } })),
      'glibc',
    );
    assert.equal(
      files.libcOf('linux', () => ({ header: {} })),
      'musl',
    );
    assert.equal(
      files.libcOf('win32', () => assert.fail('is not asked')),
      undefined,
    );
  });
});

describe('the engine without Node.js', () => {
  it('passes its own tests: calls, handles, heap, plans, threads', function () {
    this.timeout(300_000);
    const compiler = ['c++', 'g++', 'clang++'].find((name) => spawnSync(name, ['--version']).status === 0);
    if (!compiler) {
      console.warn('      skipped: no C++ compiler');
      return this.skip();
    }
    const folder = mkdtempSync(path.join(os.tmpdir(), 'fourfold-engine-'));
    try {
      const program = path.join(folder, 'direct');
      const engine = ['binding', 'memory', 'plan', 'pool'].map((name) =>
        path.join(packageRoot(), 'backends', 'native', 'cpp', `${name}.cc`),
      );
      const flags = ['-std=c++17', '-O1', '-Wall', '-Wextra', '-Werror', '-pthread'];
      execFileSync(compiler, [...flags, '-o', program, ...engine, path.join(packageRoot(), 'test', 'native', 'direct.cc')], {
        encoding: 'utf8',
      });
      const run = spawnSync(program, { encoding: 'utf8' });
      assert.equal(run.status, 0, `${run.stdout}${run.stderr}`);
      assert.match(run.stdout, /^[1-9]\d* tests, 0 failed$/m);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
