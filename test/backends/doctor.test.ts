import assert from 'node:assert/strict';
import path from 'node:path';
import { describe as describeDiagnosis, diagnose, type Probes } from '../../backends/doctor.js';
import type { NativeAddon } from '../../backends/native/addon.js';
import type { Measured } from '../../backends/probe.js';
import { packageRoot } from '../../util/package-root.js';

const REBUILD = 'Build the engine: npm rebuild fourfold (in a clone of the repository: node backends/native/build.mjs)';
const native: Measured = {
  ...{ device: 'native', on: 'avx2', gflops: 100, gigabytesPerSecond: 10, callMicroseconds: 5, memoryBytes: 2 ** 34, precisions: ['fp32'] },
};
const missing: Probes = {
  loadAddon: () => ({ reason: 'Cannot find module' }),
  probeDevices: async () => [
    { device: 'native', missing: 'no compiler' },
    { device: 'webgpu', missing: 'webgpu is not installed' },
    { ...native, device: 'wasm', on: 'one thread', gflops: 3 },
  ],
  findCompiler: () => undefined,
  readLog: () => undefined,
  platform: 'linux',
  distribution: 'ID=debian\n',
};

describe('doctor', () => {
  it('advises nothing where the native engine is ready', async () => {
    const addon = { isa: 'avx2', isas: ['portable', 'avx2'] } as NativeAddon;
    const found = { addon, file: path.join(packageRoot(), 'build', 'fourfold.node') };
    const diagnosis = await diagnose({ ...missing, loadAddon: () => found, probeDevices: async () => [native] });
    assert.deepEqual(diagnosis.native, {
      available: true,
      isa: 'avx2',
      isas: ['portable', 'avx2'],
      file: path.join('build', 'fourfold.node'),
    });
    assert.deepEqual([diagnosis.device, diagnosis.advice], ['native', []]);
    assert.match(describeDiagnosis(diagnosis), /^device {5}auto is native$/m);
    assert.match(describeDiagnosis(diagnosis), /^native {5}ready, avx2 \(of portable, avx2\), build.fourfold\.node$/m);
  });

  it('says what is missing, what it costs and how to get it', async () => {
    const diagnosis = await diagnose(missing);
    assert.deepEqual(diagnosis.advice.slice(0, 2), ['Install a C++ compiler: apt install g++', REBUILD]);
    assert.match(diagnosis.advice[2], /device install webgpu/);
    const text = describeDiagnosis(diagnosis);
    assert.match(text, /^native {5}missing: Cannot find module$/m);
    assert.match(text, /29-37 times slower/);
    assert.match(text, /^1\. Install a C\+\+ compiler: apt install g\+\+\n2\. Build the engine/m);
  });

  it('knows the way to a compiler on each system', async () => {
    const advice = async (platform: NodeJS.Platform, distribution: string) =>
      (await diagnose({ ...missing, platform, distribution })).advice[0];
    assert.match(await advice('darwin', ''), /xcode-select --install$/);
    assert.match(await advice('linux', 'NAME=Rocky\nID="rocky"\nID_LIKE="rhel centos fedora"'), /dnf install gcc-c\+\+$/);
    assert.match(await advice('linux', 'ID=alpine'), /apk add g\+\+$/);
    assert.match(await advice('linux', ''), /apt install g\+\+$/);
    assert.match(await advice('win32', ''), /winget install zig\.zig \(or use the Windows Subsystem for Linux/);
  });

  it('gives the reason of a failed build and where its log lies', async () => {
    const readLog = () => 'compiler: g++: 12\nfailed: g++ failed on gemm.cc:\nmore\n';
    const diagnosis = await diagnose({ ...missing, readLog, findCompiler: () => 'g++ 12' });
    assert.equal(diagnosis.native.reason, 'g++ failed on gemm.cc:');
    assert.match(diagnosis.native.log ?? '', /build\.log$/);
    assert.equal(diagnosis.advice[0], REBUILD);
  });

  it('shows what each device does, and of the others why they are not there', async () => {
    const diagnosis = await diagnose(missing);
    assert.equal(diagnosis.device, 'wasm');
    const text = describeDiagnosis(diagnosis);
    assert.match(text, /^device +on +GFLOP\/s +GB\/s +µs a call +memory +precision +4L\/128/m);
    assert.match(text, /^wasm +one thread +3\.0 +10 +5\.0 +16 GiB +fp32 +\d/m);
    assert.match(text, /^webgpu +not here: webgpu is not installed$/m);
  });

  it('describes this machine', async () => {
    const diagnosis = await diagnose({ probeDevices: async () => [native] });
    assert.equal(JSON.parse(JSON.stringify(diagnosis)).platform, `${process.platform} ${process.arch}`);
    assert.ok(diagnosis.physicalCores >= 1 && diagnosis.memoryBytes > 0 && diagnosis.cpu !== '');
  });
});
