import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import { tableFromIPC } from 'apache-arrow';
import { ArrowFile, tokensBatch, tokensSchema } from '../../datasets/arrow.js';
import { type HostBatch, type LoaderOptions, openLoader } from '../../datasets/loader.js';
import { emptyBatch, segmentLengths, segmentsPacking } from '../../datasets/packing.js';
import { openPass } from '../../datasets/pass.js';
import { openTokens } from '../../datasets/token-store.js';
import { trainTokenizer } from '../../tokenizer/index.js';
import { RandomStream } from '../../util/random.js';
import { type PreparedDocument, writePrepared } from './prepared.js';
import { temporaryFolder } from './temporary.js';

const TOKENS = 3000;
const T = 16;

/** Documents whose ids count 0, 1, 2 …: an id tells which token it is. Each is a character of three bytes. */
function documentsOf(columns: ('supervised' | 'weight')[], source = 'a', first = 0, count = TOKENS): PreparedDocument[] {
  const random = new RandomStream(3, first);
  const documents: PreparedDocument[] = [];
  for (let from = first; from < first + count; ) {
    const length = Math.min(2 + random.below(39), first + count - from);
    const ids = Array.from({ length }, (_, i) => from + i);
    documents.push({
      source,
      ids,
      bytes: 3 * length,
      ...(columns.includes('supervised') && { supervised: ids.map(() => random.below(2)) }),
      ...(columns.includes('weight') && { weight: 0.25 * random.below(8) }),
    });
    from += length;
  }
  return documents;
}

/** What is to be predicted: id → weight. */
function wantedOf(documents: readonly PreparedDocument[], without: (id: number, i: number) => boolean): Map<number, number> {
  const each = documents.flatMap(({ ids, supervised, weight = 1 }) =>
    ids.flatMap((id, i) => (supervised?.[i] !== 0 && !without(id, i) ? [[id, weight] as const] : [])),
  );
  return new Map(each);
}

/** The targets that batches hold: id → weight; checks on the way that a batch's sums are those of its targets. */
function targetsOf(batches: readonly HostBatch[], documents: readonly PreparedDocument[]): Map<number, number> {
  const found = new Map<number, number>();
  const weighted = documents.some(({ weight }) => weight !== undefined);
  for (const { ids, targets, weights, supervised, weight, bytes } of batches) {
    assert.equal(weights !== undefined, weighted);
    const places = [...targets.keys()].filter((i) => targets[i] >= 0);
    for (const i of places) {
      assert.equal(targets[i], ids[i] + 1, 'an id follows the one before it');
      found.set(targets[i], weights?.[i] ?? 1);
    }
    assert.deepEqual([supervised, bytes], [places.length, 3 * places.length]);
    assert.equal(
      weight,
      places.reduce((sum, i) => sum + (weights?.[i] ?? 1), 0),
    );
    if (weights) assert.ok(weights.every((value, i) => targets[i] >= 0 || value === 0));
  }
  return found;
}

describe('masks and weights of prepared tokens', () => {
  const at = temporaryFolder();
  const tokenizer = trainTokenizer([String.fromCodePoint(...Array.from({ length: TOKENS }, (_, i) => 0x4e00 + i))], {
    kind: 'char',
    specialTokens: false,
  });
  const sorted = (map: Map<number, number>) => [...map].sort(([a], [b]) => a - b);

  for (const columns of [['supervised'], ['weight'], ['supervised', 'weight']] as ('supervised' | 'weight')[][]) {
    describe(`with ${columns.join(' and ')}`, () => {
      const documents = documentsOf(columns);
      const firsts = new Set(documents.map(({ ids }) => ids[0]));
      const directory = () => at(columns.join('-'));
      before(() => writePrepared(directory(), { tokenizer, train: documents, eval: documents, batchDocuments: 7 }));

      const epoch = async (changes: Partial<LoaderOptions>): Promise<HostBatch[]> => {
        const options = { directory: directory(), contextLength: T, batchSize: 1, seed: 5, windowTokens: 10_000, ...changes };
        const loader = await openLoader({ packing: 'segments', sampling: 'epoch', ...options });
        const batches: HostBatch[] = [];
        for (let i = 0; i < loader.batchesPerEpoch; i++) batches.push(await loader.next());
        await loader.close();
        return batches;
      };

      it('are what other readers of Arrow find in the files, and what the store gives back', async () => {
        const table = tableFromIPC(await fs.readFile(`${directory()}/train-00000.arrow`));
        const rows = table.toArray().map((row) => row.toJSON());
        const store = await openTokens(directory(), 'train');
        const given = await store.read(0);
        await store.close();
        for (const [i, { ids, supervised, weight }] of documents.slice(0, 7).entries()) {
          assert.deepEqual([...rows[i].ids], ids);
          const [from, to] = [given.offsets[i], given.offsets[i + 1]];
          assert.deepEqual(given.supervised && [...given.supervised.subarray(from, to)], supervised);
          assert.deepEqual(rows[i].supervised && [...rows[i].supervised].map(Number), supervised);
          assert.deepEqual([rows[i].weight, given.weights?.[i]], [weight, weight]);
        }
      });

      it('segments: make each token with a 1 a target once, with the weight of its document', async () => {
        const wanted = wantedOf(documents, (id) => firsts.has(id));
        assert.deepEqual(sorted(targetsOf(await epoch({}), documents)), sorted(wanted));
      });

      it('concat: the same, where the token before it is the one before it in the data', async () => {
        // Documents follow each other in a shuffled order, in which another id may come before the first of one.
        const batches = await epoch({ packing: 'concat' });
        for (const batch of batches) {
          for (let i = 0; i < batch.targets.length; i++) {
            const { supervised, weight = 1 } = documents.find(({ ids }) => ids.includes(batch.targets[i])) ?? {};
            if (batch.targets[i] < 0) continue;
            const document = documents.find(({ ids }) => ids.includes(batch.targets[i]))!;
            assert.notEqual(supervised?.[document.ids.indexOf(batch.targets[i])], 0);
            assert.equal(batch.weights?.[i] ?? 1, weight);
          }
        }
        const found = batches.flatMap(({ targets }) => [...targets].filter((id) => id >= 0 && !firsts.has(id))).sort((a, b) => a - b);
        assert.deepEqual(
          found,
          sorted(wantedOf(documents, (id) => firsts.has(id))).map(([id]) => id),
        );
      });

      it('a pass: each with a 1 is a target once, whatever is in memory at a time', async () => {
        for (const packing of ['concat', 'segments'] as const) {
          for (const windowTokens of [60, 500, undefined]) {
            const pass = await openPass({ directory: directory(), split: 'eval', contextLength: T, batchSize: 3, packing, windowTokens });
            const batches: HostBatch[] = [];
            for await (const { batch } of pass.batches()) batches.push(batch);
            await pass.close();
            const wanted = wantedOf(documents, (id) => (packing === 'concat' ? id === 0 : firsts.has(id)));
            assert.deepEqual(sorted(targetsOf(batches, documents)), sorted(wanted));
          }
        }
      });

      it('drawn at random: rows hold no target without a 1, and the weight of each', async () => {
        const batches = await epoch({ packing: 'concat', sampling: 'random' });
        const wanted = wantedOf(documents, () => false);
        const found = targetsOf(batches, documents);
        assert.ok(found.size > 500);
        for (const [id, weight] of found) assert.equal(weight, wanted.get(id));
        for (const { ids, targets } of batches) {
          for (let i = 0; i < ids.length; i++) assert.equal(targets[i], wanted.has(ids[i] + 1) ? ids[i] + 1 : -1);
        }
      });
    });
  }

  it('of one source stand beside another without them, whose every token counts 1', async () => {
    const half = TOKENS / 2;
    const [masked, plain] = [documentsOf(['supervised', 'weight'], 'a', 0, half), documentsOf([], 'b', half, half)];
    const whole = plain.map((document) => ({ ...document, supervised: document.ids.map(() => 1), weight: 1 }));
    await writePrepared(at('mixed'), { tokenizer, train: [...masked, ...whole] });
    const loader = await openLoader({
      directory: at('mixed'),
      contextLength: T,
      batchSize: 4,
      packing: 'segments',
      sampling: 'epoch',
      seed: 1,
      mixture: { a: 1, b: 1 },
    });
    for (let i = 0; i < 20; i++) {
      const { targets, weights, segments } = await loader.next();
      for (let j = 0; j < targets.length; j++) {
        if (targets[j] >= half) assert.equal(weights![j], 1);
        if (segments[j] < 0) assert.deepEqual([targets[j], weights![j]], [-1, 0]);
      }
    }
    await loader.close();
  });

  it('come into a batch that had none before: what was there counts 1', () => {
    const tokens = (weights?: Float32Array) => {
      const ids = Uint16Array.of(1, 2, 3);
      return { ids, offsets: Int32Array.of(0, 3), untold: [], bytes: (from: number, to: number) => to - from, weights };
    };
    const batch = emptyBatch(3, 4, 0);
    for (const [place, weights] of [undefined, Float32Array.of(0.5), undefined].entries()) {
      segmentsPacking(tokens(weights), 4).fill(batch, place, 0);
    }
    assert.deepEqual([...batch.weights!], [1, 1, 0, 0, 0.5, 0.5, 0, 0, 1, 1, 0, 0]);
    assert.deepEqual([batch.supervised, batch.weight, batch.bytes], [6, 5, 6]);
  });

  it('with weights that are no such are refused', async () => {
    const schema = tokensSchema(tokenizer.vocabSize, new Map([['tokenizer_sha256', tokenizer.hash()]]), { weight: true });
    await writePrepared(at('bad'), { tokenizer, train: documentsOf([]).slice(0, 1), eval: [] });
    const [{ ids, bytes }] = documentsOf([]);
    for (const weight of [Number.NaN, -1, Number.POSITIVE_INFINITY]) {
      const file = new ArrowFile(at('bad/train-00000.arrow'), schema);
      await file.write(
        tokensBatch(schema, {
          ids: [Uint16Array.from(ids)],
          offsets: Int32Array.of(0, ids.length),
          bytes: Uint32Array.of(bytes),
          source: 'a',
          weights: Float32Array.of(weight),
        }),
      );
      await file.close();
      const store = await openTokens(at('bad'), 'train');
      await assert.rejects(store.read(0), { name: 'UserError', message: /weights that are finite and at least 0/ });
      await store.close();
    }
  });
});

describe('the lengths of segments', () => {
  it('are told of each token, row by row, 0 on padding', () => {
    const segments = Int32Array.of(0, 0, 1, 1, 1, 2, -1, -1);
    assert.deepEqual([...segmentLengths({ segments, contextLength: 8 })], [2, 2, 3, 3, 3, 1, 0, 0]);
    assert.deepEqual([...segmentLengths({ segments: Int32Array.of(0, 0, 0, 0), contextLength: 2 })], [2, 2, 2, 2]);
  });
});
