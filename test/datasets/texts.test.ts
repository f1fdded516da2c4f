import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import { ArrowFile, corpusBatch, corpusSchema } from '../../datasets/arrow.js';
import { chunkLength, chunkText, type TextChunk } from '../../datasets/chunks.js';
import { readTexts } from '../../datasets/texts.js';
import { temporaryFolder } from './temporary.js';

describe('reading texts of any kind', () => {
  const at = temporaryFolder();

  async function read(paths: string[]): Promise<{ chunks: TextChunk[]; rejected: string[] }> {
    const chunks: TextChunk[] = [];
    const rejected: string[] = [];
    for await (const chunk of readTexts(paths, ({ reason }) => rejected.push(reason))) chunks.push(chunk);
    return { chunks, rejected };
  }

  const documentsOf = (chunks: TextChunk[]) =>
    chunks.flatMap((chunk) =>
      Array.from({ length: chunkLength(chunk) }, (_, i) => [chunk.sources[chunk.sourceOf[i]], chunkText(chunk, i)]),
    );

  it('gives corpora, rows and files with the names of their sources, and tells of what cannot be used', async () => {
    const schema = corpusSchema(new Map());
    const corpus = new ArrowFile(at('corpus.arrow'), schema);
    await corpus.write(corpusBatch(schema, ['one', '二'], ['web', 'books']));
    await corpus.close();
    await fs.writeFile(at('rows.jsonl'), '{"text": "three"}\n{"text": 4}\n{"text": "five"}\n');
    await fs.writeFile(at('plain.txt'), 'six\n\nseven\n');
    const { chunks, rejected } = await read([at('rows.jsonl'), at('corpus.arrow'), at('plain.txt')]);
    assert.deepEqual(documentsOf(chunks), [
      ['web', 'one'],
      ['books', '二'],
      ['rows', 'three'],
      ['rows', 'five'],
      ['plain', 'six\n\nseven\n'],
    ]);
    assert.equal(rejected.length, 1);
  });

  it('gives a text that is too large for a document in pieces that end in line ends, and a line of any length whole', async () => {
    const line = 'a line, 模型\n';
    const long = `${'long '.repeat(5_000_000)}\n`;
    const lines = line.repeat(3_000_000);
    await fs.writeFile(at('large.txt'), lines.concat(long, line));
    assert.ok((await fs.stat(at('large.txt'))).size > 64 << 20);
    let size = 0;
    let longest = 0;
    for await (const chunk of readTexts([at('large.txt')], () => assert.fail())) {
      assert.deepEqual(chunk.sources, ['large']);
      assert.equal(chunk.text.at(-1), 0x0a);
      size += chunk.text.length;
      longest = Math.max(longest, chunk.text.length);
    }
    assert.equal(size, (await fs.stat(at('large.txt'))).size);
    assert.ok(longest >= long.length && longest < long.length + (16 << 20));
  });
});
