import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import fc from 'fast-check';
import { importText } from '../../datasets/import.js';
import { type HostBatch, type LoaderOptions, openLoader } from '../../datasets/loader.js';
import { permutation } from '../../datasets/permutation.js';
import { prepare } from '../../datasets/prepare.js';
import { type Tokenizer, trainTokenizer } from '../../tokenizer/index.js';
import { temporaryFolder } from './temporary.js';

describe('the computed shuffle', () => {
  it('gives each place once, whatever the size, seed and epoch', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3000 }), fc.maxSafeNat(), fc.nat(), (n, seed, epoch) => {
        const place = permutation(n, seed, epoch);
        assert.deepEqual(
          Array.from({ length: n }, (_, i) => place(i)).sort((a, b) => a - b),
          Array.from({ length: n }, (_, i) => i),
        );
      }),
      { numRuns: 60 },
    );
  });

  it('differs from epoch to epoch and from seed to seed, and leaves few in place', () => {
    const order = (seed: number, epoch: number) => Array.from({ length: 1000 }, (_, i) => permutation(1000, seed, epoch)(i));
    const orders = [order(1, 0), order(1, 1), order(2, 0), order(1 + 2 ** 32, 0)];
    for (let a = 0; a < orders.length; a++) {
      assert.ok(orders[a].filter((place, i) => place === i).length < 10);
      for (let b = 0; b < a; b++) assert.ok(orders[a].filter((place, i) => place === orders[b][i]).length < 10);
    }
  });
});

describe('the loader', () => {
  const at = temporaryFolder();
  const texts = Array.from({ length: 120 }, (_, i) => `${i}: ${'words of a text '.repeat((i * 7) % 9)}模型🎉`);
  const directory = () => at('bpe');
  let tokenizer: Tokenizer;

  const preparedAs = async (
    name: string,
    documents: string[],
    made: Tokenizer,
    split: 'hash' | 'tail',
    document: 'line' | 'file' = 'line',
  ) => {
    await fs.writeFile(at('text.txt'), documents.join('\n'));
    await importText({ paths: [at('text.txt')], output: at('corpus.arrow'), document });
    return prepare({ corpus: at('corpus.arrow'), tokenizer: made, output: at(name), split, evalFraction: 0.3, seed: 1 });
  };
  before(async () => {
    tokenizer = trainTokenizer(texts, { kind: 'bpe', vocabSize: 320 });
    await preparedAs('bpe', texts, tokenizer, 'hash');
  });

  const open = (changes: Partial<LoaderOptions> = {}) =>
    openLoader({
      directory: directory(),
      split: 'train',
      contextLength: 16,
      batchSize: 3,
      packing: 'concat',
      seed: 5,
      sampling: 'epoch',
      ...changes,
    });
  const pass = async (changes: Partial<LoaderOptions>) => {
    const batches: HostBatch[] = [];
    for await (const batch of (await open(changes)).epochBatches()) batches.push(batch);
    return batches;
  };
  const rowsOf = ({ ids, targets, batchSize, contextLength: T }: HostBatch) =>
    Array.from({ length: batchSize }, (_, b) => `${ids.subarray(b * T, b * T + T)}>${targets.subarray(b * T, b * T + T)}`);

  it('concat: a pass is the stream, each token but the first a target once, the last row filled up', async () => {
    const loader = await open({ split: 'eval' });
    const inputs: number[] = [];
    const targets: number[] = [];
    for (const batch of await pass({ split: 'eval' })) {
      for (let i = 0; i < batch.ids.length; i++) {
        assert.equal(batch.segments[i] === -1, batch.targets[i] === -1);
        if (batch.segments[i] === -1) continue;
        assert.equal(batch.segments[i], 0);
        assert.equal(batch.positions[i], i % 16);
        inputs.push(batch.ids[i]);
        targets.push(batch.targets[i]);
      }
      assert.equal(batch.supervised, batch.targets.filter((target) => target >= 0).length);
    }
    assert.equal(targets.length, loader.tokens - 1);
    assert.deepEqual(inputs.slice(1), targets.slice(0, -1));
    assert.equal(inputs[0], tokenizer.special.bos);
    assert.equal(targets.at(-1), tokenizer.special.eos);
  });

  it('segments: documents keep to themselves; each of their tokens but the first is a target once', async () => {
    for (const contextLength of [5, 16, 64, 500]) {
      const pairs: string[] = [];
      for (const batch of await pass({ split: 'eval', packing: 'segments', contextLength })) {
        let supervised = 0;
        for (let i = 0; i < batch.ids.length; i++) {
          const next = (i + 1) % contextLength === 0 ? undefined : i + 1;
          const lastOfSegment = next === undefined || batch.segments[next] !== batch.segments[i];
          if (batch.segments[i] === -1 || lastOfSegment) assert.equal(batch.targets[i], -1);
          else {
            assert.equal(batch.targets[i], batch.ids[next]);
            assert.equal(batch.positions[next], batch.positions[i] + 1);
            pairs.push(`${batch.ids[i]} ${batch.targets[i]}`);
            supervised++;
          }
          if (i % contextLength === 0 || batch.segments[i] !== batch.segments[i - 1]) {
            assert.equal(batch.positions[i], 0);
            if (i % contextLength > 0 && batch.segments[i] >= 0) assert.equal(batch.segments[i], batch.segments[i - 1] + 1);
          }
        }
        assert.equal(batch.supervised, supervised);
      }
      const expected = (await heldOutDocuments()).flatMap((ids) => ids.slice(1).map((id, i) => `${ids[i]} ${id}`));
      assert.deepEqual(pairs.sort(), expected.sort());
    }
  });

  const heldOutDocuments = async () => {
    const { isHeldOut } = await import('../../datasets/documents.js');
    return texts.filter((text) => isHeldOut(text, 0.3)).map((text) => [0, ...tokenizer.encode(text), 1]);
  };

  it('segments: wastes little room', async () => {
    const batches = await pass({ packing: 'segments', contextLength: 64, batchSize: 1 });
    const filled = batches.map(({ segments }) => segments.filter((segment) => segment >= 0).length);
    assert.ok(filled.reduce((a, b) => a + b) / (64 * filled.length) > 0.9);
  });

  it('counts the bytes of the held-out text to the byte', async () => {
    const bytes = async (changes: Partial<LoaderOptions>) =>
      (await pass({ split: 'eval', ...changes })).reduce((sum, batch) => sum + batch.bytes, 0);
    const { eval: heldOut } = JSON.parse(await fs.readFile(at('bpe/dataset.json'), 'utf8'));
    for (const contextLength of [1, 7, 64]) assert.equal(await bytes({ contextLength }), heldOut.bytes);
    assert.equal(await bytes({ packing: 'segments' }), heldOut.bytes);

    // Without special tokens the first character is never predicted.
    const text = texts.join('\n');
    await preparedAs('char', [text], trainTokenizer([text], { kind: 'char', specialTokens: false }), 'tail', 'file');
    const tail = [...text].slice(Math.floor([...text].length * 0.7));
    assert.equal(await bytes({ directory: at('char') }), Buffer.byteLength(tail.slice(1).join('')));

    // Tokens of unknown words do not tell their bytes; the document does.
    const word = await preparedAs('word', texts, trainTokenizer(texts, { kind: 'word', vocabSize: 20 }), 'hash');
    assert.equal(await bytes({ directory: at('word') }), word.eval.bytes);
    assert.equal(await bytes({ directory: at('word'), packing: 'segments' }), word.eval.bytes);
  });

  for (const packing of ['concat', 'segments'] as const) {
    it(`${packing}: gives each row once a pass, in another order each time`, async () => {
      const loader = await open({ packing, batchSize: 1 });
      const ordered = (await pass({ packing, batchSize: 1 })).flatMap(rowsOf);
      const shuffled = async () => {
        const rows: string[] = [];
        for (let i = 0; i < loader.batchesPerEpoch; i++) rows.push(...rowsOf(await loader.next()));
        return rows;
      };
      const [first, second] = [await shuffled(), await shuffled()];
      assert.deepEqual([...first].sort(), [...ordered].sort());
      assert.deepEqual([...second].sort(), [...ordered].sort());
      assert.notDeepEqual(first, second);
      assert.notDeepEqual(first, ordered);
    });

    for (const sampling of ['epoch', 'random'] as const) {
      it(`${packing}, ${sampling}: goes on exactly from a saved state, within a pass and into the next`, async () => {
        const loader = await open({ packing, sampling });
        for (let step = 0; step < 2 * loader.batchesPerEpoch; step++) {
          const state = JSON.parse(JSON.stringify(loader.state()));
          const batch = await loader.next();
          if (step % 5 !== 0) continue;
          const resumed = await open({ packing, sampling });
          resumed.restore(state);
          assert.deepEqual(await resumed.next(), batch);
          assert.deepEqual(resumed.state(), loader.state());
        }
      });
    }
  }

  it('random: draws rows from the whole stream, full ones, others under another seed', async () => {
    const loader = await open({ sampling: 'random', batchSize: 200 });
    const batch = await loader.next();
    assert.equal(batch.supervised, 200 * 16);
    assert.ok(new Set(rowsOf(batch)).size > 80);
    assert.notDeepEqual(await (await open({ sampling: 'random', batchSize: 200, seed: 6 })).next(), batch);
  });

  it('refuses a state of other data', async () => {
    const loader = await open();
    assert.throws(() => loader.restore({ epoch: 0, row: 10 ** 6, drawn: 10 ** 6 }), { name: 'UserError', message: /rows a pass/ });
    assert.throws(() => loader.restore({ epoch: 1, row: 2, drawn: 3 }), { name: 'UserError' });
  });

  it('says what is wrong with a directory', async () => {
    await assert.rejects(open({ directory: at('nowhere') }), { name: 'UserError', message: /directory of prepared tokens/ });
    await assert.rejects(open({ contextLength: 10 ** 6, sampling: 'random' }), { name: 'UserError', message: /at least 1000001 tokens/ });
    await fs.cp(at('bpe'), at('mixed'), { recursive: true });
    await fs.writeFile(at('mixed/tokenizer.json'), JSON.stringify(trainTokenizer(texts, { kind: 'bpe', vocabSize: 290 })));
    await assert.rejects(open({ directory: at('mixed') }), { name: 'UserError', message: /tokenizer.json beside it/ });
  });
});
