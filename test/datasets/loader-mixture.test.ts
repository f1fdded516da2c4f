import assert from 'node:assert/strict';
import { type Loader, type LoaderOptions, openLoader } from '../../datasets/loader.js';
import { trainTokenizer } from '../../tokenizer/index.js';
import { type PreparedDocument, writePrepared } from './prepared.js';
import { temporaryFolder } from './temporary.js';

const T = 8;
const WAYS = [
  ['concat', 'epoch'],
  ['segments', 'epoch'],
  ['concat', 'random'],
] as const;
const SIZES = { wiki: 3000, c4: 1000, books: 500 };

describe('the loader with a mixture', () => {
  const at = temporaryFolder();
  const tokenizer = trainTokenizer([String.fromCodePoint(...Array.from({ length: 5000 }, (_, i) => 0x4e00 + i))], {
    kind: 'char',
    specialTokens: false,
  });
  // Ids tell the source: wiki has those from 0, c4 from 3000, books from 4000.
  const train: PreparedDocument[] = [];
  let first = 0;
  for (const [source, size] of Object.entries(SIZES)) {
    for (let from = 0; from < size; from += 25) {
      train.push({ source, ids: Array.from({ length: 25 }, (_, i) => first + from + i), bytes: 75 });
    }
    first = Math.max(first + size, first === 0 ? 3000 : 4000);
  }
  const sourceOf = (id: number) => (id < 3000 ? 'wiki' : id < 4000 ? 'c4' : 'books');
  before(async () => {
    await writePrepared(at('data'), { tokenizer, train });
    await writePrepared(at('own'), { tokenizer, train, mixture: { wiki: 1, c4: 1, books: 0 } });
  });

  const opened: Loader[] = [];
  const open = async (changes: Partial<LoaderOptions> = {}) => {
    const settings = { contextLength: T, batchSize: 5, packing: 'concat', seed: 5, sampling: 'epoch', windowTokens: 400 } as const;
    opened.push(await openLoader({ directory: at('data'), mixture: { wiki: 2, c4: 1, books: 1 }, ...settings, ...changes }));
    return opened.at(-1)!;
  };
  afterEach(async () => {
    for (const loader of opened.splice(0)) await loader.close();
  });
  const rows = async (loader: Loader, count: number) => {
    const all: Int32Array[] = [];
    while (all.length < count) {
      const { ids, batchSize } = await loader.next();
      for (let b = 0; b < batchSize; b++) all.push(ids.slice(b * T, b * T + T));
    }
    return all.slice(0, count);
  };
  const sources = async (loader: Loader, count: number) => (await rows(loader, count)).map((row) => sourceOf(row[0]));

  it('takes rows of each source in the order of the shares, each row from one source', async () => {
    for (const [packing, sampling] of WAYS) {
      const loader = await open({ packing, sampling });
      const order = await sources(loader, 400);
      const expected = ['wiki', 'c4', 'books', 'wiki'];
      assert.deepEqual(
        order,
        order.map((_, i) => expected[i % 4]),
      );
    }
  });

  it('goes over each source at its own speed: every token once before any comes again', async () => {
    const loader = await open({ mixture: { wiki: 1, c4: 2, books: 0 }, batchSize: 1 });
    const seen = new Map<number, number>();
    while (loader.state().streams[1].epoch < 2) {
      const before = loader.state().streams[1].epoch;
      for (const target of (await loader.next()).targets) if (target >= 3000) seen.set(target, (seen.get(target) ?? 0) + 1);
      if (loader.state().streams[1].epoch === before) continue;
      const counts = [...seen.values()];
      assert.ok(counts.length > 980 && Math.max(...counts) - Math.min(...counts) <= 1, `${counts.length}`);
    }
    const { streams } = loader.state();
    assert.ok(streams[1].drawn === 2 * streams[0].drawn || streams[1].drawn === 2 * streams[0].drawn + 1);
    assert.equal(streams[0].epoch, 0);
  });

  it("uses the data's own mixture, and one given in its place", async () => {
    const named = (order: string[]) => [...new Set(order)].sort();
    assert.deepEqual(named(await sources(await open({ directory: at('own'), mixture: undefined }), 100)), ['c4', 'wiki']);
    const given = await open({ directory: at('own'), mixture: { wiki: 0, c4: 0, books: 1 } });
    assert.deepEqual(named(await sources(given, 100)), ['books']);
    assert.equal(given.tokens, 500);
  });

  it('takes as much of each source as there is where there is no mixture, at all times', async () => {
    for (const [packing, sampling] of WAYS) {
      const loader = await open({ mixture: undefined, packing, sampling });
      const order = await sources(loader, 3 * loader.batchesPerEpoch * 5);
      assert.deepEqual(
        loader.sources.map(({ name, tokens }) => [name, tokens]),
        Object.entries(SIZES),
      );
      for (const { name, tokens, share, rows } of loader.sources) {
        assert.ok(Math.abs(share - tokens / 4500) < 0.01 && Math.abs(rows / (loader.batchesPerEpoch * 5) - share) < 0.01);
        for (let from = 0; from + 180 < order.length; from += 180) {
          const part = order.slice(from, from + 180).filter((source) => source === name).length / 180;
          assert.ok(Math.abs(part - share) < (sampling === 'random' ? 0.2 : 0.02), `${name}, ${packing}: ${part}, not ${share}`);
        }
      }
      const passes = loader.state().streams.map(({ epoch }) => epoch);
      assert.deepEqual(passes, sampling === 'random' ? [0] : [3, 3, 3]);
    }
  });

  it('calls as many rows an epoch as all its sources have, and tells each source’s part', async () => {
    const loader = await open({ windowTokens: 1 << 20, mixture: { wiki: 2, c4: 1, books: 0 } });
    const passes = [Math.ceil(2999 / T), Math.ceil(999 / T)];
    assert.equal(loader.batchesPerEpoch, Math.ceil((passes[0] + passes[1]) / 5));
    assert.deepEqual(
      loader.sources.map(({ name, share, rows }) => [name, share, rows]),
      [
        ['wiki', 2 / 3, passes[0]],
        ['c4', 1 / 3, passes[1]],
        ['books', 0, 0],
      ],
    );
  });

  for (const [packing, sampling] of WAYS) {
    it(`${packing}, ${sampling}: goes on exactly from a saved state`, async () => {
      const loader = await open({ packing, sampling });
      for (let step = 0; step < 200; step++) {
        const state = JSON.parse(JSON.stringify(loader.state()));
        const batch = await loader.next();
        if (step % 9 !== 0) continue;
        const resumed = await open({ packing, sampling });
        await resumed.restore(state);
        assert.deepEqual(await resumed.next(), batch);
        assert.deepEqual(resumed.state(), loader.state());
      }
    });
  }

  it('a source’s rows do not depend on what it is mixed with', async () => {
    const [mixed, alone] = [await open({ mixture: { wiki: 1, c4: 3, books: 0 } }), await open({ mixture: { wiki: 1, c4: 0, books: 2 } })];
    const wiki = async (loader: Loader) => (await rows(loader, 600)).filter((row) => sourceOf(row[0]) === 'wiki').slice(0, 100);
    assert.deepEqual(await wiki(mixed), await wiki(alone));
  });

  it('refuses a mixture that does not fit the data, and goes on with no other', async () => {
    await assert.rejects(open({ mixture: { wiki: 1, c4: 1, boks: 1 } }), {
      name: 'UserError',
      message: /no source boks, did you mean books\?/,
    });
    const loader = await open();
    const other = await open({ mixture: { wiki: 2, c4: 1, books: 2 } });
    await assert.rejects(other.restore(loader.state()), { name: 'UserError', message: /same data.*mixture/ });
    const few = [...train.slice(0, 40), { source: 'poem', ids: [4999], bytes: 3 }];
    await writePrepared(at('few'), { tokenizer, train: few });
    await assert.rejects(open({ directory: at('few'), mixture: { wiki: 1, poem: 1 } }), {
      name: 'UserError',
      message: /source poem of .* must have at least 2 tokens.*it has 1.*give it the weight 0/,
    });
  });
});
