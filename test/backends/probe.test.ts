import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import * as tf from '@tensorflow/tfjs';
import { useDevice } from '../../backends/device.js';
import {
  fastest,
  isMeasured,
  type Measured,
  type Probe,
  probesOfThisMachine,
  rememberProbes,
  SIZES,
  tokensPerSecond,
} from '../../backends/probe.js';
import { temporaryFolder } from '../datasets/temporary.js';

const measured = (device: Measured['device'], gflops: number): Measured => ({
  ...{ device, on: 'something', gflops, gigabytesPerSecond: 10, callMicroseconds: 10, precisions: ['fp32'] },
});
const absent: Probe = { device: 'tensorflow', missing: 'it is not installed' };

describe('the probe of the devices', () => {
  const at = temporaryFolder();
  const before = process.env.FOURFOLD_CACHE;
  beforeEach(async () => {
    process.env.FOURFOLD_CACHE = at('cache');
    await fs.rm(at('cache'), { recursive: true, force: true });
  });
  after(() => {
    if (before === undefined) delete process.env.FOURFOLD_CACHE;
    else process.env.FOURFOLD_CACHE = before;
  });

  it('estimates by hand-computed arithmetic, traffic and calls', () => {
    const size = { name: 'by hand', layers: 1, width: 64, vocabulary: 10, context: 2, batchTokens: 4 };
    // 6·(12·64² + 640) + 12·64·2 operations; 60·64 + 100 numbers; no calls that cost something.
    const seconds = (6 * (12 * 4096 + 640) + 1536) / 1e11 + (4 * (60 * 64 + 100)) / 1e10;
    assert.ok(Math.abs(tokensPerSecond(measured('native', 100), size) * seconds - 1) < 1e-12);
  });

  it('takes the fastest by its estimate, whatever its name', () => {
    assert.equal(fastest([measured('native', 100), absent, measured('wasm', 1)])?.device, 'native');
    assert.equal(fastest([measured('native', 1), absent, measured('wasm', 100)])?.device, 'wasm');
    assert.equal(fastest([absent]), undefined);
    for (const size of SIZES) assert.ok(tokensPerSecond(measured('native', 200), size) > tokensPerSecond(measured('native', 100), size));
  });

  it('is remembered for this machine, and `auto` goes by it', async () => {
    const probes = [measured('native', 1), measured('wasm', 1e6), absent];
    await rememberProbes(probes, 2);
    assert.deepEqual(await probesOfThisMachine(2), probes);
    const said: string[] = [];
    const { device } = await useDevice('auto', { threads: 2, warn: (text) => said.push(text) });
    assert.equal(device, 'wasm');
    assert.equal(tf.getBackend(), 'wasm');
    assert.match(said.join(), /running on wasm, the fastest that is here/);
  });

  it('measures anew where what is remembered cannot be read, or is of another number of threads', async function () {
    this.timeout(300_000);
    await rememberProbes([measured('native', 1)], 3);
    const said: string[] = [];
    const probes = await probesOfThisMachine(2, (text) => said.push(text));
    assert.match(said.join(), /measuring what this machine can compute with, once/);
    const wasm = probes.find(({ device }) => device === 'wasm')!;
    assert.ok(isMeasured(wasm) && wasm.gflops > 0 && wasm.gigabytesPerSecond > 0 && wasm.callMicroseconds > 0, JSON.stringify(wasm));
    assert.equal(probes.length, 4);
    assert.deepEqual(await probesOfThisMachine(2), probes);
    await fs.writeFile(at('cache/devices.json'), '{');
    await rememberProbes(probes, 2);
    assert.deepEqual(await probesOfThisMachine(2), probes);
  });
});
