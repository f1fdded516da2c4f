import assert from 'node:assert/strict';
import type { HostBatch } from '../../datasets/loader.js';
import { openPass, type Pass, type PassOptions } from '../../datasets/pass.js';
import { type Tokenizer, trainTokenizer } from '../../tokenizer/index.js';
import { type PreparedDocument, preparedDocument, writePrepared } from './prepared.js';
import { temporaryFolder } from './temporary.js';

const WINDOWS = [60, 500, undefined];

describe('a pass over held-out text', () => {
  const at = temporaryFolder();
  const texts = Array.from({ length: 120 }, (_, i) => ({
    source: i % 3 === 0 || i > 100 ? 'web' : 'wiki',
    text: `${i}: ${'words of a text '.repeat((i * 7) % 9)}模型🎉`,
  }));
  const textsOf = (source: string) => texts.filter((document) => document.source === source).map(({ text }) => text);
  let tokenizer: Tokenizer;
  const write = async (name: string, made: Tokenizer) => {
    const documents = texts.map(({ source, text }) => preparedDocument(made, source, text));
    await writePrepared(at(name), { tokenizer: made, train: documents.slice(0, 2), eval: documents });
    return documents;
  };
  let documents: PreparedDocument[];
  before(async () => {
    const all = texts.map(({ text }) => text);
    tokenizer = trainTokenizer(all, { kind: 'bpe', vocabSize: 320 });
    documents = await write('bpe', tokenizer);
    await write('word', trainTokenizer(all, { kind: 'word', vocabSize: 20 }));
    await write('char', trainTokenizer(all, { kind: 'char', specialTokens: false }));
  });

  const opened: Pass[] = [];
  afterEach(async () => {
    for (const pass of opened.splice(0)) await pass.close();
  });
  const open = async (changes: Partial<PassOptions> = {}) => {
    opened.push(await openPass({ directory: at('bpe'), split: 'eval', contextLength: 16, batchSize: 3, packing: 'concat', ...changes }));
    return opened.at(-1)!;
  };
  const bySource = async (changes: Partial<PassOptions> = {}) => {
    const batches: Record<string, HostBatch[]> = { wiki: [], web: [] };
    for await (const { source, batch } of (await open(changes)).batches()) batches[source].push(batch);
    return batches;
  };

  it('gives the first batches of each source only, where no more are wanted', async () => {
    const all = await bySource();
    for (const windowTokens of WINDOWS) {
      const first = await bySource({ windowTokens, batchesPerSource: 2 });
      for (const source of ['wiki', 'web']) assert.deepEqual(first[source], all[source].slice(0, 2));
    }
  });

  it('concat: is the stream of each source, each token but its first a target once, the last row filled up', async () => {
    for (const windowTokens of WINDOWS) {
      for (const [source, batches] of Object.entries(await bySource({ windowTokens }))) {
        const inputs: number[] = [];
        const targets: number[] = [];
        for (const batch of batches) {
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
        const stream = documents.filter((document) => document.source === source).flatMap(({ ids }) => ids);
        assert.deepEqual(inputs, stream.slice(0, -1));
        assert.deepEqual(targets, stream.slice(1));
        const partial = batches.filter(({ segments }) => segments.includes(-1)).length;
        assert.ok(partial <= 1, `${partial} batches with padding`);
      }
    }
  });

  it('concat: gives the same batches whatever it holds in memory at a time', async () => {
    assert.deepEqual(await bySource({ windowTokens: 60 }), await bySource());
    assert.deepEqual(await bySource({ windowTokens: 60, contextLength: 300 }), await bySource({ contextLength: 300 }));
  });

  it('segments: each token of a document but its first is a target once', async () => {
    for (const contextLength of [5, 16, 64, 500]) {
      for (const windowTokens of WINDOWS) {
        for (const [source, batches] of Object.entries(await bySource({ packing: 'segments', contextLength, windowTokens }))) {
          const pairs = batches.flatMap(({ ids, targets }) =>
            [...targets].flatMap((target, i) => (target >= 0 ? [`${ids[i]} ${target}`] : [])),
          );
          const expected = documents
            .filter((document) => document.source === source)
            .flatMap(({ ids }) => ids.slice(1).map((id, i) => `${ids[i]} ${id}`));
          assert.deepEqual(pairs.sort(), expected.sort());
        }
      }
    }
  });

  it('counts the bytes of each source to the byte, also those that tokens of unknown words do not tell', async () => {
    const bytes = (text: string[]) => text.reduce((sum, part) => sum + Buffer.byteLength(part), 0);
    for (const packing of ['concat', 'segments'] as const) {
      for (const windowTokens of WINDOWS) {
        for (const directory of ['bpe', 'word']) {
          for (const contextLength of packing === 'concat' ? [1, 7, 64, 1000] : [7, 64]) {
            const passes = await bySource({ directory: at(directory), packing, windowTokens, contextLength });
            for (const [source, batches] of Object.entries(passes)) {
              const counted = batches.reduce((sum, batch) => sum + batch.bytes, 0);
              assert.equal(counted, bytes(textsOf(source)), `${source}, ${directory}, ${packing}, ${windowTokens}, ${contextLength}`);
            }
          }
        }
        // Without special tokens the first character is never predicted: of a source with concat, of a document with segments.
        const passes = await bySource({ directory: at('char'), packing, windowTokens });
        for (const [source, batches] of Object.entries(passes)) {
          const whole = packing === 'concat' ? [textsOf(source).join('')] : textsOf(source);
          const counted = batches.reduce((sum, batch) => sum + batch.bytes, 0);
          assert.equal(counted, bytes(whole.map((text) => [...text].slice(1).join(''))));
        }
      }
    }
  });

  it('leaves out a source with nothing to predict, and refuses data that has no other', async () => {
    const [first, ...others] = documents;
    const bos = { source: 'poem', ids: [0], bytes: 0 };
    await writePrepared(at('poem'), { tokenizer, train: [first, bos], eval: [...others, bos] });
    assert.deepEqual((await open({ directory: at('poem') })).sources, [first.source, others[0].source].sort());
    await writePrepared(at('bos'), { tokenizer, train: [first, bos], eval: [bos] });
    await assert.rejects(open({ directory: at('bos') }), { name: 'UserError', message: /at least 2 tokens of a source; it has 1 in all/ });
  });
});
