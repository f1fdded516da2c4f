import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { strToU8, zipSync } from 'fflate';
import { chunkLength, readChunks } from '../../datasets/chunks.js';
import { type ImportOptions, importCorpus } from '../../datasets/import.js';
import type { RandomStream } from '../../util/random.js';
import { mutateValue } from './mutate.js';
import { fixture, type OpenTarget, type Target } from './target.js';

const ROWS = [
  { text: 'The first text.', id: 1 },
  { text: 'Ünïcödé 中文 🙂 \u2028', tags: ['a', 'b'], meta: { deep: { er: [1.5e-3, null, true] } } },
  { id: 3, text: 'quotes " \\ and\nline ends\r\n' },
  { text: '', title: 'empty' },
  { text: 'the last' },
];

const jsonl = (rows: readonly unknown[]) => Buffer.from(rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
const json = (rows: unknown) => Buffer.from(JSON.stringify(rows, null, 1));

/** A file called `name`, imported into a corpus that is read again. */
function fileTarget(name: string, target: Omit<Target, 'run'>, options: Partial<ImportOptions> = {}): OpenTarget {
  return async (folder) => {
    const output = path.join(folder, 'out', 'corpus.arrow');
    const file = path.join(folder, name);
    return {
      ...target,
      async run(input) {
        await fs.writeFile(file, input);
        await fs.rm(path.dirname(output), { recursive: true, force: true });
        let quarantined = 0;
        try {
          const summary = await importCorpus({ paths: [file], output, ...options });
          quarantined = summary.quarantined;
          assert.ok(summary.documents > 0);
          let documents = 0;
          let bytes = 0;
          for await (const chunk of readChunks(output)) {
            documents += chunkLength(chunk);
            bytes += chunk.text.length;
            new TextDecoder('utf-8', { fatal: true }).decode(chunk.text);
          }
          assert.deepEqual({ documents, bytes }, { documents: summary.documents, bytes: summary.bytes });
          const aside = quarantined === 0 ? '' : await fs.readFile(summary.quarantine!, 'utf8');
          const rows = aside.split('\n').slice(0, -1);
          for (const row of rows) assert.ok(JSON.parse(row).reason.length > 3, row);
          assert.equal(rows.length, quarantined);
        } finally {
          const left = (await fs.readdir(path.dirname(output)).catch(() => [])).filter((entry) => entry.startsWith('.'));
          assert.deepEqual(left, [], 'temporary files are left');
        }
      },
    };
  };
}

function rowsTarget(name: string, write: (rows: readonly unknown[]) => Buffer): OpenTarget {
  return fileTarget(name, {
    seeds: [write(ROWS), write([]), write(ROWS.slice(2, 3))],
    mutate(random) {
      const rows = mutateValue(random, ROWS);
      return Array.isArray(rows) ? write(rows) : json(rows);
    },
  });
}

export const jsonlTarget = rowsTarget('rows.jsonl', jsonl);
export const jsonTarget = rowsTarget('rows.json', json);

const questions = [
  { question: 'Why?', answers: [{ text: 'Because.', score: 2, accepted: true }, { text: 'So.', score: -1 }] },
  { question: 'When?', answers: ['Now.', 'Then.'] },
]; // biome-ignore format: rows
export const qaTarget = fileTarget(
  'qa.jsonl',
  { seeds: [jsonl(questions)], mutate: (random: RandomStream) => jsonl([mutateValue(random, questions)].flat()) },
  { format: 'qa' },
);

const CSV = 'id,text,note\r\n1,"quoted, with ""quotes"" and\nlines",x\r\n2,plain 中文,\r\n3,,empty\r\n4,last,"y"\r\n';
export const csvTarget = fileTarget('rows.csv', { seeds: [Buffer.from(CSV), Buffer.from(CSV.replaceAll(',', ';'))] });

const parquet = ['none', 'gzip', 'snappy', 'zstd', 'lz4', 'brotli'].map((codec) =>
  fixture(`datasets/fixtures/import/rows-${codec}.parquet`),
);
export const parquetTarget = fileTarget('rows.parquet', { seeds: parquet, binary: true }, { columns: { text: 'body' } });

const LINES = Buffer.from('A line of text.\n\nAnother, 中文 🙂.\r\nend\n'.repeat(40));
export const textTarget = fileTarget('text.txt', { seeds: [LINES, Buffer.from('\ufeffone\n\ntwo')] }, { document: 'blank_line' });
export const gzipTarget = fileTarget('text.txt.gz', { seeds: [gzipSync(LINES), gzipSync(jsonl(ROWS))], binary: true });
export const zstdTarget = fileTarget('text.txt.zst', { seeds: [fixture('datasets/fixtures/import/lines.txt.zst')], binary: true });

const MARKDOWN = '---\ntitle: x\n---\n# Heading\n\nText *with* [links](a) and `code`.\n\n```js\nlet a = 1;\n```\n\n| a | b |\n|---|---|\n';
export const markdownTarget = fileTarget('page.md', { seeds: [Buffer.from(MARKDOWN)] });

const HTML =
  '<!doctype html><html><head><title>T</title><script>x</script></head><body><h1>One</h1><p>Text &amp; more<br>line<ul><li>a<li>b</ul><pre>  x\n y</pre></body></html>';
export const htmlTarget = fileTarget('page.html', { seeds: [Buffer.from(HTML)] });

const CONTAINER =
  '<container><rootfiles><rootfile full-path="o/c.opf" media-type="application/oebps-package+xml"/></rootfiles></container>';
const OPF =
  '<package><manifest><item id="a" href="a.xhtml" media-type="application/xhtml+xml"/><item id="b" href="b.xhtml" media-type="application/xhtml+xml"/></manifest><spine><itemref idref="a"/><itemref idref="b"/></spine></package>';
function epub(level: 0 | 6): Uint8Array {
  const chapter = (text: string) => strToU8(`<html><body><h1>${text}</h1><p>${text.repeat(20)}</p></body></html>`);
  const files = {
    mimetype: strToU8('application/epub+zip'),
    'META-INF/container.xml': strToU8(CONTAINER),
    'o/c.opf': strToU8(OPF),
    'o/a.xhtml': chapter('One'),
    'o/b.xhtml': chapter('Zwei'),
  };
  return zipSync(files, { level, mtime: '2020-01-01' });
}
export const epubTarget = fileTarget('book.epub', { seeds: [epub(0), epub(6)], binary: true });

const POSTS = `<?xml version="1.0" encoding="utf-8"?>
<posts>
  <row Id="1" PostTypeId="1" AcceptedAnswerId="3" Score="5" Title="Why &lt;b&gt;?" Body="&lt;p&gt;A question.&lt;/p&gt;" />
  <row Id="2" PostTypeId="2" ParentId="1" Score="9" Body="&lt;p&gt;An answer.&lt;/p&gt;" />
  <row Id="3" PostTypeId="2" ParentId="1" Score="1" Body="&lt;p&gt;Accepted &amp;amp; good.&lt;/p&gt;" />
</posts>
`;
export const postsTarget = fileTarget('Posts.xml', { seeds: [Buffer.from(POSTS)] });

const arrow = ['file', 'stream'].map((name) => fixture(`datasets/fixtures/import/${name}.arrow`));
export const arrowRowsTarget = fileTarget('rows.arrow', { seeds: arrow, binary: true });
