import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import fc from 'fast-check';
import { readMetadata } from '../../datasets/arrow.js';
import { corpusFrom } from '../../datasets/corpus.js';
import { Found } from '../../datasets/import/found.js';
import { readText } from '../../datasets/import/text.js';
import { importCorpus } from '../../datasets/import.js';
import { sha256File } from '../../util/files.js';
import { quarantined, rowsOf } from './corpus-rows.js';
import { temporaryFolder } from './temporary.js';

/** Lines that no blank line parts, joined. */
function paragraphsOf(text: string): string[] {
  const paragraphs: string[][] = [[]];
  for (const line of text.split(/\r?\n/)) {
    if (line.trim() === '') paragraphs.push([]);
    else paragraphs.at(-1)!.push(line);
  }
  return paragraphs.filter((lines) => lines.length > 0).map((lines) => lines.join('\n'));
}

describe('importing text', () => {
  const at = temporaryFolder();
  const text = '\ufeffone\r\ntwo 🎉\n\n \n模型\nfour';
  before(() => fs.writeFile(at('a.txt'), text));

  const imported = async (document: 'file' | 'line' | 'blank_line') => {
    const summary = await importCorpus({ paths: [at('a.txt')], output: at('out.arrow'), document, overwrite: true });
    const rows = await rowsOf(at('out.arrow'));
    assert.equal(summary.documents, rows.length);
    assert.equal(
      summary.bytes,
      rows.reduce((sum, [row]) => sum + Buffer.byteLength(row), 0),
    );
    return rows.map(([row]) => row);
  };

  it('file: the whole file to the letter, but for the byte order mark', async () =>
    assert.deepEqual(await imported('file'), [text.slice(1)]));
  it('line: every line that is not blank, without its end', async () =>
    assert.deepEqual(await imported('line'), ['one', 'two 🎉', '模型', 'four']));
  it('blank_line: what blank lines part', async () => assert.deepEqual(await imported('blank_line'), ['one\ntwo 🎉', '模型\nfour']));

  it('blank_line gives what splitting the whole text gives, wherever the chunks of reading end', async () => {
    const piece = fc.constantFrom('a', 'bc', '模', '\n', '\r\n', ' ', '\n\n');
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 30 }), fc.integer({ min: 1, max: 7 }), async (pieces, size) => {
        const bytes = Buffer.from(pieces.join(''));
        const chunks = (async function* () {
          for (let i = 0; i < bytes.length; i += size) yield bytes.subarray(i, i + size);
        })();
        const found = new Found();
        for await (const _ of readText({ chunks, offset: 0, encoding: undefined }, found, 'blank_line'));
        const { bytes: text, offsets, sources } = found.take();
        assert.deepEqual(
          sources.map((_, i) => text.toString('utf8', offsets[i], offsets[i + 1])),
          paragraphsOf(bytes.toString('utf8')),
        );
      }),
      { numRuns: 500 },
    );
  });

  it('writes down the importer and the SHA-256 of the source', async () => {
    await imported('file');
    const metadata = await readMetadata(at('out.arrow'));
    assert.equal(metadata.get('importer'), 'text');
    assert.equal(metadata.get('source_sha256'), await sha256File(at('a.txt')));
  });

  it('reads folders in the order of names, and names the source by the folder', async () => {
    await fs.mkdir(at('many/inner'), { recursive: true });
    await fs.writeFile(at('many/b.txt'), 'b');
    await fs.writeFile(at('many/inner/c.md'), 'c');
    await fs.writeFile(at('many/a.txt'), 'a');
    await fs.writeFile(at('many/skipped.png'), 'x');
    await importCorpus({ paths: [at('many')], output: at('many.arrow'), document: 'file' });
    assert.deepEqual(await rowsOf(at('many.arrow')), [
      ['a', 'many'],
      ['b', 'many'],
      ['c', 'many'],
    ]);
  });

  it('puts what is not UTF-8 aside, with line and reason', async () => {
    await fs.writeFile(at('bad.txt'), Buffer.concat([Buffer.from('good\n'), Buffer.from([0xff, 0xfe]), Buffer.from('\nfine')]));
    const summary = await importCorpus({ paths: [at('bad.txt')], output: at('bad.arrow'), document: 'line' });
    assert.deepEqual([summary.documents, summary.quarantined], [2, 1]);
    const [row] = await quarantined(summary.quarantine!);
    assert.deepEqual([row.file, row.line, row.offset, row.reason], [at('bad.txt'), 2, 5, 'not the right encoding']);
  });

  it('keeps lines whole that cross the chunks of reading', async () => {
    const lines = Array.from({ length: 5000 }, (_, i) => `${i} ${'é🎉'.repeat(i % 700)}`);
    await fs.writeFile(at('long.txt'), lines.join('\n'));
    await importCorpus({ paths: [at('long.txt')], output: at('long.arrow'), document: 'line' });
    assert.deepEqual(
      (await rowsOf(at('long.arrow'))).map(([row]) => row),
      lines,
    );
  });

  it('says what is missing', async () => {
    await fs.writeFile(at('empty.txt'), '\n \n');
    const failing = (path: string) => importCorpus({ paths: [at(path)], output: at('x.arrow'), document: 'line' });
    await assert.rejects(failing('nowhere.txt'), { name: 'UserError', message: /must be a file, a folder or a pattern; there is none/ });
    await assert.rejects(failing('empty.txt'), { name: 'UserError', message: /at least one document/ });
    await assert.rejects(fs.stat(at('x.arrow')), { code: 'ENOENT' });
  });
});

describe('importing rows', () => {
  const at = temporaryFolder();

  it('takes the named column, and puts bad rows aside with line and reason', async () => {
    const rows = ['{"body":"one"}', '', '{"body":2}', '{"text":"x"}', 'not json', '[1]', '{"body":""}', '{"body":"two\\n✓"}'];
    await fs.writeFile(at('rows.jsonl'), rows.join('\r\n'));
    const summary = await importCorpus({ paths: [at('rows.jsonl')], output: at('rows.arrow'), columns: { text: 'body' } });
    assert.deepEqual(await rowsOf(at('rows.arrow')), [
      ['one', 'rows'],
      ['two\n✓', 'rows'],
    ]);
    assert.equal(summary.quarantined, 5);
    const aside = await quarantined(summary.quarantine!);
    assert.deepEqual(
      aside.map(({ line }) => line),
      [3, 4, 5, 6, 7],
    );
    assert.match(aside[1].detail, /no "body" in the row; it has text/);
    assert.deepEqual(summary.reasons, { 'not text': 1, 'no such column': 1, 'not JSON': 2, empty: 1 });
  });

  it('reads a JSON array of rows, wherever its lines break', async () => {
    const rows = [{ output: 'a, "b" ]}' }, { output: 'c\\', more: { deep: [1, { x: '[' }] } }, { output: '模型' }];
    for (const [name, json] of [
      ['flat', JSON.stringify(rows)],
      ['wide', `\ufeff \n${JSON.stringify(rows, null, 2)}\n`],
    ]) {
      await fs.writeFile(at(`${name}.json`), json);
      await importCorpus({ paths: [at(`${name}.json`)], output: at(`${name}.arrow`), columns: { text: 'output' } });
      assert.deepEqual(
        (await rowsOf(at(`${name}.arrow`))).map(([text]) => text),
        rows.map(({ output }) => output),
      );
    }
  });

  it('knows the lines of an array, and a row within which the file ends', async () => {
    await fs.writeFile(at('cut.json'), '[\n{"text":"a"},\n{"text":\n1},\n{"text":"b');
    const summary = await importCorpus({ paths: [at('cut.json')], output: at('cut.arrow') });
    const aside = await quarantined(summary.quarantine!);
    assert.equal(summary.documents, 1);
    assert.deepEqual(
      aside.map(({ line, row, offset, reason }) => [line, row, offset, reason]),
      [
        [3, 2, 16, 'not text'],
        [5, 3, 29, 'cut off'],
      ],
    );
  });
});

describe('the corpus that a path leads to', () => {
  const at = temporaryFolder();

  it('is the file itself, or made of text or rows', async () => {
    await fs.writeFile(at('a.txt'), 'text');
    await fs.writeFile(at('a.jsonl'), '{"text":"row"}');
    assert.deepEqual(await corpusFrom({ path: 'some.arrow', document: 'row', output: at('o.arrow') }), { corpus: 'some.arrow' });
    for (const [path, document, text] of [
      ['a.txt', 'file', 'text'],
      ['a.jsonl', 'row', 'row'],
    ] as const) {
      const { corpus } = await corpusFrom({ path: at(path), document, output: at('o.arrow') });
      assert.deepEqual(await rowsOf(corpus), [[text, 'a']]);
    }
  });

  it('is an error for text of which rows are wanted, and makes nothing', async () => {
    await assert.rejects(corpusFrom({ path: at('a.txt'), document: 'row', output: at('row.arrow') }), {
      name: 'UserError',
      message: /document: row/,
    });
    await assert.rejects(fs.stat(at('row.arrow')), { code: 'ENOENT' });
  });
});
