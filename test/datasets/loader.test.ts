import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import { type HostBatch, type Loader, type LoaderOptions, openLoader } from '../../datasets/loader.js';
import { type Tokenizer, trainTokenizer } from '../../tokenizer/index.js';
import { RandomStream } from '../../util/random.js';
import { type PreparedDocument, writePrepared } from './prepared.js';
import { temporaryFolder } from './temporary.js';

const T = 16;

/** A tokenizer of `n` characters, of which none is two tokens: id i is the i-th, three bytes long. */
function characters(n: number): Tokenizer {
  const text = String.fromCodePoint(...Array.from({ length: n }, (_, i) => 0x4e00 + i));
  return trainTokenizer([text], { kind: 'char', specialTokens: false });
}

/** Documents of 2 to 40 tokens that count 0, 1, 2 …: a token tells its place. */
function counting(tokens: number, source = 'a', from = 0): PreparedDocument[] {
  const random = new RandomStream(3, from);
  const documents: PreparedDocument[] = [];
  for (let first = from; first < from + tokens; ) {
    const length = Math.min(2 + random.below(39), from + tokens - first);
    documents.push({ source, ids: Array.from({ length }, (_, i) => first + i), bytes: 3 * length });
    first += length;
  }
  return documents;
}

/** Input and target of each token of a batch, row by row. */
function rowsOf({ ids, targets, batchSize, contextLength }: HostBatch): string[] {
  return Array.from({ length: batchSize }, (_, b) => {
    const row = (tokens: Int32Array) => tokens.subarray(b * contextLength, (b + 1) * contextLength);
    return `${row(ids)}>${row(targets)}`;
  });
}

describe('the loader', () => {
  const at = temporaryFolder();
  const TOKENS = 5000;
  const documents = counting(TOKENS);
  const open = (changes: Partial<LoaderOptions> = {}) =>
    openLoader({
      directory: at('data'),
      contextLength: T,
      batchSize: 3,
      packing: 'concat',
      seed: 5,
      sampling: 'epoch',
      windowTokens: 700,
      ...changes,
    });
  before(() => writePrepared(at('data'), { tokenizer: characters(TOKENS), train: documents }));

  const opened: Loader[] = [];
  const opening = async (changes: Partial<LoaderOptions> = {}) => {
    opened.push(await open(changes));
    return opened.at(-1)!;
  };
  afterEach(async () => {
    for (const loader of opened.splice(0)) await loader.close();
  });
  /** The batches of the next pass; rows of the loader are one to a batch. */
  const pass = async (loader: Loader): Promise<HostBatch[]> => {
    const { epoch } = loader.state().streams[0];
    const batches: HostBatch[] = [];
    while (loader.state().streams[0].epoch === epoch) batches.push(await loader.next());
    return batches;
  };
  const targetsOf = (batches: readonly HostBatch[]) => batches.flatMap(({ targets }) => [...targets]).filter((target) => target >= 0);

  describe('sampling: random', () => {
    // First tokens of rows 0 … 15 and from 2^32 + 5 on, recorded from the loader that held all tokens in memory.
    const recorded = [
      { seed: 1337, from: 0, starts: [4556, 1242, 2811, 4856, 3383, 1879, 3931, 2947, 4323, 4611, 4553, 1575, 1742, 1203, 1273, 1337] },
      {
        seed: 1337,
        from: 2 ** 32 + 5,
        starts: [1697, 2996, 2479, 3138, 4322, 3066, 4723, 1562, 3152, 4033, 4380, 4183, 3056, 2165, 1799, 1266],
      },
      {
        seed: 2 ** 40 + 3,
        from: 0,
        starts: [1985, 2653, 3575, 2213, 2003, 4314, 351, 1435, 4434, 4424, 491, 4148, 2962, 2116, 2430, 3036],
      },
      {
        seed: 2 ** 40 + 3,
        from: 2 ** 32 + 5,
        starts: [533, 1673, 250, 3964, 723, 723, 4839, 3437, 1186, 2882, 4234, 1485, 3493, 3579, 2050, 1645],
      },
    ];
    for (const { seed, from, starts } of recorded) {
      it(`draws the recorded rows, seed ${seed} from row ${from} on, whatever the size of the cache`, async () => {
        for (const cacheBytes of [0, 1500, 1 << 20]) {
          const loader = await opening({ seed, contextLength: 64, batchSize: 4, sampling: 'random', cacheBytes });
          const { order } = loader.state();
          await loader.restore({ order, streams: [{ epoch: 0, window: 0, row: 0, drawn: from }] });
          for (let i = 0; i < 4; i++) {
            const batch = await loader.next();
            for (let b = 0; b < 4; b++) {
              const row = Array.from({ length: 65 }, (_, t) => starts[4 * i + b] + t);
              assert.deepEqual([...batch.ids.subarray(64 * b, 64 * b + 64)], row.slice(0, 64));
              assert.deepEqual([...batch.targets.subarray(64 * b, 64 * b + 64)], row.slice(1));
              assert.deepEqual(
                [...batch.positions.subarray(64 * b, 64 * b + 64)],
                Array.from({ length: 64 }, (_, t) => t),
              );
            }
            assert.deepEqual([batch.supervised, batch.bytes], [4 * 64, 4 * 64 * 3]);
            assert.ok(batch.segments.every((segment) => segment === 0));
          }
        }
      });
    }

    it('goes over the whole text', async () => {
      const loader = await opening({ sampling: 'random', batchSize: 2000 });
      const { ids } = await loader.next();
      const tenths = new Set(Array.from({ length: 2000 }, (_, b) => Math.floor((10 * ids[b * T]) / TOKENS)));
      assert.equal(tenths.size, 10);
    });
  });

  describe('sampling: epoch', () => {
    it('concat: each token but the first of a window is a target once a pass, and input before it the token that the text has there', async () => {
      const loader = await opening({ batchSize: 1 });
      for (let round = 0; round < 3; round++) {
        const batches = await pass(loader);
        const targets = targetsOf(batches);
        assert.equal(new Set(targets).size, targets.length);
        const windows = TOKENS - targets.length;
        assert.ok(windows >= 5 && windows <= 12, `${windows}`);
        const firsts = new Set(documents.map(({ ids }) => ids[0]));
        for (const { ids, targets } of batches) {
          targets.forEach((target, i) => {
            if (target >= 0 && !firsts.has(target)) assert.equal(target, ids[i] + 1);
          });
        }
      }
    });

    it('concat: the bytes of a pass are those of its targets', async () => {
      const batches = await pass(await opening({ batchSize: 1 }));
      for (const { bytes, supervised } of batches) assert.equal(bytes, 3 * supervised);
    });

    it('segments: documents keep to themselves; each token but a document’s first is a target once a pass', async () => {
      for (const contextLength of [1, 2, 5, 16, 64]) {
        const loader = await opening({ packing: 'segments', contextLength, batchSize: 1 });
        if (contextLength === 1) continue; // every row holds one token, which predicts none
        for (let round = 0; round < 2; round++) {
          const batches = await pass(loader);
          for (const { ids, targets, positions, segments } of batches) {
            for (let i = 0; i < ids.length; i++) {
              const last = i + 1 === contextLength || segments[i + 1] !== segments[i];
              assert.equal(targets[i], segments[i] === -1 || last ? -1 : ids[i] + 1);
              assert.equal(positions[i], segments[i] === -1 || i === 0 || segments[i] !== segments[i - 1] ? 0 : positions[i - 1] + 1);
            }
          }
          const expected = documents.flatMap(({ ids }) => ids.slice(1));
          assert.deepEqual(
            targetsOf(batches).sort((a, b) => a - b),
            expected,
          );
        }
      }
    });

    it('segments: wastes little room', async () => {
      const batches = await pass(await opening({ packing: 'segments', contextLength: 64, batchSize: 1, windowTokens: TOKENS }));
      const filled = batches.reduce((sum, { segments }) => sum + segments.filter((segment) => segment >= 0).length, 0);
      assert.ok(filled / (64 * batches.length) > 0.9, `${filled / (64 * batches.length)}`);
    });

    for (const packing of ['concat', 'segments'] as const) {
      it(`${packing}: documents and rows come in another order in every pass and under every seed`, async () => {
        const loader = await opening({ packing, batchSize: 1 });
        const orders = [await pass(loader), await pass(loader), await pass(await opening({ packing, batchSize: 1, seed: 6 }))];
        const rows = orders.map((batches) => new Set(batches.flatMap(rowsOf)));
        const first = orders.map((batches) => batches.slice(0, 20).flatMap(rowsOf));
        for (const [a, b] of [
          [0, 1],
          [0, 2],
          [1, 2],
        ]) {
          const same = first[a].filter((row) => first[b].includes(row)).length;
          assert.ok(same < 5, `${same} of 20 rows`);
          const kept = [...rows[a]].filter((row) => rows[b].has(row)).length;
          if (packing === 'concat') assert.ok(kept < rows[a].size / 2, `${kept} of ${rows[a].size} rows hold the same documents`);
        }
        const ascending = orders[0].map(({ ids }) => ids[0]).filter((id, i, all) => i > 0 && id > all[i - 1]).length;
        assert.ok(ascending > orders[0].length * 0.3 && ascending < orders[0].length * 0.7);
      });

      it(`${packing}: an epoch is about as many batches as there are rows for`, async () => {
        for (const windowTokens of [700, 1 << 20]) {
          const loader = await opening({ packing, windowTokens });
          const rows = (await pass(await opening({ packing, windowTokens, batchSize: 1 }))).length;
          const exact = packing === 'concat' || windowTokens > TOKENS;
          const error = Math.abs(loader.batchesPerEpoch - Math.ceil(rows / 3));
          assert.ok(exact ? error === 0 : error < 0.05 * loader.batchesPerEpoch, `${loader.batchesPerEpoch} for ${rows} rows`);
        }
      });
    }
  });

  for (const [packing, sampling] of [
    ['concat', 'epoch'],
    ['segments', 'epoch'],
    ['concat', 'random'],
  ] as const) {
    describe(`${packing}, ${sampling}`, () => {
      it('goes on exactly from a saved state, within a window, into the next and into the next pass', async () => {
        const loader = await opening({ packing, sampling });
        for (let step = 0; step < 2.5 * loader.batchesPerEpoch; step++) {
          const state = JSON.parse(JSON.stringify(loader.state()));
          const batch = await loader.next();
          if (step % 5 !== 0) continue;
          const resumed = await opening({ packing, sampling });
          await resumed.restore(state);
          assert.deepEqual(await resumed.next(), batch);
          assert.deepEqual(resumed.state(), loader.state());
        }
      });

      it('goes back to an earlier state', async () => {
        const loader = await opening({ packing, sampling });
        const state = loader.state();
        const first = await loader.next();
        for (let i = 0; i < 50; i++) await loader.next();
        await loader.restore(state);
        assert.deepEqual(await loader.next(), first);
      });

      it('gives the same rows in batches of any size', async () => {
        const rows = async (batchSize: number) => {
          const loader = await opening({ packing, sampling, batchSize });
          const all: string[] = [];
          while (all.length < 420) all.push(...rowsOf(await loader.next()));
          return all.slice(0, 420);
        };
        assert.deepEqual(await rows(7), await rows(1));
      });
    });
  }

  it('holds no more than the windows in use, and reads only what they need', async () => {
    await writePrepared(at('half'), { tokenizer: characters(TOKENS), train: documents, shardBatches: 18 });
    // With the last shard gone bad, a pass begins as ever and fails where it comes to it.
    const loader = await opening({ directory: at('half'), windowTokens: 100 });
    const shards = (await fs.readdir(at('half'))).filter((name) => name.startsWith('train-')).sort();
    for (const shard of shards.slice(1)) {
      const bytes = await fs.readFile(at(`half/${shard}`));
      await fs.writeFile(at(`half/${shard}`), bytes.fill(0xff, 700, bytes.length - 900));
    }
    let given = 0;
    await assert.rejects(async () => {
      for (;;) {
        await loader.next();
        given++;
      }
    });
    assert.ok(given > 0 && given < loader.batchesPerEpoch, `${given}`);
  });

  it('refuses a state of other data, options or version', async () => {
    const loader = await opening();
    const { streams } = loader.state();
    const refuses = async (changes: Partial<LoaderOptions>) => {
      const { order } = (await opening(changes)).state();
      await assert.rejects(loader.restore({ order, streams }), { name: 'UserError', message: /of the same data, context_length/ });
    };
    await refuses({ contextLength: 8 });
    await refuses({ seed: 6 });
    await refuses({ packing: 'segments' });
    await refuses({ sampling: 'random' });
    await refuses({ mixture: { a: 1 } });
    await writePrepared(at('other'), { tokenizer: characters(TOKENS), train: counting(TOKENS - 1) });
    await refuses({ directory: at('other') });
    const { order } = loader.state();
    for (const place of [{ window: 100 }, { row: 10 ** 6 }]) {
      const state = { order, streams: [{ epoch: 1, window: 0, row: 0, drawn: 5, ...place }] };
      await assert.rejects((await opening()).restore(state), { name: 'UserError', message: /place must be one of the data's/ });
    }
    for (const old of [{ epoch: 0, row: 2, drawn: 2 }, {}, null, { order, streams: [{ epoch: 0, window: 0, row: -1, drawn: 0 }] }]) {
      await assert.rejects(loader.restore(old as unknown as ReturnType<Loader['state']>), {
        name: 'UserError',
        message: /earlier version's/,
      });
    }
  });

  it('says what is wrong with a directory', async () => {
    const fails = (changes: Partial<LoaderOptions>, message: RegExp) => assert.rejects(opening(changes), { name: 'UserError', message });
    await fails({ directory: at('nowhere') }, /directory of prepared tokens.*ENOENT/);
    await fails({ contextLength: 10 ** 6, sampling: 'random' }, /at least 1000001 tokens/);
    await fails({ sampling: 'random', packing: 'segments' }, /packing: concat/);
    await fs.cp(at('data'), at('mixed'), { recursive: true });
    await fs.writeFile(at('mixed/tokenizer.json'), JSON.stringify(characters(4000)));
    await fails({ directory: at('mixed') }, /tokenizer.json beside it/);

    const changed = async (change: (dataset: { train: { shards: unknown[] }; sources?: string[] }) => void) => {
      const dataset = JSON.parse(await fs.readFile(at('data/dataset.json'), 'utf8'));
      change(dataset);
      await fs.cp(at('data'), at('changed'), { recursive: true });
      await fs.writeFile(at('changed/dataset.json'), JSON.stringify(dataset));
    };
    await changed((dataset) => {
      dataset.train.shards = ['train-00000.arrow'];
    });
    await fails({ directory: at('changed') }, /of another version or damaged: at train.shards.0/);
    await changed((dataset) => {
      (dataset.train.shards[0] as { batches: unknown[] }).batches.pop();
    });
    await fails({ directory: at('changed') }, /train-00000.arrow must hold 2 record batches.*received 3/);
    await changed((dataset) => {
      for (const shard of dataset.train.shards as { batches: { tokens: number }[] }[]) shard.batches[0].tokens++;
    });
    await assert.rejects(async () => pass(await opening({ directory: at('changed') })), {
      name: 'UserError',
      message: /must hold a record batch of 10 documents with \d+ tokens/,
    });
    await fs.writeFile(at('changed/dataset.json'), '{"train":');
    await fails({ directory: at('changed') }, /is not JSON/);
  });

  it('refuses data with nothing to predict', async () => {
    const single = Array.from({ length: 30 }, (_, i) => ({ source: 'a', ids: [i], bytes: 3 }));
    await writePrepared(at('single'), { tokenizer: characters(100), train: single });
    const loader = await opening({ directory: at('single'), packing: 'segments' });
    await assert.rejects(loader.next(), { name: 'UserError', message: /at least 2 tokens/ });
    assert.equal((await (await opening({ directory: at('single') })).next()).supervised > 0, true);
    await writePrepared(at('one'), { tokenizer: characters(100), train: single.slice(0, 1) });
    await assert.rejects(opening({ directory: at('one') }), { name: 'UserError', message: /must have at least 2 tokens.*it has 1/ });
  });
});
