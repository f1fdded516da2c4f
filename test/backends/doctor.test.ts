import assert from 'node:assert/strict';
import { describe as describeDiagnosis, diagnose, type Probes } from '../../backends/doctor.js';
import type { NativeAddon } from '../../backends/native/addon.js';

const REBUILD = 'Build the engine: npm rebuild fourfold (in a clone of the repository: node backends/native/build.mjs)';
const missing: Probes = {
  loadAddon: () => ({ reason: 'Cannot find module' }),
  findCompiler: () => undefined,
  readLog: () => undefined,
  platform: 'linux',
  distribution: 'ID=debian\n',
};

describe('doctor', () => {
  it('advises nothing where the native engine is ready', () => {
    const addon = { isa: 'avx2', isas: ['portable', 'avx2'] } as NativeAddon;
    const diagnosis = diagnose({ ...missing, loadAddon: () => ({ addon }) });
    assert.deepEqual(diagnosis.native, { available: true, isa: 'avx2', isas: ['portable', 'avx2'] });
    assert.deepEqual([diagnosis.device, diagnosis.advice], ['native', []]);
    assert.match(describeDiagnosis(diagnosis), /^native {5}ready, avx2 \(of portable, avx2\)$/m);
  });

  it('says what is missing, what it costs and how to get it', () => {
    const diagnosis = diagnose(missing);
    assert.deepEqual(diagnosis.advice, ['Install a C++ compiler: apt install g++', REBUILD]);
    const text = describeDiagnosis(diagnosis);
    assert.match(text, /^native {5}missing: Cannot find module$/m);
    assert.match(text, /29-37 times slower/);
    assert.match(text, /^1\. Install a C\+\+ compiler: apt install g\+\+\n2\. Build the engine/m);
  });

  it('knows the way to a compiler on each system', () => {
    const advice = (platform: NodeJS.Platform, distribution: string) => diagnose({ ...missing, platform, distribution }).advice[0];
    assert.match(advice('darwin', ''), /xcode-select --install$/);
    assert.match(advice('linux', 'NAME=Rocky\nID="rocky"\nID_LIKE="rhel centos fedora"'), /dnf install gcc-c\+\+$/);
    assert.match(advice('linux', 'ID=alpine'), /apk add g\+\+$/);
    assert.match(advice('linux', ''), /apt install g\+\+$/);
    assert.match(advice('win32', ''), /Subsystem for Linux/);
  });

  it('gives the reason of a failed build and where its log lies', () => {
    const readLog = () => 'compiler: g++: 12\nfailed: g++ failed on gemm.cc:\nmore\n';
    const diagnosis = diagnose({ ...missing, readLog, findCompiler: () => 'g++ 12' });
    assert.equal(diagnosis.native.reason, 'g++ failed on gemm.cc:');
    assert.match(diagnosis.native.log ?? '', /build\.log$/);
    assert.deepEqual(diagnosis.advice, [REBUILD]);
  });

  it('describes this machine', () => {
    const diagnosis = diagnose();
    assert.equal(JSON.parse(JSON.stringify(diagnosis)).platform, `${process.platform} ${process.arch}`);
    assert.ok(diagnosis.physicalCores >= 1 && diagnosis.memoryBytes > 0 && diagnosis.cpu !== '');
  });
});
