import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import { Field, makeData, RecordBatch, Schema, Struct, Utf8 } from 'apache-arrow';
import fc from 'fast-check';
import { ArrowFile, readBatches, readMetadata } from '../../datasets/arrow.js';
import type { Dataset } from '../../datasets/dataset.js';
import { charactersIn, isHeldOut } from '../../datasets/documents.js';
import { type PrepareOptions, prepare } from '../../datasets/prepare.js';
import { sourceTable } from '../../datasets/source-table.js';
import { surveyCorpora } from '../../datasets/survey.js';
import { loadTokenizer, readTokenizer, type Tokenizer, trainTokenizer } from '../../tokenizer/index.js';
import { documents } from './documents.js';
import { temporaryFolder } from './temporary.js';
import { type CorpusRow, writeCorpus } from './write-corpus.js';

const rows = (source: string, count: number): CorpusRow[] =>
  Array.from({ length: count }, (_, i) => ({ source, text: `${source} ${i}: ${'words 模型 🎉 '.repeat(i % 9)}` }));
const mixed = Array.from({ length: 120 }, (_, i) => rows(['wiki', 'c4', 'books'][i % 3], 120)[i]);

describe('preparing several corpora', () => {
  const at = temporaryFolder();
  const tokenizer = trainTokenizer(
    mixed.map(({ text }) => text),
    { kind: 'bpe', vocabSize: 300 },
  );
  const base = { tokenizer, split: 'hash', evalFraction: 0.25, seed: 3, threads: 1, overwrite: true } as const;
  const prepared = (options: Partial<PrepareOptions> & { corpora: string[] }) => prepare({ ...base, output: at('tokens'), ...options });

  /** All documents of a part in the order of the files; checks each record batch against dataset.json. */
  const read = async (dataset: Dataset, part: 'train' | 'eval') => {
    const found: { ids: number[]; bytes: number; source: string }[] = [];
    for (const { file, batches } of dataset[part].shards) {
      let i = 0;
      for await (const batch of readBatches(at(`tokens/${file}`))) {
        const here = batch
          .toArray()
          .map((row) => ({ ids: [...row.ids] as number[], bytes: row.bytes as number, source: row.source as string }));
        const sum = (count: (row: (typeof here)[number]) => number) => here.reduce((total, row) => total + count(row), 0);
        const said = batches[i++];
        assert.ok(here.every(({ source }) => source === dataset.sources[said.source]));
        assert.deepEqual([said.documents, said.tokens, said.bytes], [here.length, sum(({ ids }) => ids.length), sum(({ bytes }) => bytes)]);
        found.push(...here);
      }
      assert.equal(i, batches.length);
    }
    const { documents: count, tokens, bytes, sources } = dataset[part];
    assert.deepEqual(
      [count, tokens, bytes],
      [found.length, found.flatMap(({ ids }) => ids).length, found.reduce((sum, row) => sum + row.bytes, 0)],
    );
    sources.forEach((counts, i) => {
      const own = found.filter(({ source }) => source === dataset.sources[i]);
      assert.deepEqual([counts.documents, counts.tokens], [own.length, own.flatMap(({ ids }) => ids).length]);
    });
    return found;
  };

  it('puts documents of one source into each record batch, in their order, every document once and in its part', async () => {
    const corpora = [
      await writeCorpus(at('mixed.arrow'), mixed),
      await writeCorpus(at('more.arrow'), [...rows('wiki', 40), ...rows('docs', 10)]),
    ];
    const dataset = await prepared({ corpora, shardTokens: 900 });
    assert.deepEqual(dataset.sources, ['wiki', 'c4', 'books', 'docs']);
    assert.deepEqual(JSON.parse(await fs.readFile(at('tokens/dataset.json'), 'utf8')), dataset);
    assert.ok(dataset.train.shards.length > 2);
    const all = [...mixed, ...rows('wiki', 40), ...rows('docs', 10)];
    for (const part of ['train', 'eval'] as const) {
      const found = await read(dataset, part);
      for (const name of dataset.sources) {
        const texts = found.filter(({ source }) => source === name).map(({ ids }) => tokenizer.decode(ids, { skipSpecial: true }));
        const expected = all
          .filter(({ source, text }) => source === name && isHeldOut(text, 0.25) === (part === 'eval'))
          .map(({ text }) => text);
        assert.deepEqual(texts, expected);
      }
    }
  });

  it('tail: counts over all documents of all corpora, and cuts one', async () => {
    const corpora = [
      await writeCorpus(at('mixed.arrow'), mixed, { rowsInBatch: 7 }),
      await writeCorpus(at('more.arrow'), rows('docs', 30)),
    ];
    const all = [...mixed, ...rows('docs', 30)];
    const characters = [...all.map(({ text }) => text).join('')];
    for (const evalFraction of [0.05, 0.2, 0.9]) {
      const cut = Math.floor(characters.length * (1 - evalFraction));
      const dataset = await prepared({ corpora, split: 'tail', evalFraction, shardTokens: 700, threads: evalFraction === 0.2 ? 2 : 1 });
      const text = async (part: 'train' | 'eval') =>
        (await read(dataset, part))
          .map(({ ids, source }) => [source, tokenizer.decode(ids, { skipSpecial: true })])
          .sort(([a], [b]) => dataset.sources.indexOf(a) - dataset.sources.indexOf(b));
      const bySource: Record<'train' | 'eval', [string, string][]> = { train: [], eval: [] };
      let left = cut;
      for (const row of all) {
        const own = [...row.text];
        const here = Math.min(left, own.length);
        left -= here;
        if (here > 0) bySource.train.push([row.source, own.slice(0, here).join('')]);
        if (here < own.length) bySource.eval.push([row.source, own.slice(here).join('')]);
      }
      for (const part of ['train', 'eval'] as const) {
        const order = ([a]: [string, string], [b]: [string, string]) => dataset.sources.indexOf(a) - dataset.sources.indexOf(b);
        assert.deepEqual(await text(part), bySource[part].sort(order));
      }
    }
  });

  it('counts characters of UTF-8 as code points', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => charactersIn(Buffer.from(text)) === [...text].length));
  });

  it('says where several corpora come from', async () => {
    const metadata = (importer: string, sha: string) => ({ metadata: { importer, source_sha256: sha } });
    const corpora = [
      await writeCorpus(at('a.arrow'), rows('a', 30), metadata('text', 'one')),
      await writeCorpus(at('b.arrow'), rows('b', 30), metadata('jsonl', 'two')),
    ];
    const dataset = await prepared({ corpora });
    assert.equal(dataset.importer, 'text, jsonl');
    assert.match(dataset.source_sha256, /^[0-9a-f]{64}$/);
    assert.equal((await readMetadata(at('tokens/eval-00000.arrow'))).get('source_sha256'), dataset.source_sha256);
    assert.equal((await prepared({ corpora: corpora.slice(0, 1) })).source_sha256, 'one');
  });

  it('a survey tells what the documents are, whatever the file is called', async () => {
    const survey = async (file: string, some: CorpusRow[]) => surveyCorpora([await writeCorpus(at(file), some)], { characters: true });
    const first = await survey('one.arrow', mixed);
    assert.deepEqual([first.documents, first.sources], [120, ['wiki', 'c4', 'books']]);
    assert.equal(first.characters, [...mixed.map(({ text }) => text).join('')].length);
    assert.equal(first.bytes, Buffer.byteLength(mixed.map(({ text }) => text).join('')));
    assert.deepEqual(await survey('two.arrow', mixed), first);
    assert.notEqual((await survey('two.arrow', mixed.slice(1))).sha256, first.sha256);
    assert.notEqual((await survey('two.arrow', mixed.with(5, { ...mixed[5], source: 'wiki' }))).sha256, first.sha256);
  });

  it('tells each source’s share of the tokens and of the mixture, and the epochs of one pass', async () => {
    const corpora = [await writeCorpus(at('mixed.arrow'), [...rows('wiki', 60), ...rows('c4', 30), ...rows('books', 20)])];
    const dataset = await prepared({ corpora, mixture: { wiki: 1, c4: 3, books: 0 } });
    const { header, rows: lines } = sourceTable(dataset);
    assert.deepEqual(header, ['source', 'documents', 'tokens', 'bytes', 'share', 'mixture', 'epochs in one pass']);
    const { tokens, sources } = dataset.train;
    assert.deepEqual(
      lines.map(([name, , , , share, mixture, epochs]) => [name, share, mixture, epochs]),
      [
        ['wiki', `${((100 * sources[0].tokens) / tokens).toFixed(1)} %`, '25.0 %', ((0.25 * tokens) / sources[0].tokens).toFixed(2)],
        ['c4', `${((100 * sources[1].tokens) / tokens).toFixed(1)} %`, '75.0 %', ((0.75 * tokens) / sources[1].tokens).toFixed(2)],
        ['books', `${((100 * sources[2].tokens) / tokens).toFixed(1)} %`, '0.0 %', '0'],
      ],
    );
    assert.equal(sourceTable({ ...dataset, mixture: undefined }).header.length, 5);
  });

  it('refuses a mixture that does not name the sources, before the work', async () => {
    const corpora = [await writeCorpus(at('mixed.arrow'), mixed)];
    const phases = new Set<string>();
    const failing = (mixture: Record<string, number>) =>
      prepared({ corpora, mixture, output: at('no'), onProgress: ({ phase }) => phases.add(phase) });
    await assert.rejects(failing({ wikki: 1, c4: 1, books: 1 }), {
      name: 'UserError',
      message: /no source wikki, did you mean wiki\?.*wiki has no weight/,
    });
    assert.deepEqual([...phases], ['read']);
  });

  const kinds: [string, () => Promise<Tokenizer>][] = [
    [
      'char',
      async () =>
        trainTokenizer(
          mixed.map(({ text }) => text),
          { kind: 'char' },
        ),
    ],
    [
      'char without special tokens',
      async () =>
        trainTokenizer(
          mixed.map(({ text }) => text),
          { kind: 'char', specialTokens: false },
        ),
    ],
    [
      'word',
      async () =>
        trainTokenizer(
          mixed.map(({ text }) => text),
          { kind: 'word', vocabSize: 30 },
        ),
    ],
    ["Llama 3's", () => other('llama3')],
    ["GPT-2's", () => other('gpt2')],
    ["Qwen 2.5's", () => other('qwen2')],
  ];
  async function other(name: string): Promise<Tokenizer> {
    const fixture = JSON.parse(await fs.readFile(new URL(`../tokenizer/fixtures/others/${name}.json`, import.meta.url), 'utf8'));
    return loadTokenizer(fixture.tokenizer, fixture.config ?? undefined);
  }
  for (const [name, make] of kinds) {
    it(`${name} tokenizer: documents are bos, text, eos as far as it has them; the data knows its tokenizer`, async () => {
      const made = await make();
      const corpora = [await writeCorpus(at('mixed.arrow'), mixed)];
      const dataset = await prepared({ corpora, tokenizer: made, threads: 2, shardTokens: 2000 });
      const found = [...(await read(dataset, 'train')), ...(await read(dataset, 'eval'))];
      const expected = mixed.map(({ text }) => [made.special.bos, ...made.encode(text), made.special.eos].filter((id) => id >= 0).join());
      assert.deepEqual(found.map(({ ids }) => ids.join()).sort(), expected.sort());
      const again = await readTokenizer(at('tokens'));
      assert.deepEqual([again.hash(), again.special], [made.hash(), made.special]);
    });
  }

  it('reads special tokens in text only where asked to', async () => {
    const corpora = [await writeCorpus(at('special.arrow'), [...mixed, { source: 'wiki', text: 'a <|user|> b' }])];
    const user = tokenizer.idOf('<|user|>')!;
    for (const allowSpecial of [false, true]) {
      const dataset = await prepared({ corpora, allowSpecial });
      const found = [...(await read(dataset, 'train')), ...(await read(dataset, 'eval'))];
      assert.equal(found.filter(({ ids }) => ids.includes(user)).length, allowSpecial ? 1 : 0);
    }
  });

  it('writes ids beyond 65,535 as they are', async () => {
    const letters = Array.from({ length: 66_000 }, (_, i) => String.fromCodePoint(0x20000 + i));
    const text = letters.join('');
    const wide = trainTokenizer([text], { kind: 'char' });
    const corpora = [
      await writeCorpus(
        at('wide.arrow'),
        [{ source: 'a', text }, ...rows('a', 20)].map(({ source, text: t }) => ({
          source,
          text: t.replace(/[ -~]/g, letters[7]).replace(/[模型🎉]/gu, letters[8]),
        })),
      ),
    ];
    const dataset = await prepared({ corpora, tokenizer: wide, evalFraction: 0.2 });
    const found = [...(await read(dataset, 'train')), ...(await read(dataset, 'eval'))];
    const long = found.find(({ ids }) => ids.length > 60_000)!;
    assert.equal(wide.decode(long.ids, { skipSpecial: true }), text);
    assert.ok(Math.max(...long.ids.slice(-10)) > 0xffff);
  });

  it('takes a document of 64 MiB', async () => {
    const line = 'a long document that does not end, 模型, and so on\n';
    const text = line.repeat(Math.ceil((64 << 20) / Buffer.byteLength(line)));
    const corpora = [await writeCorpus(at('long.arrow'), [{ source: 'long', text }, ...rows('short', 40)])];
    const dataset = await prepared({ corpora, threads: 2 });
    const batches = [...dataset.train.shards, ...dataset.eval.shards].flatMap((shard) => shard.batches);
    const long = batches.find(({ source }) => source === 0)!;
    assert.deepEqual([long.documents, long.bytes], [1, Buffer.byteLength(text)]);
    assert.ok(long.tokens > 5_000_000);
    await fs.rm(at('long.arrow'));
  });

  it('replaces earlier data only when told, and then keeps nothing of it', async () => {
    const corpora = [await writeCorpus(at('mixed.arrow'), mixed)];
    await prepared({ corpora, output: at('kept'), shardTokens: 700 });
    const before = await fs.readdir(at('kept'));
    await assert.rejects(prepared({ corpora, output: at('kept'), overwrite: false }), {
      name: 'UserError',
      message: /kept exists already\. Choose another directory, or say --overwrite/,
    });
    assert.deepEqual(await fs.readdir(at('kept')), before);
    await prepared({ corpora, output: at('kept') });
    assert.deepEqual((await fs.readdir(at('kept'))).sort(), ['dataset.json', 'eval-00000.arrow', 'tokenizer.json', 'train-00000.arrow']);
  });

  describe('what is wrong with a corpus is said before the work', () => {
    const failing = (corpus: string) => prepare({ ...base, corpora: [at('mixed.arrow'), corpus], output: at('none') });
    const leftovers = async () => (await fs.readdir(at())).filter((name) => name.includes('none'));
    /** A corpus whose columns are made of any bytes. */
    const raw = async (names: string[], texts: Buffer[]) => {
      const type = new Utf8();
      const schema = new Schema(names.map((name) => new Field(name, type, false)));
      const valueOffsets = new Int32Array(texts.length + 1);
      texts.forEach((text, i) => {
        valueOffsets[i + 1] = valueOffsets[i] + text.length;
      });
      const column = () => makeData({ type, length: texts.length, nullCount: 0, valueOffsets, data: Buffer.concat(texts) });
      const file = new ArrowFile(at('raw.arrow'), schema);
      await file.write(
        new RecordBatch(
          schema,
          makeData({ type: new Struct(schema.fields), length: texts.length, nullCount: 0, children: names.map(column) }),
        ),
      );
      await file.close();
      return at('raw.arrow');
    };
    before(() => writeCorpus(at('mixed.arrow'), mixed));
    afterEach(async () => assert.deepEqual(await leftovers(), []));

    it('cut short', async () => {
      const whole = await fs.readFile(await writeCorpus(at('cut.arrow'), mixed));
      for (const part of [0.3, 0.99]) {
        await fs.writeFile(at('cut.arrow'), whole.subarray(0, Math.floor(whole.length * part)));
        await assert.rejects(failing(at('cut.arrow')), { name: 'UserError', message: /cut\.arrow/ });
      }
    });

    it('not UTF-8, in a text or between two', async () => {
      const bad = await raw(['text', 'source'], [Buffer.from('good'), Buffer.from([0x61, 0xff, 0x62])]);
      await assert.rejects(failing(bad), { name: 'UserError', message: /must be UTF-8; that of document 1 is not/ });
      const halves = await raw(['text', 'source'], [Buffer.from('é').subarray(0, 1), Buffer.from('é').subarray(1)]);
      await assert.rejects(failing(halves), { name: 'UserError', message: /must be UTF-8; that of document 1 is not/ });
    });

    it('without its columns', async () => {
      await assert.rejects(failing(await raw(['body'], [Buffer.from('x')])), { name: 'UserError', message: /must have the columns? text/ });
    });

    it('of a directory, of prepared tokens, of no documents', async () => {
      await assert.rejects(failing(at()), { name: 'UserError' });
      await prepared({ corpora: [at('mixed.arrow')] });
      await assert.rejects(failing(at('tokens/train-00000.arrow')), { name: 'UserError', message: /must have the column text/ });
      const empty = await writeCorpus(at('empty.arrow'), []);
      await assert.rejects(prepare({ ...base, corpora: [empty], output: at('none') }), {
        name: 'UserError',
        message: /there must be documents in/,
      });
    });
  });

  it('a text that the tokenizer cannot write is an error in one thread and in two', async () => {
    const corpora = [await writeCorpus(at('mixed.arrow'), mixed)];
    const narrow = trainTokenizer(['abc'], { kind: 'char' });
    for (const threads of [1, 2]) {
      await assert.rejects(prepared({ corpora, tokenizer: narrow, threads, shardTokens: 500, output: at('narrow') }), {
        name: 'UserError',
        message: /vocabulary of a char tokenizer must hold every character/,
      });
      assert.deepEqual(
        (await fs.readdir(at())).filter((name) => name.includes('narrow')),
        [],
      );
    }
  });

  it('documents of corpora come one corpus after another', async () => {
    const corpora = [await writeCorpus(at('a.arrow'), rows('a', 5)), await writeCorpus(at('b.arrow'), rows('b', 5))];
    const found: CorpusRow[] = [];
    for await (const { text, source } of documents(corpora, { split: 'hash', evalFraction: 0 })) found.push({ source, text });
    assert.deepEqual(found, [...rows('a', 5), ...rows('b', 5)]);
  });
});
