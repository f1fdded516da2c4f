import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { narrowToBfloat16, narrowToFloat16, widenBfloat16, widenFloat16 } from '../../checkpoints/half.js';
import { type NamedArray, readSafetensors, writeSafetensors } from '../../checkpoints/safetensors.js';

const fixtures = new URL('fixtures/', import.meta.url);

describe('safetensors', () => {
  let directory: string;
  let path: string;
  before(async () => {
    directory = await fs.mkdtemp(join(tmpdir(), 'fourfold-'));
    path = join(directory, 'file.safetensors');
  });
  after(() => fs.rm(directory, { recursive: true }));

  const shape = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 });
  const filled = (sizes: number[], seed: number, dtype: NamedArray['dtype']): NamedArray['data'] => {
    const values = Array.from(
      { length: sizes.reduce((a, b) => a * b, 1) },
      (_, i) => ((seed * 31 + i * 7) % 255) - (dtype === 'U8' ? 0 : 100),
    );
    if (dtype === 'I32') return Int32Array.from(values);
    if (dtype === 'I64') return BigInt64Array.from(values, BigInt);
    return dtype === 'U8' ? Uint8Array.from(values) : Float32Array.from(values);
  };

  it('gives back what was written: names, types, shapes and values, whatever the mixture', async () => {
    const tensor = fc.tuple(shape, fc.nat(100), fc.constantFrom('F32', 'BF16', 'F16', 'I32', 'I64', 'U8'));
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(
          fc.string().filter((name) => name !== '__metadata__'),
          tensor,
          { maxKeys: 5 },
        ),
        async (described) => {
          const tensors = Object.entries(described).map(([name, [sizes, seed, dtype]]) => {
            return { name, dtype: dtype as NamedArray['dtype'], shape: sizes, data: filled(sizes, seed, dtype as NamedArray['dtype']) };
          });
          await writeSafetensors(path, tensors);
          const loaded = await readSafetensors(path);
          assert.equal(loaded.size, tensors.length);
          for (const { name, ...rest } of tensors) assert.deepEqual(loaded.get(name), rest);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('asks for the data of one tensor at a time, in order', async () => {
    let alive = 0;
    const lazy = (name: string): NamedArray => ({
      name,
      shape: [2],
      data: async () => {
        assert.equal(++alive, 1);
        await new Promise(setImmediate);
        alive--;
        return new Float32Array(2);
      },
    });
    await writeSafetensors(path, ['a', 'b', 'c'].map(lazy));
    assert.deepEqual([...(await readSafetensors(path)).keys()], ['a', 'b', 'c']);
  });

  it('aligns the header to 8 bytes and says format: pt', async () => {
    await writeSafetensors(path, [{ name: 'x', shape: [1], data: Float32Array.of(1) }]);
    const bytes = await fs.readFile(path);
    const length = Number(bytes.readBigUInt64LE());
    assert.equal(length % 8, 0);
    assert.deepEqual(JSON.parse(bytes.toString('utf8', 8, 8 + length)), {
      __metadata__: { format: 'pt' },
      x: { dtype: 'F32', shape: [1], data_offsets: [0, 4] },
    });
    assert.equal(bytes.length, 8 + length + 4);
  });

  it('reads a file of the Python library, every type', async () => {
    const expected = JSON.parse(await fs.readFile(new URL('python.json', fixtures), 'utf8'));
    const loaded = await readSafetensors(new URL('python.safetensors', fixtures).pathname);
    assert.deepEqual([...loaded.keys()].sort(), Object.keys(expected).sort());
    for (const [name, { shape, data }] of loaded) {
      assert.deepEqual(shape, expected[name].shape);
      assert.deepEqual(
        Array.from<number | bigint, unknown>(data, (v) => (typeof v === 'bigint' ? String(v) : v)),
        expected[name].values,
        name,
      );
    }
  });

  it('writes the tensors of that file so that their bytes are the same', async () => {
    const source = await readSafetensors(new URL('python.safetensors', fixtures).pathname);
    await writeSafetensors(
      path,
      [...source].map(([name, tensor]) => ({ name, ...tensor })),
    );
    const data = async (file: string | URL) => {
      const bytes = await fs.readFile(file);
      const start = 8 + Number(bytes.readBigUInt64LE());
      const header = JSON.parse(bytes.toString('utf8', 8, start)) as Record<string, { data_offsets: number[] }>;
      return Object.fromEntries(
        [...source.keys()].map((name) => [name, bytes.subarray(...header[name].data_offsets.map((o) => start + o))]),
      );
    };
    assert.deepEqual(await data(path), await data(new URL('python.safetensors', fixtures)));
  });

  it('takes any name', async () => {
    const names = ['toString', '__proto__', '', 'é "quoted" 世界'];
    await writeSafetensors(
      path,
      names.map((name, i) => ({ name, shape: [], data: Float32Array.of(i) })),
    );
    assert.deepEqual(
      [...(await readSafetensors(path))].map(([name, { data }]) => [name, data[0]]),
      names.map((name, i) => [name, i]),
    );
  });

  describe('rejects a damaged file, naming it and the rule', () => {
    const file = (header: unknown, dataBytes: number) => {
      const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
      const length = Buffer.alloc(8);
      length.writeBigUInt64LE(BigInt(json.length));
      return Buffer.concat([length, json, Buffer.alloc(dataBytes)]);
    };
    const tensor = (begin: number, end: number, sizes = [(end - begin) / 4]) => ({
      dtype: 'F32',
      shape: sizes,
      data_offsets: [begin, end],
    });
    const cases: [string, Buffer, RegExp][] = [
      ['shorter than the length field', Buffer.alloc(5), /8 bytes of header length; it has 5/],
      ['a header longer than the file', Buffer.from([255, 0, 0, 0, 0, 0, 0, 0, 123]), /header must fit in the file; it claims 255/],
      ['a header of absurd length', Buffer.alloc(64, 255), /header must fit/],
      ['a header that is not JSON', file('{"a": ', 0), /header must be JSON/],
      ['a header that is a list', file([], 0), /must be a JSON object/],
      ['an unknown type', file({ a: { ...tensor(0, 4), dtype: 'F8' } }, 4), /dtype of a must be one of F32, .*"F8"/],
      ['a type that every object has', file({ a: { ...tensor(0, 4), dtype: 'toString' } }, 4), /dtype of a/],
      ['a negative size', file({ a: tensor(0, 4, [-1]) }, 4), /shape of a must be a list of sizes/],
      ['offsets that are not a pair', file({ a: { ...tensor(0, 4), data_offsets: [0] } }, 4), /data_offsets of a/],
      ['overlapping tensors', file({ a: tensor(0, 8), b: tensor(4, 12) }, 12), /without gap or overlap; b begins at 4, not 8/],
      ['a gap', file({ a: tensor(0, 4), b: tensor(8, 12) }, 12), /b begins at 8, not 4/],
      ['offsets that do not fit the shape', file({ a: tensor(0, 4, [3]) }, 4), /a is F32 \[3\], 12 bytes; its offsets span 4/],
      ['a cut end', file({ a: tensor(0, 8) }, 6), /must fill the file; they take 8 bytes, it holds 6/],
      ['bytes too many', file({ a: tensor(0, 8) }, 9), /they take 8 bytes, it holds 9/],
    ];
    for (const [what, bytes, message] of cases) {
      it(what, async () => {
        await fs.writeFile(path, bytes);
        await assert.rejects(readSafetensors(path), (error: Error) => {
          assert.equal(error.name, 'UserError');
          assert.ok(error.message.includes(path));
          assert.match(error.message, message);
          return true;
        });
      });
    }
  });

  it('refuses to write two tensors of one name, or values that do not fill the shape', async () => {
    const x: NamedArray = { name: 'x', shape: [2], data: new Float32Array(2) };
    await assert.rejects(writeSafetensors(path, [x, x]), /two tensors are named x/);
    await assert.rejects(writeSafetensors(path, [{ ...x, shape: [3] }]), /x has 2 values, its shape \[3\] 3/);
    await assert.rejects(writeSafetensors(path, [{ ...x, dtype: 'I32' }]), /I32 is written from a Int32Array/);
  });
});

describe('16-bit floats', () => {
  it('every float16 and bfloat16 survives widening and narrowing', () => {
    const all = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const isNaN16 = (half: number, exponent: number) => (half & exponent) === exponent && (half & ~exponent & 0x7fff) !== 0;
    const halves = all.filter((half) => !isNaN16(half, 0x7c00));
    assert.deepEqual(narrowToFloat16(widenFloat16(halves)), halves);
    const brains = all.filter((half) => !isNaN16(half, 0x7f80));
    assert.deepEqual(narrowToBfloat16(widenBfloat16(brains)), brains);
    assert.ok(widenFloat16(narrowToFloat16(Float32Array.of(Number.NaN))).every(Number.isNaN));
    assert.ok(widenBfloat16(narrowToBfloat16(Float32Array.of(Number.NaN))).every(Number.isNaN));
  });

  it('narrowing takes the nearest, at a tie the even one', () => {
    const cases: [number, number, number][] = [
      // value, float16, bfloat16
      [1 + 2 ** -11, 0x3c00, 0x3f80],
      [1 + 3 * 2 ** -11, 0x3c02, 0x3f80],
      [1 + 2 ** -8, 0x3c04, 0x3f80],
      [1 + 3 * 2 ** -8, 0x3c0c, 0x3f82],
      [65519, 0x7bff, 0x4780],
      [65520, 0x7c00, 0x4780],
      [2 ** -25, 0x0000, 0x3300],
      [2 ** -24, 0x0001, 0x3380],
      [-(2 ** -14) + 2 ** -25, 0x8400, 0xb880],
    ];
    for (const [value, half, brain] of cases) {
      assert.equal(narrowToFloat16(Float32Array.of(value))[0], half, `float16 of ${value}`);
      assert.equal(narrowToBfloat16(Float32Array.of(value))[0], brain, `bfloat16 of ${value}`);
    }
  });
});
