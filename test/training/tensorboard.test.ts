import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32c, TensorBoardWriter, tfRecord } from '../../training/tensorboard.js';

describe('a TensorBoard event file', () => {
  let directory: string;
  let path: string;
  beforeEach(async () => {
    directory = await fs.mkdtemp(join(tmpdir(), 'fourfold-'));
    path = join(directory, 'tensorboard', 'events.out.tfevents.fourfold');
  });
  afterEach(() => fs.rm(directory, { recursive: true }));

  async function write(keepThrough: number, steps: number[]): Promise<Buffer> {
    const writer = await TensorBoardWriter.open(path, keepThrough);
    for (const step of steps) writer.write(step, { loss: step / 2 });
    writer.close();
    return fs.readFile(path);
  }

  it("uses CRC-32C: RFC 3720's vectors", () => {
    assert.equal(crc32c(new Uint8Array(32)), 0x8a9136aa);
    assert.equal(crc32c(new Uint8Array(32).fill(255)), 0x62a8ab43);
    assert.equal(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e);
    assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283);
  });

  it('frames a record as TensorBoard does', () => {
    // python test/oracles/tensorboard_events.py frame 1a0d627261696e2e4576656e743a32
    const framed = '0f000000000000006d532b091a0d627261696e2e4576656e743a32fc985129';
    assert.equal(tfRecord(Buffer.from('1a0d627261696e2e4576656e743a32', 'hex')).toString('hex'), framed);
  });

  it('is, but for the clock, byte for byte what the protocol says', async () => {
    const [version, scalar] = records(await write(-1, [300]));
    const hex = (text: string) => Buffer.from(text).toString('hex');
    assert.equal(version[0], 0x09); // field 1, double
    assert.equal(version.subarray(9).toString('hex'), `1a0d${hex('brain.Event:2')}`);
    assert.equal(scalar[0], 0x09);
    // step 300 = varint ac 02; summary { value { tag: "loss", simple_value: 150 = 0x43160000 } }
    assert.equal(scalar.subarray(9).toString('hex'), `10ac02${'2a0d'}${'0a0b'}0a04${hex('loss')}1500001643`);
  });

  it('drops the events after the step that a run resumes from', async () => {
    const through200 = await write(-1, [100, 200]);
    await write(200, [300, 400]);
    assert.deepEqual(await write(200, []), through200);
    assert.equal(records(await write(-1, [])).length, 1);
  });

  it('drops a torn or damaged end', async () => {
    const whole = await write(-1, [100, 200]);
    for (let cut = 1; cut < 40; cut++) {
      await fs.writeFile(path, whole.subarray(0, whole.length - cut));
      const kept = await write(200, []);
      assert.equal(records(kept).length, 2);
      assert.deepEqual(kept, whole.subarray(0, kept.length));
    }
    const damaged = Buffer.from(whole);
    damaged[damaged.length - 8] ^= 1;
    await fs.writeFile(path, damaged);
    assert.equal(records(await write(200, [])).length, 2);
  });
});

/** The data of each record. */
function records(file: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at < file.length; ) {
    const length = Number(file.readBigUInt64LE(at));
    found.push(file.subarray(at + 12, at + 12 + length));
    at += 12 + length + 4;
  }
  return found;
}
