/** What mutations found once, in small. */
import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import path from 'node:path';
import { Field, FixedSizeList, makeData, RecordBatch, Schema, Struct, Uint16, Uint32 } from 'apache-arrow';
import { parsePretrainConfig } from '../../configs/load.js';
import { ArrowFile } from '../../datasets/arrow.js';
import { type ImportOptions, importCorpus } from '../../datasets/import.js';
import { openPass } from '../../datasets/pass.js';
import { trainTokenizer } from '../../tokenizer/index.js';
import { preparedDocument, writePrepared } from '../datasets/prepared.js';
import { temporaryFolder } from '../datasets/temporary.js';
import { fixture } from './target.js';

describe('what mutations found', () => {
  const at = temporaryFolder();

  describe('in YAML', () => {
    const refuses = (yaml: string, message: RegExp) =>
      assert.throws(
        () => parsePretrainConfig(yaml, 'x.yaml'),
        (error: Error) => {
          assert.equal(error.name, 'UserError');
          assert.match(error.message, message);
          assert.ok(error.message.length < 1000, error.message);
          return true;
        },
      );
    it('a key, an alias or a tag without end is shown by its beginning', () => {
      refuses(`${'x'.repeat(5000)}: 1`, /x\.yaml:1:1: .*xxx/);
      refuses(`data: { ${'x'.repeat(5000)}: 1 }`, /data\.xxx.*\.\.\.: there is no such key/);
      refuses(`seed: *${'y'.repeat(5000)}`, /an alias follows its anchor; received \*yyy/);
      refuses(`seed: ${'!'.repeat(5000)} 1`, /not valid YAML/);
    });
    it('values nested without end, or aliases that multiply, are a message of their own', () => {
      refuses(`model: ${'['.repeat(5000)}`, /values may not be in each other without end/);
      const bomb = Array.from({ length: 9 }, (_, i) => `a${i}: &a${i} [${`*a${i - 1},`.repeat(9)}]`).slice(1);
      refuses(['a0: &a0 [x]', ...bomb].join('\n'), /values may not be in each other without end/);
    });
  });

  describe('in prepared data', () => {
    const tokenizer = trainTokenizer(['some text'], { kind: 'bpe', vocabSize: 280 });
    const pass = () => openPass({ directory: at('prepared'), split: 'train', contextLength: 4, batchSize: 1, packing: 'concat' });
    const batches = async () => {
      const { batches, close } = await pass();
      try {
        for await (const _ of batches());
      } finally {
        await close();
      }
    };
    const shard = () => at('prepared/train-00000.arrow');
    beforeEach(() => writePrepared(at('prepared'), { tokenizer, train: [preparedDocument(tokenizer, 'a', 'text')] }));

    it('a shard that names no tokenizer, or has lists of another kind, is refused', async () => {
      const ids = new FixedSizeList(2, new Field('item', new Uint16(), false));
      const fields = [new Field('ids', ids, false), new Field('bytes', new Uint32(), false)];
      const child = makeData({ type: new Uint16(), length: 2, data: Uint16Array.of(1, 2) });
      const children = [makeData({ type: ids, length: 1, nullCount: 0, child }), makeData({ type: new Uint32(), data: Uint32Array.of(4) })];
      for (const [metadata, message] of [
        [[], /must be made with the tokenizer\.json beside it .*received none/],
        [[['tokenizer_sha256', tokenizer.hash()]], /must hold ids that are lists of uint16 or uint32/],
      ] as const) {
        const schema = new Schema(fields, new Map(metadata));
        const file = new ArrowFile(shard(), schema);
        await file.write(new RecordBatch(schema, makeData({ type: new Struct(fields), length: 1, nullCount: 0, children })));
        await file.close();
        await assert.rejects(batches(), { name: 'UserError', message });
      }
    });

    it('dataset.json names no file elsewhere, and only its own sources', async () => {
      const file = at('prepared/dataset.json');
      const good = await fs.readFile(file, 'utf8');
      for (const [from, to] of [
        ['"train-00000.arrow"', '"../train-00000.arrow"'],
        ['"source":0', '"source":1'],
        ['"source": 0', '"source": 1'],
      ]) {
        if (!good.includes(from)) continue;
        await fs.writeFile(file, good.replace(from, to));
        await assert.rejects(batches(), { name: 'UserError', message: /dataset\.json is of another version or damaged: at / });
      }
    });
  });

  describe('in imports', () => {
    const importing = async (name: string, bytes: Uint8Array, options: Partial<ImportOptions> = {}) => {
      await fs.writeFile(at(name), bytes);
      return importCorpus({ paths: [at(name)], output: at('corpus.arrow'), overwrite: true, ...options });
    };
    const changed = (name: string, bytes: Record<number, number>) => {
      const buffer = fixture(path.join('datasets/fixtures/import', name));
      for (const [place, byte] of Object.entries(bytes)) buffer[Number(place)] = byte;
      return buffer;
    };
    /** Put aside, or not there at all: but an end. */
    const ends = (name: string, buffer: Uint8Array, options: Partial<ImportOptions>) =>
      importing(name, buffer, options).then(
        ({ documents }) => assert.ok(documents > 0),
        (error) => {
          assert.equal(error.name, 'UserError');
          assert.match(error.message, /damaged/);
        },
      );

    it('Parquet whose pages, runs or schema are damaged comes to an end', async () => {
      const columns = { text: 'body' };
      await ends('a.parquet', changed('rows-gzip.parquet', { 140: 85 }), { columns }); // a page of a size below 0
      await ends('b.parquet', changed('rows-zstd.parquet', { 186: 1, 187: 0, 188: 0, 189: 0, 190: 0, 192: 0, 193: 0 }), { columns }); // a run of 2³⁰ levels
      await ends('c.parquet', changed('rows-none.parquet', { 603: 23, 1441: 13 }), { columns }); // a column with columns before it in it
    });

    it('Arrow whose vectors are damaged comes to an end', async () => {
      const bytes = { 134: 191, 164: 9, 437: 9, 1199: 13, 1582: 1, 1680: 0, 2052: 255, 2053: 255, 2054: 255, 2055: 127, 2056: 0 };
      await ends('a.arrow', changed('file.arrow', bytes), {});
      await ends('b.arrow', changed('file.arrow', { 635: 2, 906: 92, 1035: 96, 2244: 255, 2245: 255, 2306: 1, 2308: 0 }), {});
    });

    it('the score of an answer may be anything', async () => {
      const answers = [
        { text: 'b', score: { a: 1 } },
        { text: 'a', score: 2 },
        { text: 'c', score: JSON.parse('{"__proto__": 1}') },
      ];
      const row = { question: 'q?', answers };
      const summary = await importing('qa.jsonl', Buffer.from(JSON.stringify(row)), { format: 'qa' });
      assert.equal(summary.documents, 1);
    });

    it('a row with a thousand columns does not fill the message', async () => {
      const row = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`column ${i}`, i]));
      await assert.rejects(importing('rows.jsonl', Buffer.from(JSON.stringify(row))), (error: Error) => {
        assert.match(error.message, /there is no "text" in the row; it has column 0, column 1/);
        assert.ok(error.message.length < 800);
        return true;
      });
    });
  });
});
