import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { zipSync } from 'fflate';
import { Found } from '../../datasets/import/found.js';
import { htmlToText } from '../../datasets/import/html.js';
import { readStackExchange } from '../../datasets/import/stack-exchange.js';
import { readDocuments } from '../../datasets/import.js';
import { imported } from './corpus-rows.js';
import { temporaryFolder } from './temporary.js';

/** Files that pyarrow and zstandard wrote: test/oracles/import_files.py. */
const fixture = (name: string) => path.join(import.meta.dirname, 'fixtures/import', name);
const TEXTS = ['first', 'zweiter Text: Größe', '模型 🎉', 'the last\nof five'];

describe('importing Parquet', () => {
  const at = temporaryFolder();

  for (const codec of ['none', 'snappy', 'gzip', 'brotli', 'zstd', 'lz4']) {
    it(`reads what pyarrow wrote with ${codec}, over row groups; a null is put aside`, async () => {
      const { rows, aside, summary } = await imported(fixture(`rows-${codec}.parquet`), at('p.arrow'), { columns: { text: 'body' } });
      assert.deepEqual(
        rows,
        TEXTS.map((text) => [text, `rows-${codec}`]),
      );
      assert.deepEqual(summary.formats, { parquet: 1 });
      assert.deepEqual([aside[0].row, aside[0].reason], [4, 'empty']);
    });
  }

  it('reads a nested column', async () => {
    const { texts } = await imported(fixture('rows-snappy.parquet'), at('n.arrow'), { columns: { text: 'meta.text' } });
    assert.deepEqual(
      texts,
      [0, 1, 2, 3, 4].map((i) => `nested ${i}`),
    );
  });

  it('names the type of a column that is not text, and the columns where one is missing', async () => {
    const failing = (text: string) => imported(fixture('rows-snappy.parquet'), at('x.arrow'), { columns: { text } });
    await assert.rejects(failing('id'), { name: 'UserError', message: /column id .* must be text; it is INT64/ });
    await assert.rejects(failing('tags'), { name: 'UserError', message: /it is a list/ });
    await assert.rejects(failing('meta'), { name: 'UserError', message: /it is a struct of text, n/ });
    await assert.rejects(failing('nowhere'), { name: 'UserError', message: /must have the column nowhere; it has id, body, meta, tags/ });
    await assert.rejects(fs.stat(at('x.arrow')), { code: 'ENOENT' });
  });

  it('puts text aside that is not UTF-8', async () => {
    const { texts, aside } = await imported(fixture('bytes.parquet'), at('b.arrow'));
    assert.deepEqual(texts, ['good', 'fine']);
    assert.deepEqual([aside[0].row, aside[0].reason], [2, 'not the right encoding']);
  });

  it('reads questions: the accepted answer first, the others by score', async () => {
    const { texts, summary } = await imported(fixture('qa.parquet'), at('q.arrow'));
    assert.deepEqual(texts, ['Q1?\n\nbest\n\nhigh\n\nlow', 'Q2?\n\nonly']);
    assert.deepEqual([summary.formats, summary.skipped], [{ qa: 1 }, { 'questions without answers': 1 }]);
  });
});

describe('importing Arrow', () => {
  const at = temporaryFolder();

  for (const column of ['text', 'large', 'words']) {
    for (const file of ['stream.arrow', 'file.arrow']) {
      it(`reads the column ${column} of a ${file}`, async () => {
        const { texts, aside } = await imported(fixture(file), at('a.arrow'), { columns: { text: column } });
        assert.deepEqual(texts, TEXTS);
        assert.deepEqual([aside[0].row, aside[0].reason], [4, 'empty']);
      });
    }
  }

  it('names the type of a column that is not text', async () => {
    const options = { columns: { text: 'n' } };
    await assert.rejects(imported(fixture('file.arrow'), at('a.arrow'), options), {
      name: 'UserError',
      message: /must be text; it is Int64/,
    });
  });

  it('keeps the sources of a corpus, unless one is named', async () => {
    await fs.writeFile(at('one.txt'), 'a');
    await fs.writeFile(at('two.txt'), 'b');
    await imported(at('one.txt'), at('corpus.arrow'), { paths: [at('one.txt'), at('two.txt')] });
    const again = await imported(at('corpus.arrow'), at('again.arrow'));
    assert.deepEqual(again.rows, [
      ['a', 'one'],
      ['b', 'two'],
    ]);
    assert.deepEqual((await imported(at('corpus.arrow'), at('named.arrow'), { source: 'x' })).rows, [
      ['a', 'x'],
      ['b', 'x'],
    ]);
  });
});

describe('importing packed files', () => {
  const at = temporaryFolder();
  const lines = Array.from({ length: 2000 }, (_, i) => `line ${i} 中文`);

  it('reads zstd of several frames', async () => {
    const { texts, rows } = await imported(fixture('lines.txt.zst'), at('z.arrow'), { document: 'line' });
    assert.deepEqual(texts, lines);
    assert.equal(rows[0][1], 'lines');
  });

  it('reads gzip of several members, whatever the file is called', async () => {
    const [a, b] = [lines.slice(0, 700), lines.slice(700)].map((part) => gzipSync(`${part.join('\n')}\n`));
    await fs.writeFile(at('lines.txt'), Buffer.concat([a, b]));
    assert.deepEqual((await imported(at('lines.txt'), at('g.arrow'), { document: 'line' })).texts, lines);
    await fs.writeFile(at('c4.jsonl.gz'), gzipSync('{"text":"x"}'));
    assert.deepEqual((await imported(at('c4.jsonl.gz'), at('g.arrow'))).rows, [['x', 'c4']]);
  });
});

describe('importing CSV', () => {
  const at = temporaryFolder();

  it('reads quoted delimiters, line breaks and quotes, and puts records with other columns aside', async () => {
    const csv = '\ufeffid,text\r\n1,"a, ""b""\r\nc"\r\n2,plain "x"\r\n3\r\n\r\n4,""\r\n5,模型';
    await fs.writeFile(at('a.csv'), csv);
    const { texts, aside } = await imported(at('a.csv'), at('c.arrow'));
    assert.deepEqual(texts, ['a, "b"\r\nc', 'plain "x"', '模型']);
    assert.deepEqual(
      aside.map(({ line, row, offset, reason }) => [line, row, offset, reason]),
      [
        [5, 3, 42, 'wrong number of columns'],
        [7, 5, 47, 'empty'],
      ],
    );
  });

  it('finds tabs and semicolons', async () => {
    await fs.writeFile(at('a.tsv'), 'id\tbody\n1\ta, b\n');
    await fs.writeFile(at('b.csv'), 'id;body\n1;"a; b"\n');
    assert.deepEqual((await imported(at('a.tsv'), at('t.arrow'), { columns: { text: 'body' } })).texts, ['a, b']);
    assert.deepEqual((await imported(at('b.csv'), at('t.arrow'), { columns: { text: 'body' } })).texts, ['a; b']);
  });

  it('names the columns where one is missing', async () => {
    await fs.writeFile(at('m.csv'), 'id,body\n1,a\n');
    await assert.rejects(imported(at('m.csv'), at('m.arrow')), { name: 'UserError', message: /no such column: 1/ });
  });
});

describe('importing Markdown, web pages and books', () => {
  const at = temporaryFolder();

  it('leaves front matter out', async () => {
    await fs.writeFile(at('a.md'), '---\ntitle: x\n---\n\n# Heading\n\n---\nText');
    assert.deepEqual((await imported(at('a.md'), at('o.arrow'))).texts, ['# Heading\n\n---\nText']);
  });

  it('makes text of a page: no scripts, lines for blocks, entities decoded, pre kept', async () => {
    const html = `<!DOCTYPE html><html><head><title>T</title><style>p{}</style><script>var a = "<p>no</p>"</script></head>
      <body><nav><ul><li>Home</li></ul></nav><h1>Caf&eacute; &amp; 模型</h1><p>One <b>two</b>
      three.<br>Four&#33;</p><ul><li>a</li><li>b</li></ul><pre>x  =  1\n  y</pre><table><tr><td>1</td><td>2</td></tr></table><footer>©</footer></body></html>`;
    await fs.writeFile(at('a.html'), html);
    const { texts } = await imported(at('a.html'), at('o.arrow'));
    assert.deepEqual(texts, ['Café & 模型\n\nOne two three.\nFour!\n\na\nb\n\nx  =  1\n  y\n\n1\t2']);
  });

  it('reads a page in the encoding that it names', async () => {
    const page = Buffer.concat([
      Buffer.from('<html><meta charset="gb2312"><p>'),
      Buffer.from([0xc4, 0xa3, 0xd0, 0xcd]),
      Buffer.from('</p>'),
    ]);
    await fs.writeFile(at('gb.html'), page);
    assert.deepEqual((await imported(at('gb.html'), at('o.arrow'))).texts, ['模型']);
  });

  it('gives lines to inline text only where blocks end', () =>
    assert.equal(htmlToText('a<span>b</span> <i> c</i><div>d<div>e</div></div>f'), 'ab c\nd\ne\nf'));

  it('leaves out what Project Gutenberg puts around a book', async () => {
    const book =
      'The Project Gutenberg eBook of X\n\n*** START OF THE PROJECT GUTENBERG EBOOK X ***\r\n\r\nChapter I\r\n\r\nIt was.\r\n\r\n*** END OF THE PROJECT GUTENBERG EBOOK X ***\nLicence';
    await fs.writeFile(at('x.txt'), book);
    const { texts, summary } = await imported(at('x.txt'), at('o.arrow'));
    assert.deepEqual([texts, summary.formats], [['Chapter I\n\nIt was.'], { book: 1 }]);
  });

  const epub = (files: Record<string, string>) =>
    zipSync(
      Object.fromEntries(Object.entries({ mimetype: 'application/epub+zip', ...files }).map(([name, text]) => [name, Buffer.from(text)])),
    );
  const CONTAINER = '<container><rootfiles><rootfile full-path="OEBPS/content.opf"/></rootfiles></container>';
  const OPF = `<package><manifest>
    <item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/><item id="c2" href="two%20.xhtml" media-type="application/xhtml+xml"/>
    <item id="c1" href="one.xhtml" media-type="application/xhtml+xml"/></manifest><spine><itemref idref="nav"/><itemref idref="c1"/><itemref idref="c2"/></spine></package>`;
  const chapter = (text: string) =>
    `<?xml version="1.0" encoding="utf-8"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title/></head><body>${text}</body></html>`;
  const BOOK = {
    'META-INF/container.xml': CONTAINER,
    'OEBPS/content.opf': OPF,
    'OEBPS/one.xhtml': chapter('<h1>One</h1><p>A&#160;b.</p>'),
    'OEBPS/two .xhtml': chapter('<p>Two.</p>'),
  };

  it('reads the chapters of an EPUB in the order of its spine', async () => {
    await fs.writeFile(at('b.epub'), epub(BOOK));
    const { rows, summary } = await imported(at('b.epub'), at('o.arrow'));
    assert.deepEqual(rows, [['One\n\nA\u00a0b.\n\nTwo.', 'b']]);
    assert.deepEqual(summary.formats, { book: 1 });
  });

  it('puts EPUBs aside that are cut off, encrypted or bombs', async () => {
    const whole = epub(BOOK);
    await fs.mkdir(at('books'), { recursive: true });
    await fs.writeFile(at('books/cut.epub'), whole.subarray(0, whole.length - 40));
    const encrypted = '<encryption><CipherReference URI="OEBPS/one.xhtml"/></encryption>';
    await fs.writeFile(at('books/drm.epub'), epub({ ...BOOK, 'META-INF/encryption.xml': encrypted }));
    await fs.writeFile(at('books/bomb.epub'), epub({ ...BOOK, 'OEBPS/one.xhtml': ' '.repeat(80 << 20) }));
    await fs.writeFile(at('books/good.epub'), whole);
    const { texts, aside } = await imported(at('books'), at('o.arrow'));
    assert.equal(texts.length, 1);
    assert.deepEqual(
      aside.map(({ file, reason }) => [path.basename(file), reason]),
      [
        ['bomb.epub', 'too large'],
        ['cut.epub', 'damaged'],
        ['drm.epub', 'encrypted'],
      ],
    );
  });
});

describe('importing source code', () => {
  const at = temporaryFolder();

  it('respects .gitignore at every level, names languages, and leaves out what is binary or large', async () => {
    const files: Record<string, string | Buffer> = {
      '.gitignore': 'dist/\n*.log.js\n',
      'a.ts': 'let a;',
      Makefile: 'all:',
      'dist/b.js': 'no',
      'x.log.js': 'no',
      'sub/.gitignore': '!keep.log.js\nsecret.py\n',
      'sub/keep.log.js': 'yes',
      'sub/secret.py': 'no',
      'sub/deep/secret.py': 'no',
      'sub/deep/c.py': 'import c',
      'blob.c': Buffer.from([1, 0, 2]),
      'huge.json': `"${'x'.repeat(2 << 20)}"`,
      'picture.png': 'no',
    };
    for (const [name, content] of Object.entries(files)) {
      await fs.mkdir(path.dirname(at(`repo/${name}`)), { recursive: true });
      await fs.writeFile(at(`repo/${name}`), content);
    }
    const { rows, summary } = await imported(at('repo'), at('o.arrow'));
    assert.deepEqual(rows, [
      ['all:', 'repo/makefile'],
      ['let a;', 'repo/typescript'],
      ['import c', 'repo/python'],
      ['yes', 'repo/javascript'],
    ]);
    assert.deepEqual(summary.skipped, {
      'files and folders that .gitignore names': 4,
      'files of no known language': 1,
      'binary files': 1,
      'source files of more than 1 MiB': 1,
    });
  });
});

describe('importing questions and answers', () => {
  const at = temporaryFolder();

  it('reads lists of texts, of objects, and single answers; the accepted one by flag, index, id or text', async () => {
    const rows = [
      { question: 'Q1', answers: ['a', 'b', 'c'], accepted: 1 },
      {
        question: 'Q2',
        answers: [
          { body: 'a', score: 1 },
          { body: 'b', score: 5 },
          { body: 'c', is_accepted: true },
        ],
      },
      {
        question: 'Q3',
        answers: [
          { id: 7, text: 'a', score: 9 },
          { id: 8, text: 'b' },
        ],
        accepted: 8,
      },
      { question: 'Q4', answers: ['a', 'b'], accepted: 'b' },
      { question: 'Q5', answer: 'only' },
      { question: 'Q6', answers: 5 },
    ];
    await fs.writeFile(at('qa.json'), JSON.stringify(rows));
    const { texts, aside, summary } = await imported(at('qa.json'), at('o.arrow'));
    assert.deepEqual(texts, ['Q1\n\nb\n\na\n\nc', 'Q2\n\nc\n\nb\n\na', 'Q3\n\nb\n\na', 'Q4\n\nb\n\na', 'Q5\n\nonly']);
    assert.deepEqual([aside[0].row, aside[0].reason, summary.formats], [6, 'not text', { qa: 1 }]);
  });

  it('takes columns by other names, nested ones, too', async () => {
    await fs.writeFile(at('q.jsonl'), JSON.stringify({ q: { title: 'Q' }, replies: ['a', 'b'], best: 1 }));
    const columns = { question: 'q.title', answers: 'replies', accepted: 'best' };
    assert.deepEqual((await imported(at('q.jsonl'), at('o.arrow'), { columns })).texts, ['Q\n\nb\n\na']);
  });

  it('joins Posts.xml of Stack Exchange: answers anywhere, HTML as text', async () => {
    const posts = `\ufeff<?xml version="1.0" encoding="utf-8"?>
<posts>
  <row Id="3" PostTypeId="2" ParentId="1" Score="9" Body="&lt;p&gt;High&lt;/p&gt;" />
  <row Id="1" PostTypeId="1" AcceptedAnswerId="4" Score="1" Title="Why &amp; how?" Body="&lt;p&gt;Is &lt;code&gt;a &amp;lt; b&lt;/code&gt;?&lt;/p&gt;&#xA;" />
  <row Id="4" PostTypeId="2" ParentId="1" Score="2" Body="&lt;p&gt;Best&lt;/p&gt;" />
  <row Id="5" PostTypeId="1" Score="0" Title="Lonely" Body="x" />
  <row Id="6" PostTypeId="2" ParentId="99" Body="orphan" />
  <row Id="7" PostTypeId="4" Body="wiki" />
  <row Id="8" PostTypeId="2" Body="no parent" />
</posts>`;
    await fs.writeFile(at('Posts.xml'), posts);
    const { texts, aside, summary } = await imported(at('Posts.xml'), at('o.arrow'));
    assert.deepEqual(texts, ['Why & how?\n\nIs a < b?\n\nBest\n\nHigh']);
    assert.deepEqual(summary.skipped, {
      'posts that are neither question nor answer': 1,
      'questions without answers': 1,
      'answers without their question': 1,
    });
    assert.deepEqual([aside[0].line, aside[0].reason], [9, 'no such column']);
    assert.deepEqual(
      (await fs.readdir(at(''))).filter((name) => name.startsWith('.')),
      [],
    );
  });
});

describe('joining questions and answers', () => {
  const at = temporaryFolder();

  it('gives the same documents whatever the number of partitions', async () => {
    const rows = Array.from({ length: 900 }, (_, i) =>
      i % 3 === 0
        ? `<row Id="${i + 1}" PostTypeId="1" AcceptedAnswerId="${((i * 7) % 900) + 3}" Body="question ${i + 1}" />`
        : `<row Id="${i + 1}" PostTypeId="2" ParentId="${((i * 31) % 300) * 3 + 1}" Score="${i % 5}" Body="answer ${i + 1}" />`,
    );
    const bytes = Buffer.from(`<posts>\n${rows.join('\n')}\n</posts>`);
    const documents = async (size: number) => {
      const found = new Found();
      const chunks = (async function* () {
        for (let i = 0; i < bytes.length; i += 1000) yield bytes.subarray(i, i + 1000);
      })();
      await fs.mkdir(at('scratch'), { recursive: true });
      for await (const _ of readStackExchange({ chunks, offset: 0, encoding: undefined }, found, size, at('scratch')));
      assert.deepEqual(await fs.readdir(at('scratch')), []);
      const { bytes: text, offsets, sources } = found.take();
      return sources.map((_, i) => text.toString('utf8', offsets[i], offsets[i + 1])).sort();
    };
    const one = await documents(1);
    assert.equal(one.join('\n').match(/answer/g)!.length, 600);
    assert.deepEqual(await documents(500e6), one);
  });
});

describe('reading documents without a corpus', () => {
  const at = temporaryFolder();

  it('gives texts and sources of any format, and tells of what is bad', async () => {
    await fs.writeFile(at('a.txt'), 'one\n\ntwo');
    await fs.writeFile(at('b.jsonl'), '{"text":"three"}\nbad\n');
    const seen: unknown[] = [];
    const rejected: unknown[] = [];
    const options = {
      paths: [at('*.{txt,jsonl}')],
      document: 'blank_line',
      onRejected: ({ line }: { line?: number }) => rejected.push(line),
    } as const;
    for await (const { text, source } of readDocuments(options)) seen.push([text, source]);
    assert.deepEqual(seen, [
      ['one', 'a'],
      ['two', 'a'],
      ['three', 'b'],
    ]);
    assert.deepEqual(rejected, [2]);
  });
});
