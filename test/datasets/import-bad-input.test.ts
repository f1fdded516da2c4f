import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs/promises';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { readCsv } from '../../datasets/import/csv.js';
import { Found } from '../../datasets/import/found.js';
import { importCorpus } from '../../datasets/import.js';
import { fourfold } from '../cli/capture.js';
import { imported, rowsOf } from './corpus-rows.js';
import { temporaryFolder } from './temporary.js';

const fixture = (name: string) => path.join(import.meta.dirname, 'fixtures/import', name);
const userError = (message: RegExp) => ({ name: 'UserError', message });

describe('bad input to import', () => {
  const at = temporaryFolder();
  /** Nothing hidden is left in the folder. */
  const assertClean = async (folder = at()) =>
    assert.deepEqual(
      (await fs.readdir(folder)).filter((name) => name.startsWith('.')),
      [],
    );

  describe('encodings', () => {
    it('not UTF-8: names the offset and --encoding, and goes on', async () => {
      await fs.writeFile(
        at('gb.jsonl'),
        Buffer.concat([Buffer.from('{"text":"good"}\n{"text":"é'), Buffer.from([0xc4, 0xe3]), Buffer.from('"}\n')]),
      );
      const { texts, aside } = await imported(at('gb.jsonl'), at('o.arrow'));
      assert.deepEqual(texts, ['good']);
      assert.deepEqual([aside[0].line, aside[0].offset, aside[0].reason], [2, 27, 'not the right encoding']);
      assert.match(aside[0].detail, /byte 0xc4 .*--encoding, such as gb18030/);
    });

    it('finds the offset in a large file', async () => {
      const bytes = Buffer.from('模型 '.repeat(100_000));
      const bad = 500_003 - (500_003 % 7);
      bytes[bad] = 0xff;
      await fs.writeFile(at('large.txt'), bytes);
      await assert.rejects(imported(at('large.txt'), at('o.arrow')), userError(/the byte 0xff is not UTF-8/));
      const rows = (await fs.readFile(at('o.arrow.quarantine.jsonl'), 'utf8')).trim();
      assert.equal(JSON.parse(rows).offset, bad);
    });

    for (const [encoding, bytes] of [
      ['gb18030', [0xc4, 0xa3, 0xd0, 0xcd, 0x0a, 0x81, 0x30, 0x81, 0x30, 0x0a]],
      ['utf-16le', [0x21, 0x6a, 0x8b, 0x57, 0x0a, 0, 0x80, 0, 0x0a, 0]],
      ['utf-16be', [0x6a, 0x21, 0x57, 0x8b, 0, 0x0a, 0, 0x80, 0, 0x0a]],
    ] as const) {
      it(`reads ${encoding}`, async () => {
        await fs.writeFile(at('e.txt'), Buffer.from(bytes));
        assert.deepEqual((await imported(at('e.txt'), at('o.arrow'), { encoding, document: 'line' })).texts, ['模型', '\u0080']);
      });
    }

    it('reads latin1, and a character that lies over two chunks', async () => {
      await fs.writeFile(at('l.txt'), Buffer.from([0x63, 0x61, 0x66, 0xe9]));
      assert.deepEqual((await imported(at('l.txt'), at('o.arrow'), { encoding: 'latin1' })).texts, ['café']);
      const text = 'x'.repeat((1 << 20) - 1);
      await fs.writeFile(at('g.txt'), Buffer.concat([Buffer.from(text), Buffer.from([0xc4, 0xa3])]));
      assert.deepEqual((await imported(at('g.txt'), at('o.arrow'), { encoding: 'gb18030' })).texts, [`${text}模`]);
    });

    it('reads UTF-16 by its byte order mark', async () => {
      await fs.writeFile(at('m.jsonl'), Buffer.from('\ufeff{"text":"模型"}\n', 'utf16le'));
      assert.deepEqual((await imported(at('m.jsonl'), at('o.arrow'), { format: 'jsonl' })).texts, ['模型']);
    });

    it('puts aside what is not of the encoding', async () => {
      await fs.writeFile(at('g.txt'), Buffer.from([0x61, 0x0a, 0xc4, 0xff, 0x0a, 0x62]));
      const { texts, aside } = await imported(at('g.txt'), at('o.arrow'), { encoding: 'gb18030', document: 'line' });
      assert.deepEqual([texts, aside[0].line, aside[0].reason], [['a', 'b'], 2, 'not the right encoding']);
      await assert.rejects(
        imported(at('g.txt'), at('o.arrow'), { encoding: 'klingon' }),
        userError(/--encoding must be .*received klingon/),
      );
    });
  });

  describe('what is empty or too large', () => {
    it('an empty file, an empty document and a document of spaces are put aside', async () => {
      await fs.mkdir(at('empty'), { recursive: true });
      await fs.writeFile(at('empty/a.txt'), '');
      await fs.writeFile(at('empty/b.md'), '---\nx: 1\n---\n');
      await fs.writeFile(at('empty/c.jsonl'), '{"text":""}\n{"text":" \\n"}\n{"text":"x"}\n');
      const { texts, aside } = await imported(at('empty'), at('o.arrow'));
      assert.deepEqual(texts, ['x']);
      assert.deepEqual(
        aside.map(({ file, line, reason }) => [path.basename(file), line, reason]),
        [
          ['a.txt', undefined, 'empty'],
          ['b.md', undefined, 'empty'],
          ['c.jsonl', 1, 'empty'],
          ['c.jsonl', 2, 'empty'],
        ],
      );
    });

    it('a line of 100 MB is put aside with its size, and is never in memory', async () => {
      const file = await fs.open(at('long.jsonl'), 'w');
      await file.write('{"text":"a"}\n{"text":"');
      for (let i = 0; i < 100; i++) await file.write(Buffer.alloc(1e6, 'x'));
      await file.write('"}\n{"text":"b"}\n');
      await file.close();
      for (const document of [undefined, 'line'] as const) {
        const format = document === undefined ? 'jsonl' : 'text';
        const { texts, aside } = await imported(at('long.jsonl'), at('o.arrow'), { format, document });
        assert.deepEqual(texts, document === undefined ? ['a', 'b'] : ['{"text":"a"}', '{"text":"b"}']);
        assert.deepEqual([aside.length, aside[0].line, aside[0].offset, aside[0].reason], [1, 2, 13, 'too large']);
        assert.match(aside[0].detail, /it has 100,000,011 bytes; a document may have 67,108,864/);
        assert.ok(aside[0].excerpt.length <= 200);
      }
      await assert.rejects(
        imported(at('long.jsonl'), at('o.arrow'), { format: 'text' }),
        userError(/100,000,\d+ bytes.*--document blank_line or line/),
      );
    });
  });

  describe('JSON', () => {
    it('a broken line is put aside with line and offset', async () => {
      await fs.writeFile(at('b.jsonl'), '{"text":"a"}\n{"text":"b"\n{"text":"c\\ud800"}\n[1]\n{"text":"d"}');
      const { texts, aside } = await imported(at('b.jsonl'), at('o.arrow'));
      assert.deepEqual(texts, ['a', 'd']);
      assert.deepEqual(
        aside.map(({ line, offset, reason }) => [line, offset, reason]),
        [
          [2, 13, 'not JSON'],
          [3, 25, 'not text'],
          [4, 44, 'not JSON'],
        ],
      );
    });

    it('an array is read element by element: many small chunks of a large one', async () => {
      const rows = Array.from({ length: 30_000 }, (_, i) => ({ id: i, text: `${i} "[{\\ 模型 🎉`.repeat(1 + (i % 7)) }));
      await fs.writeFile(at('large.json'), JSON.stringify(rows, null, 1));
      const { texts } = await imported(at('large.json'), at('o.arrow'));
      assert.deepEqual(
        texts,
        rows.map(({ text }) => text),
      );
    });

    it('an array without an end is said, even where the last row is whole', async () => {
      await fs.writeFile(at('c.json'), '[{"text":"a"},');
      assert.deepEqual((await imported(at('c.json'), at('o.arrow'))).summary.reasons, { 'cut off': 1 });
    });
  });

  describe('files that are cut off', () => {
    it('gzip and zstd: what came before is kept, the rest is said to be lost', async () => {
      const lines = Array.from({ length: 50_000 }, (_, i) => `line ${(i * 7919) % 50_021}`);
      const whole = gzipSync(lines.join('\n'));
      await fs.writeFile(at('cut.gz'), whole.subarray(0, whole.length / 2));
      const zstd = await fs.readFile(fixture('lines.txt.zst'));
      await fs.writeFile(at('cut.zst'), zstd.subarray(0, zstd.length - 300));
      for (const file of ['cut.gz', 'cut.zst']) {
        const { texts, aside } = await imported(at(file), at('o.arrow'), { document: 'line' });
        assert.ok(texts.length > 100);
        assert.match(texts.at(-1)!, /^line \d+/);
        assert.deepEqual([aside.length, aside[0].reason], [1, 'cut off']);
        assert.match(aside[0].detail, /ends too early; what follows is lost/);
      }
      whole[whole.length >> 1] ^= 0xff;
      await fs.writeFile(at('bad.gz'), whole);
      const { summary } = await imported(at('bad.gz'), at('o.arrow'), { document: 'line' });
      assert.deepEqual(summary.reasons, { damaged: 1 });
    });

    for (const name of ['rows-snappy.parquet', 'file.arrow', 'stream.arrow']) {
      it(`${name}: an error where nothing is left, a quarantined row beside good files`, async () => {
        const bytes = await fs.readFile(fixture(name));
        await fs.mkdir(at('cut'), { recursive: true });
        await fs.writeFile(at(`cut/${name}`), bytes.subarray(0, bytes.length >> 1));
        const options = { columns: { text: name.endsWith('parquet') ? 'body' : 'text' } };
        if (name !== 'stream.arrow') {
          await assert.rejects(imported(at(`cut/${name}`), at('o.arrow'), options), userError(/at least one document.*(cut off|damaged)/));
        }
        await fs.writeFile(at('cut/good.jsonl'), '{"text":"x","body":"x"}');
        const { texts, aside } = await imported(at('cut'), at('o.arrow'), options);
        assert.equal(texts.includes('x'), true);
        assert.match(aside.at(-1)!.reason, /cut off|damaged/);
        await fs.rm(at('cut'), { recursive: true });
      });
    }

    it('Parquet whose columns are damaged is put aside', async () => {
      const bytes = await fs.readFile(fixture('rows-zstd.parquet'));
      bytes.fill(0x55, 40, 400);
      await fs.writeFile(at('d.parquet'), bytes);
      await assert.rejects(imported(at('d.parquet'), at('o.arrow'), { columns: { text: 'body' } }), userError(/damaged: 1/));
    });
  });

  describe('paths', () => {
    it('a folder where a file should be is read as a folder, and one without texts is an error', async () => {
      await fs.mkdir(at('folder.txt'), { recursive: true });
      await assert.rejects(
        imported(at('folder.txt'), at('o.arrow')),
        userError(/the folder .* must hold files that end in .*\.jsonl.*; it holds none/),
      );
    });

    it('a folder as the output is an error, and stays', async () => {
      await fs.mkdir(at('out.arrow'), { recursive: true });
      await fs.writeFile(at('a.txt'), 'a');
      await assert.rejects(importCorpus({ paths: [at('a.txt')], output: at('out.arrow') }), userError(/exists already/));
      await assert.rejects(imported(at('a.txt'), at('out.arrow')), userError(/out\.arrow: it is a directory \(EISDIR\)/));
      assert.ok((await fs.stat(at('out.arrow'))).isDirectory());
    });

    it('loops of symbolic links and links to nowhere are put aside; a given one is an error', async () => {
      await fs.mkdir(at('loops/inner'), { recursive: true });
      await fs.writeFile(at('loops/inner/a.txt'), 'a');
      await fs.symlink('..', at('loops/inner/up'));
      await fs.symlink('self', at('loops/self'));
      await fs.symlink('nowhere', at('loops/broken'));
      await fs.symlink('inner/a.txt', at('loops/twice.txt'));
      const { texts, aside } = await imported(at('loops'), at('o.arrow'));
      assert.deepEqual(texts, ['a']);
      assert.deepEqual(
        aside.map(({ file, detail }) => [path.basename(file), detail]),
        [
          ['broken', 'it is a symbolic link that leads nowhere'],
          ['up', 'it is a symbolic link that leads back to a folder above it'],
          ['self', 'it is a symbolic link that leads to itself'],
        ],
      );
      await assert.rejects(imported(at('loops/self'), at('o.arrow')), userError(/it is a symbolic link that leads to itself/));
      await assert.rejects(imported(at('loops/inner/up/*/*.md'), at('o.arrow')), userError(/none matches/));
    });

    it('an output that exists is an error unless it is to be replaced, and stays as it is', async () => {
      await fs.writeFile(at('a.txt'), 'a');
      await imported(at('a.txt'), at('old.arrow'));
      const before = await fs.readFile(at('old.arrow'));
      await assert.rejects(
        importCorpus({ paths: [at('a.txt')], output: at('old.arrow') }),
        userError(/exists already. Choose another, or say --overwrite/),
      );
      await fs.writeFile(at('blank.txt'), ' ');
      await assert.rejects(imported(at('blank.txt'), at('old.arrow')), userError(/at least one document/));
      assert.deepEqual(await fs.readFile(at('old.arrow')), before);
      await assertClean();
    });
  });

  describe('options', () => {
    it('columns for text, a document rule for rows and unknown columns are errors', async () => {
      await fs.writeFile(at('a.txt'), 'a');
      await fs.writeFile(at('a.jsonl'), '{"text":"a"}');
      await assert.rejects(
        imported(at('a.txt'), at('o.arrow'), { columns: { text: 'x' } }),
        userError(/columns are of rows .*received text/),
      );
      await assert.rejects(imported(at('a.jsonl'), at('o.arrow'), { document: 'line' }), userError(/document: line is for plain text/));
      const { code, stderr } = await fourfold('data', 'import', at('a.jsonl'), '-o', at('cli.arrow'), '--columns', 'txt=a');
      assert.equal(code, 1);
      assert.match(stderr, /columns must be NAME=COLUMN with the names text, question, answers, accepted.*received txt=a/);
    });

    it('the command says what was read and what could not be', async () => {
      await fs.writeFile(at('b.jsonl'), '{"text":"a"}\nbad\n');
      const { code, stdout } = await fourfold('data', 'import', at('b.jsonl'), '-o', at('cli.arrow'), '--source', 'mine');
      assert.equal(code, 0);
      assert.match(
        stdout,
        /cli\.arrow: 1 documents, 1 bytes\n {2}files: jsonl 1\n {2}sources: mine 1\n {2}could not be used: not JSON 1; .*quarantine\.jsonl says/,
      );
      assert.equal((await fourfold('data', 'import', at('b.jsonl'), '-o', at('cli.arrow'))).code, 1);
    });
  });

  describe('writing', () => {
    it('no space left: says so, and removes what it began', async function () {
      const disk = at('disk');
      await fs.mkdir(disk);
      try {
        execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk], { stdio: 'ignore' });
      } catch {
        console.log('      skipped: mounting a small disk needs the rights of root');
        return this.skip();
      }
      try {
        await fs.writeFile(at('small.txt'), 'x');
        await imported(at('small.txt'), path.join(disk, 'c.arrow'));
        const before = await fs.readFile(path.join(disk, 'c.arrow'));
        await fs.writeFile(at('lines.txt'), `${'abc\n'.repeat(2_000_000)}`);
        await assert.rejects(
          imported(at('lines.txt'), path.join(disk, 'c.arrow'), { document: 'line' }),
          userError(/c\.arrow.*no space left.*\(ENOSPC\)/),
        );
        await fs.writeFile(at('bad.jsonl'), '{"text":"x"}\n'.concat('bad\n'.repeat(50_000)));
        await assert.rejects(imported(at('bad.jsonl'), path.join(disk, 'c.arrow')), userError(/c\.arrow.*no space left.*\(ENOSPC\)/));
        assert.deepEqual(await fs.readFile(path.join(disk, 'c.arrow')), before);
        await assertClean(disk);
      } finally {
        execFileSync('umount', [disk]);
      }
    });

    it('killed half-way: the old corpus stays, and a later run clears what was left', async () => {
      await fs.mkdir(at('kill'));
      const output = at('kill/c.arrow');
      await fs.writeFile(at('one.txt'), 'one');
      await imported(at('one.txt'), output);
      await fs.writeFile(at('many.txt'), 'some line of text\n'.repeat(3_000_000));
      const child = spawn(process.execPath, ['--import', 'tsx', path.join(import.meta.dirname, 'import-child.ts'), at('many.txt'), output]);
      const hidden = async () => (await fs.readdir(at('kill'))).filter((name) => name.startsWith('.'));
      const size = async () => {
        const [name] = await hidden();
        return name === undefined ? 0 : (await fs.stat(at(`kill/${name}`))).size;
      };
      while ((await size()) < 1e6) {
        assert.equal(child.exitCode, null, 'it must not be done yet');
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      child.kill('SIGKILL');
      await new Promise((resolve) => child.once('exit', resolve));
      assert.equal((await hidden()).length, 1);
      assert.deepEqual(await rowsOf(output), [['one', 'one']]);
      await imported(at('one.txt'), output);
      assert.deepEqual(await hidden(), []);
    });
  });

  it('CSV gives the rows that another parser gives', async () => {
    const cell = fc.string({ unit: fc.constantFrom('a', ',', '"', '\n', ' ', 'é', '🎉') });
    const table = fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(table, fc.integer({ min: 1, max: 9 }), async (rows, size) => {
        const quote = (text: string) => (/[",\n]/.test(text) || text === '' ? `"${text.replaceAll('"', '""')}"` : text);
        const csv = Buffer.from(`a,b\n${rows.map((row) => row.map(quote).join(',')).join('\n')}`);
        const chunks = (async function* () {
          for (let i = 0; i < csv.length; i += size) yield csv.subarray(i, i + size);
        })();
        const ours: unknown[] = [];
        const head = { chunks, offset: 0, encoding: undefined };
        for await (const _ of readCsv(head, new Found(), (row) => ours.push(row)));
        assert.deepEqual(ours, parse(csv, { columns: true }));
      }),
      { numRuns: 300 },
    );
  });
});
