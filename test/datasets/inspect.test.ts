import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import path from 'node:path';
import {
  Bool,
  type DataType,
  Field,
  Int64,
  List,
  type RecordBatch,
  Struct,
  Table,
  TimestampMillisecond,
  tableToIPC,
  Uint16,
  Uint32,
  Utf8,
  type Vector,
  vectorFromArray,
} from 'apache-arrow';
import fc from 'fast-check';
import { inspect, inspectRow } from '../../datasets/inspect/inspect.js';
import { type LengthCounts, lengthBins } from '../../datasets/inspect/lengths.js';
import { inspectionPage, rowPage } from '../../datasets/inspect/page.js';
import { inspectionText, rowText } from '../../datasets/inspect/terminal.js';
import { trainTokenizer } from '../../tokenizer/index.js';
import { withoutColour } from '../util/environment.js';
import { temporaryFolder } from './temporary.js';

const listOf = (type: DataType) => new List(new Field('item', type, true));
const text = new Utf8();

/** Writes columns as an Arrow file in record batches of `batchRows`. */
async function writeArrow(
  file: string,
  columns: Record<string, [values: readonly unknown[], type: DataType]>,
  { metadata = {}, batchRows = 1e6 }: { metadata?: Record<string, string>; batchRows?: number } = {},
): Promise<string> {
  const rows = Math.max(...Object.values(columns).map(([values]) => values.length));
  const batches: RecordBatch[] = [];
  for (let from = 0; from < Math.max(1, rows); from += batchRows) {
    const vectors = Object.entries(columns).map(([name, [values, type]]) => [
      name,
      vectorFromArray(values.slice(from, from + batchRows), type),
    ]);
    batches.push(...new Table(Object.fromEntries(vectors) as Record<string, Vector>).batches);
  }
  const table = new Table(batches);
  for (const [key, value] of Object.entries(metadata)) table.schema.metadata.set(key, value);
  await fs.mkdir(path.dirname(file), { recursive: true });
  await fs.writeFile(file, tableToIPC(table, 'file'));
  return file;
}

const bins = (lengths: LengthCounts | undefined) => Object.fromEntries(lengthBins(lengths!).map(({ label, count }) => [label, count]));
const userError = (message: RegExp) => ({ name: 'UserError', message });

describe('inspecting data', () => {
  const at = temporaryFolder();
  withoutColour();
  const tokenizer = trainTokenizer(['the cat and the hat, 模型模型'], { kind: 'bpe', vocabSize: 290 });

  const corpus = (batchRows?: number) =>
    writeArrow(
      at('corpus.arrow'),
      {
        text: [['', 'abc', '模型', 'x'.repeat(1200), 'the cat'], text],
        source: [['a', 'a', 'zh', 'a', 'zh'], text],
      },
      { metadata: { importer: 'text' }, batchRows },
    );

  it('counts a corpus by source: documents, UTF-8 bytes, characters, lengths', async () => {
    const { kind, columns, metadata, lengthsIn, parts } = await inspect(await corpus());
    assert.deepEqual([kind, lengthsIn, metadata], ['corpus', 'bytes', [['importer', 'text']]]);
    assert.deepEqual(
      columns.map(({ name, type, nulls }) => [name, type, nulls]),
      [
        ['text', 'utf8', 0],
        ['source', 'utf8', 0],
      ],
    );
    const [{ total, sources, batches, size }] = parts;
    assert.equal(batches, 1);
    assert.equal(size, (await fs.stat(at('corpus.arrow'))).size);
    const figures = [total, ...sources].map(({ name, rows, bytes, characters, longest }) => [name, rows, bytes, characters, longest]);
    assert.deepEqual(figures, [
      ['all', 5, 1216, 1212, 1200],
      ['a', 3, 1203, 1203, 1200],
      ['zh', 2, 13, 9, 7],
    ]);
    assert.deepEqual(bins(total.lengths), {
      '0': 1,
      '1': 0,
      '2 – 4': 1,
      '5 – 9': 2,
      ...zeros('10 – 19', '20 – 49', '50 – 99'),
      ...zeros('100 – 199', '200 – 499', '500 – 999'),
      '1k – 2k': 1,
    });
    assert.deepEqual(bins(sources[1].lengths), { '5 – 9': 2 });
  });

  const zeros = (...labels: string[]) => Object.fromEntries(labels.map((label) => [label, 0]));

  it('counts the same whatever the record batches are', async () => {
    const row = fc.record({ text: fc.string({ unit: 'grapheme' }), source: fc.constantFrom('a', 'b', 'c') });
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 30 }), fc.integer({ min: 1, max: 9 }), async (rows, batchRows) => {
        const columns = { text: [rows.map((r) => r.text), text], source: [rows.map((r) => r.source), text] } as const;
        const read = async (size: number) => {
          const { parts } = await inspect(await writeArrow(at('batches.arrow'), columns as never, { batchRows: size }));
          const [{ batches: _, size: __, ...rest }] = parts;
          return rest;
        };
        const inBatches = await read(batchRows);
        assert.deepEqual(inBatches, await read(1000));
        const naive = rows.filter(({ source }) => source === rows[0].source);
        assert.equal(
          inBatches.sources[0].bytes,
          naive.reduce((sum, r) => sum + Buffer.byteLength(r.text), 0),
        );
        assert.equal(
          inBatches.sources[0].characters,
          naive.reduce((sum, r) => sum + [...r.text].length, 0),
        );
      }),
      { numRuns: 40 },
    );
  });

  it('counts the tokens of a corpus with a tokenizer, and shows them in the examples', async () => {
    await fs.writeFile(at('tokenizer.json'), JSON.stringify(tokenizer));
    const { parts } = await inspect(await corpus(2), { tokenizer: at('tokenizer.json') });
    const long = await writeArrow(at('long.arrow'), { text: [['x'.repeat(1200)], text], source: [['a'], text] });
    const [{ tokens, left }] = (await inspect(long, { tokenizer: at('tokenizer.json') })).parts[0].examples;
    assert.deepEqual([tokens?.count, tokens?.ids?.length, left], [1200, 120, '1,080 more tokens']);
    const expected = (texts: string[]) => texts.reduce((sum, each) => sum + tokenizer.encode(each).length, 0);
    assert.equal(parts[0].sources[0].tokens, expected(['abc', 'x'.repeat(1200)]));
    assert.equal(parts[0].sources[1].tokens, expected(['模型', 'the cat']));
    assert.equal(parts[0].total.tokens, expected(['abc', 'x'.repeat(1200), '模型', 'the cat']));
    assert.deepEqual(parts[0].examples.find(({ row }) => row === 2)?.tokens?.ids, tokenizer.encode('模型'));
  });

  it('shows examples of each source, the same for the same rows', async () => {
    const sources = Array.from({ length: 300 }, (_, i) => (i < 250 ? 'large' : i % 2 ? 'b' : 'c'));
    const columns = { text: [sources.map((_, i) => `text ${i}`), text], source: [sources, text] } as const;
    const examples = async (batchRows: number) => {
      const { parts } = await inspect(await writeArrow(at('examples.arrow'), columns as never, { batchRows }));
      return parts[0].examples.map(({ row, source, text: shown }) => ({ row, source, shown }));
    };
    const rows = await examples(1000);
    assert.deepEqual(await examples(7), rows);
    for (const { row, source, shown } of rows) assert.deepEqual([source, shown], [sources[row], `text ${row}`]);
    assert.deepEqual(rows.map(({ source }) => source).sort(), ['b', 'c', 'large', 'large']);
  });

  it('shows the beginning of long texts, and never half a character', async () => {
    const long = await writeArrow(at('long.arrow'), { text: [[`${'y'.repeat(499)}😀${'z'.repeat(600)}`], text], source: [['a'], text] });
    const [example] = (await inspect(long)).parts[0].examples;
    assert.deepEqual([example.text, example.left], ['y'.repeat(499), '602 more characters']);
    assert.equal((await inspectRow(long, 0)).text?.length, 1101);
  });

  const shard = (file: string, ids: number[][], supervised?: boolean[][]) =>
    writeArrow(
      file,
      {
        ids: [ids, listOf(new Uint16())],
        bytes: [ids.map((each) => Buffer.byteLength(tokenizer.decode(each, { skipSpecial: true }))), new Uint32()],
        source: [ids.map((_, i) => (i % 2 ? 'hat' : 'cat')), text],
        ...(supervised && { supervised: [supervised, listOf(new Bool())] }),
      } as never,
      { metadata: { tokenizer_sha256: tokenizer.hash() }, batchRows: 2 },
    );
  const document = (content: string) => [0, ...tokenizer.encode(content), 1];

  it('counts tokens by source, and those that are to be predicted', async () => {
    const ids = ['the cat', '模', 'hat'].map(document);
    const file = await shard(
      at('alone/shard.arrow'),
      ids,
      ids.map((each) => each.map((_, i) => i > 1)),
    );
    const { kind, lengthsIn, parts, notes, columns } = await inspect(file);
    assert.deepEqual([kind, lengthsIn], ['tokens', 'tokens']);
    assert.equal(columns[0].type, 'list<uint16>');
    const [cat, hat] = parts[0].sources;
    assert.deepEqual(
      [cat.rows, cat.tokens, cat.supervised, cat.bytes],
      [2, ids[0].length + ids[2].length, ids[0].length + ids[2].length - 4, 10],
    );
    assert.deepEqual([hat.rows, hat.tokens, hat.bytes], [1, ids[1].length, 3]);
    assert.match(notes[0], /--tokenizer/);
    assert.equal(parts[0].examples[0].tokens?.pieces, undefined);
  });

  it('decodes tokens by the tokenizer beside them: pieces, bytes of parts of characters, marks, mask', async () => {
    const ids = [document('the cat 樱')];
    const file = await shard(at('beside/shard.arrow'), ids, [ids[0].map((_, i) => i > 2)]);
    await fs.writeFile(at('beside/tokenizer.json'), JSON.stringify(tokenizer));
    const row = await inspectRow(file, 0);
    assert.equal(row.text, '<|bos|>the cat 樱<|eos|>');
    assert.deepEqual(row.tokens?.ids, ids[0]);
    const pieces = row.tokens!.pieces!;
    assert.deepEqual([pieces[0].text, pieces[0].special, pieces[0].faint], ['<|bos|>', true, true]);
    assert.ok(pieces.some((piece) => piece.text === '⟨E6⟩'));
    assert.equal(pieces.at(-1)!.faint, false);
    const shown = rowText(row);
    assert.match(shown, /row 0 · cat · \d+ tokens · 11 bytes · \d+ tokens to be predicted/);
    assert.match(shown, new RegExp(`to be predicted .*\n3–${ids[0].length - 1}\n`));
    assert.match(rowPage('p', row), /<span class="s faint" title="0">&lt;\|bos\|&gt;<\/span>/);
  });

  it('counts what is to be predicted in all of a long row, and shows a column of an unexpected type with the others', async () => {
    const ids = Array.from({ length: 300 }, () => 5);
    const file = await writeArrow(at('beside/long.arrow'), {
      ids: [[ids], listOf(new Uint16())],
      supervised: [[ids.map((_, i) => i >= 100)], listOf(new Bool())],
      bytes: [['many'], text],
    });
    const [row] = (await inspect(file)).parts[0].examples;
    assert.deepEqual([row.tokens?.ids?.length, row.tokens?.predicted, row.left], [120, 200, '180 more tokens']);
    assert.deepEqual(JSON.parse(row.others!), { bytes: 'many' });
  });

  it('shows an id that is no token, and does not fail on it', async () => {
    const file = await writeArrow(at('beside/other.arrow'), { ids: [[[5, 9999]], listOf(new Uint32())], bytes: [[1], new Uint32()] });
    const row = await inspectRow(file, 0);
    assert.equal(row.tokens?.pieces?.[1].text, '⟨no token 9999⟩');
    assert.equal((await inspect(file)).parts[0].sources[0].name, '(no source)');
  });

  describe('of prepared tokens', () => {
    const prepared = async (change: (dataset: { train: { tokens: number } }) => void = () => {}) => {
      const folder = at('prepared');
      const train = [['the cat', 'hat'].map(document), ['and'].map(document)];
      const heldOut = [['the hat'].map(document)];
      const part = async (name: string, shards: number[][][]) => {
        for (const [i, ids] of shards.entries()) await shard(`${folder}/${name}-0000${i}.arrow`, ids);
        const all = shards.flat();
        const bytes = all.reduce((sum, ids) => sum + Buffer.byteLength(tokenizer.decode(ids, { skipSpecial: true })), 0);
        const counts = { documents: all.length, tokens: all.flat().length, bytes };
        return {
          ...counts,
          sources: [counts, { documents: 0, tokens: 0, bytes: 0 }],
          shards: shards.map((_, i) => ({ file: `${name}-0000${i}.arrow`, batches: [] })),
        };
      };
      const dataset = {
        tokenizer_sha256: tokenizer.hash(),
        vocab_size: tokenizer.vocabSize,
        split: 'hash',
        eval_fraction: 0.1,
        seed: 1,
        importer: 'text',
        source_sha256: '',
        sources: ['cat', 'hat'],
        train: await part('train', train),
        eval: await part('eval', heldOut),
      };
      change(dataset);
      await fs.writeFile(`${folder}/tokenizer.json`, JSON.stringify(tokenizer));
      await fs.writeFile(`${folder}/dataset.json`, JSON.stringify(dataset));
      return folder;
    };

    it('counts the shards of each part, and compares with what dataset.json says', async () => {
      const { kind, parts, notes } = await inspect(await prepared());
      assert.equal(kind, 'prepared');
      assert.deepEqual(
        parts.map(({ name, files, total }) => [name, files, total.rows]),
        [
          ['train', 2, 3],
          ['eval', 1, 1],
        ],
      );
      assert.deepEqual(notes, []);
      const other = await inspect(await prepared((dataset) => (dataset.train.tokens += 5)));
      assert.match(other.notes.join(), /dataset\.json speaks of \d+ tokens in train; the shards hold \d+/);
    });

    it('finds rows through all shards, and names the shard', async () => {
      const folder = await prepared();
      const rows = await Promise.all([0, 1, 2, 3].map((row) => inspectRow(folder, row)));
      assert.deepEqual(
        rows.map(({ file, text: shown }) => [file, shown]),
        [
          ['train-00000.arrow', '<|bos|>the cat<|eos|>'],
          ['train-00000.arrow', '<|bos|>hat<|eos|>'],
          ['train-00001.arrow', '<|bos|>and<|eos|>'],
          ['eval-00000.arrow', '<|bos|>the hat<|eos|>'],
        ],
      );
      await assert.rejects(inspectRow(folder, 4), userError(/row must be from 0 to 3; received 4/));
      const { parts } = await inspect(folder);
      assert.deepEqual(
        parts.map(({ examples }) => examples.map(({ row, text: shown }) => [row, shown])),
        [rows.slice(0, 3), rows.slice(3)].map((part, p) => part.map(({ text: shown }, i) => [3 * p + i, shown])),
      );
    });

    it("refuses another tokenizer's tokens", async () => {
      await fs.writeFile(at('other.json'), JSON.stringify(trainTokenizer(['other'], { kind: 'char' })));
      await assert.rejects(
        inspect(await prepared(), { tokenizer: at('other.json') }),
        userError(/tokenizer must be the one that made the tokens .* --tokenizer/),
      );
    });
  });

  it('shows rows of any other columns as JSON: lists of structs, numbers, times, nulls', async () => {
    const message = new Struct([new Field('role', text, false), new Field('content', text, false)]);
    const messages = [
      { role: 'user', content: 'hi' },
      { role: 'assistant', content: '你好' },
    ];
    const file = await writeArrow(at('chat.arrow'), {
      turns: [[messages, []], listOf(message)],
      n: [[12n, null], new Int64()],
      when: [[new Date(0), null], new TimestampMillisecond()],
      source: [['sharegpt', 'sharegpt'], text],
    });
    const { kind, columns, lengthsIn, parts } = await inspect(file);
    assert.deepEqual([kind, lengthsIn, parts[0].sources[0].rows], ['rows', undefined, 2]);
    assert.deepEqual(columns[0], { name: 'turns', type: 'list<struct<role: utf8, content: utf8>>', nulls: 0 });
    assert.deepEqual(
      columns.map(({ nulls }) => nulls),
      [0, 1, 1, 0],
    );
    const [first, second] = parts[0].examples;
    assert.deepEqual(JSON.parse(first.others!), { turns: messages, n: 12, when: '1970-01-01T00:00:00.000Z' });
    assert.deepEqual(JSON.parse(second.others!), { turns: [], n: null, when: null });
    assert.match(inspectionText(await inspect(file)), /2 rows \(1 record batch, .* on disk\)/);
  });

  it('cuts long lists and texts of other columns, not those of one row', async () => {
    const file = await writeArrow(at('lists.arrow'), {
      numbers: [[Array.from({ length: 30 }, (_, i) => i)], listOf(new Uint32())],
      words: [['w'.repeat(900)], text],
    });
    const { numbers, words } = JSON.parse((await inspect(file)).parts[0].examples[0].others!);
    assert.deepEqual(numbers.slice(-2), [7, '… 22 more items']);
    assert.equal(words, `${'w'.repeat(500)} … 400 more characters`);
    const whole = JSON.parse((await inspectRow(file, 0)).others!);
    assert.deepEqual([whole.numbers.length, whole.words.length], [30, 900]);
  });

  it('counts sources beyond a thousand together, and nulls', async () => {
    const rows = Array.from({ length: 1200 }, (_, i) => i);
    const file = await writeArrow(at('many.arrow'), {
      text: [rows.map((i) => (i === 7 ? null : 'ab')), text],
      source: [rows.map((i) => `s${i}`), text],
    });
    const { parts, columns } = await inspect(file);
    assert.equal(parts[0].sources.length, 1001);
    assert.deepEqual([parts[0].sources.at(-1)!.name, parts[0].sources.at(-1)!.rows], ['(other sources)', 200]);
    assert.deepEqual([parts[0].total.rows, parts[0].total.bytes, columns[0].nulls], [1200, 2398, 1]);
    const shown = inspectionText(await inspect(file));
    assert.match(shown, /972 more sources/);
    assert.ok(shown.split('\n').length < 200);
    assert.equal((await inspectRow(file, 7)).text, undefined);
  });

  it('shows a file without rows', async () => {
    const { parts } = await inspect(await writeArrow(at('none.arrow'), { text: [[], text], source: [[], text] }));
    assert.deepEqual([parts[0].total.rows, parts[0].examples.length, parts[0].sources.length], [0, 0, 0]);
    assert.match(inspectionText(await inspect(at('none.arrow'))), /a corpus of 0 documents/);
    await assert.rejects(inspectRow(at('none.arrow'), 0), userError(/it has none/));
  });

  it('is the same on a page, with nothing of the data taken as HTML or as an escape sequence', async () => {
    const bad = '<script>alert(1)</script>\x1b[2J';
    const file = await writeArrow(at('bad.arrow'), { text: [[bad, 'b'], text], source: [[bad, 'b'], text] }, { metadata: { note: bad } });
    const inspection = await inspect(file);
    assert.ok(!inspectionPage(inspection).includes('<script') && !inspectionPage(inspection).includes('\x1b'));
    assert.match(inspectionPage(inspection), /&lt;script&gt;alert\(1\)&lt;\/script&gt;␛\[2J/);
    assert.ok(!inspectionText(inspection).includes('\x1b'));
  });

  it('says what is wrong with a file that is no data', async () => {
    await fs.writeFile(at('text.txt'), 'Once upon a time');
    await assert.rejects(inspect(at('text.txt')), userError(/must be an Arrow.*fourfold data import/));
    await assert.rejects(inspect(at('missing.arrow')), userError(/missing\.arrow.*ENOENT/));
    const whole = await fs.readFile(await corpus());
    await fs.writeFile(at('cut.arrow'), whole.subarray(0, whole.length - 100));
    await assert.rejects(inspect(at('cut.arrow')), userError(/cut\.arrow must be an Arrow/));
    await fs.mkdir(at('empty'), { recursive: true });
    await assert.rejects(inspect(at('empty')), userError(/holds 0 Arrow files.*fourfold data import/));
    await fs.mkdir(at('folder'), { recursive: true });
    await fs.copyFile(at('corpus.arrow'), at('folder/c.arrow'));
    await assert.rejects(inspect(at('folder')), userError(/Name one of its files, such as .*c\.arrow/));
    await assert.rejects(inspect(at('corpus.arrow'), { tokenizer: at('no-tokenizer.json') }), userError(/no-tokenizer\.json/));
  });
});
