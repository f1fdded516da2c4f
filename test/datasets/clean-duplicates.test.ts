import assert from 'node:assert/strict';
import { Document } from '../../datasets/clean/document.js';
import { exactDuplicates } from '../../datasets/clean/exact-duplicates.js';
import { KeyFile } from '../../datasets/clean/key-file.js';
import { minHash, nearDuplicates } from '../../datasets/clean/near-duplicates.js';
import { Words } from '../../datasets/clean/words.js';
import { mix } from '../../util/hashing.js';
import { RandomStream } from '../../util/random.js';
import { temporaryFolder } from './temporary.js';

/** Groups by giving each document the smallest number that a document with one of its keys has, until nothing changes. */
function bySpreading(keysOf: readonly (readonly string[])[]): number[] {
  const first = keysOf.map((_, i) => i);
  for (let changed = true; changed; ) {
    changed = false;
    const smallest = new Map<string, number>();
    keysOf.forEach((keys, i) => {
      for (const key of keys) smallest.set(key, Math.min(first[i], smallest.get(key) ?? i));
    });
    keysOf.forEach((keys, i) => {
      const least = Math.min(first[i], ...keys.map((key) => smallest.get(key)!));
      changed ||= least < first[i];
      first[i] = least;
    });
  }
  return first;
}

describe('documents with the same keys', () => {
  const at = temporaryFolder();

  for (const { name, keyWords = 2, documents = 200, perDocument = 3, values, partitionKeys } of [
    { name: 'all in one partition', values: 1500, partitionKeys: 1 << 18 },
    { name: 'many partitions', values: 1500, partitionKeys: 8 },
    { name: 'keys of four words, a key a partition', keyWords: 4, documents: 100, values: 700, partitionKeys: 1 },
    { name: 'one key for all', values: 1, partitionKeys: 4 },
    { name: 'no key twice', values: 1 << 30, partitionKeys: 50 },
    { name: 'more records than a buffer holds', documents: 250, perDocument: 360, values: 5000000, partitionKeys: 20000 },
  ]) {
    it(`groups are those that spread from key to key: ${name}`, async () => {
      const file = await KeyFile.create(at('keys'), keyWords, partitionKeys);
      let drawn = 7 * values;
      const keysOf: string[][] = [];
      for (let base = 0; base < documents; base += 50) {
        const records: number[] = [];
        for (let i = 0; i < 50; i++) {
          const keys = Array.from({ length: perDocument }, () => {
            const value = (mix(drawn++) >>> 0) % values;
            return Array.from({ length: keyWords }, (_, word) => (word === 0 ? Math.imul(value, 0x9e3779b9) >>> 0 : value % 3));
          });
          for (const key of keys) records.push(...key, i);
          keysOf.push(keys.map(String));
        }
        await file.append(Uint32Array.from(records), base);
      }
      const { first } = await file.groups(documents);
      await file.remove();
      assert.deepEqual([...first], bySpreading(keysOf));
    });
  }

  it('counts the keys that earlier documents have', async () => {
    const file = await KeyFile.create(at('keys'), 2);
    await file.append(Uint32Array.of(1, 1, 0, 2, 2, 0, 1, 1, 1, 3, 3, 1, 1, 1, 2, 2, 2, 2, 4, 4, 2), 0);
    const { keys, first } = await file.groups(3);
    await file.remove();
    assert.deepEqual([...keys], [0, 1, 2]);
    assert.deepEqual([...first], [0, 0, 0]);
  });

  it('a document without keys is alone', async () => {
    const file = await KeyFile.create(at('keys'), 2);
    await file.append(Uint32Array.of(5, 5, 0, 5, 5, 2), 0);
    const { first } = await file.groups(4);
    await file.remove();
    assert.deepEqual([...first], [0, 1, 0, 3]);
  });
});

/** Keys of a text under a rule. */
function keysOf(rule: typeof exactDuplicates | typeof nearDuplicates, text: string, values = {}): string[] {
  const keys: string[] = [];
  const defaults = Object.fromEntries(
    Object.entries(rule.parameters).map(([key, parameter]) => [key, (parameter as { default: number }).default]),
  );
  rule.start({ ...defaults, ...values } as never)(Document.of(text), (key) => keys.push(key.join()));
  return keys;
}

describe('exact duplicates', () => {
  it('have one key, the first 128 bits of SHA-256', () => {
    // printf abc | sha256sum: ba7816bf 8f01cfea 414140de 5dae2223 …
    const words = ['ba7816bf', '8f01cfea', '414140de', '5dae2223'].map((hex) => Buffer.from(hex, 'hex').readUInt32LE());
    assert.deepEqual(keysOf(exactDuplicates, 'abc'), [words.join()]);
    assert.notDeepEqual(keysOf(exactDuplicates, 'abc '), keysOf(exactDuplicates, 'abc'));
  });
});

/** Two texts of different words that share as many of them as give their 1-grams the Jaccard similarity s. */
function pair(random: RandomStream, s: number, size = 400): [string, string] {
  const shared = Math.round((2 * size * s) / (1 + s));
  const word = () => `w${random.word().toString(36)}x${random.word().toString(36)}`;
  const common = Array.from({ length: shared }, word);
  const own = () => Array.from({ length: size - shared }, word);
  return [[...common, ...own()].join(' '), [...common, ...own()].join(' ')];
}

describe('near duplicates', () => {
  it('MinHash values agree as often as the Jaccard similarity says', () => {
    const random = new RandomStream(3, 1);
    const sign = minHash(1, 112);
    for (const s of [0.2, 0.5, 0.8]) {
      let agree = 0;
      const pairs = 100;
      for (let i = 0; i < pairs; i++) {
        const [a, b] = pair(random, s).map((text) => sign(new Words().scan(Buffer.from(text)))!.slice());
        agree += a.filter((value, f) => value === b[f]).length;
      }
      const deviation = Math.sqrt((s * (1 - s)) / (pairs * 112));
      assert.ok(Math.abs(agree / (pairs * 112) - s) < 4 * deviation, `${s}: ${agree / (pairs * 112)}`);
    }
  });

  it('14 bands of 8 find pairs with the probability 1 − (1 − s⁸)¹⁴', () => {
    const random = new RandomStream(3, 2);
    for (const s of [0.5, 0.7, 0.8, 0.9]) {
      const expected = 1 - (1 - s ** 8) ** 14;
      const pairs = 400;
      let found = 0;
      for (let i = 0; i < pairs; i++) {
        const [a, b] = pair(random, s, 300).map((text) => keysOf(nearDuplicates, text, { words: 1 }));
        if (a.some((key) => b.includes(key))) found++;
      }
      const deviation = Math.sqrt((expected * (1 - expected)) / pairs) + 1 / pairs;
      assert.ok(Math.abs(found / pairs - expected) < 4 * deviation, `${s}: ${found / pairs} instead of ${expected}`);
    }
  });

  it('unlike texts share no key, in any band', () => {
    const random = new RandomStream(3, 3);
    const seen = new Set<string>();
    for (let i = 0; i < 300; i++) for (const key of keysOf(nearDuplicates, pair(random, 0, 50)[0])) seen.add(key);
    assert.equal(seen.size, 300 * 14);
  });

  it('n-grams are of words in their order, whatever case and punctuation', () => {
    const text = 'One two three four five six seven eight nine ten eleven twelve';
    assert.deepEqual(keysOf(nearDuplicates, text), keysOf(nearDuplicates, text.toUpperCase().replaceAll(' ', ', ')));
    const turned = text.split(' ').toReversed().join(' ');
    assert.ok(!keysOf(nearDuplicates, text).some((key) => keysOf(nearDuplicates, turned).includes(key)));
  });

  it('n-grams of Chinese are of characters', () => {
    const sign = minHash(5, 1000);
    const [a, b] = ['天还没亮渔船就回来了码头上', '天还没亮渔船就回来了码头下'].map((text) =>
      sign(new Words().scan(Buffer.from(text)))!.slice(),
    );
    const agree = a.filter((value, f) => value === b[f]).length / 1000; // 9 5-grams each, 8 of them shared: 8 / 10
    assert.ok(Math.abs(agree - 0.8) < 0.05, String(agree));
  });

  it('a text of fewer words than an n-gram has one n-gram, a text without words has no keys', () => {
    assert.deepEqual(keysOf(nearDuplicates, 'to be'), keysOf(nearDuplicates, 'To be!'));
    assert.notDeepEqual(keysOf(nearDuplicates, 'to be'), keysOf(nearDuplicates, 'not to be'));
    assert.deepEqual(keysOf(nearDuplicates, '… !?'), []);
  });

  it('numbers of hash functions that four does not divide', () => {
    const sign = (functions: number) => minHash(5, functions)(new Words().scan(Buffer.from('one two three four five six seven')))!;
    const many = sign(16);
    for (const functions of [1, 2, 3, 5, 7]) assert.equal(sign(functions).length, functions);
    assert.equal(new Set(many).size, 16);
  });
});
