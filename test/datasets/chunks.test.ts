import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import path from 'node:path';
import { chunkLength, chunkText, readChunks } from '../../datasets/chunks.js';
import { importCorpus } from '../../datasets/import.js';
import { temporaryFolder } from './temporary.js';

describe('reading a corpus in chunks', () => {
  const folder = temporaryFolder();
  const texts = Array.from({ length: 50 }, (_, i) => `document ${i} ${'模型'.repeat(i)}`);

  for (const chunkBytes of [1, 100, 1 << 20]) {
    it(`gives every document once, in order, with its source: chunks of ${chunkBytes} bytes`, async () => {
      const file = path.join(folder(), 'lines.txt');
      const corpus = path.join(folder(), 'corpus.arrow');
      await fs.writeFile(file, texts.join('\n'));
      await importCorpus({ paths: [file], output: corpus, document: 'line', overwrite: true });
      const read: string[] = [];
      for await (const chunk of readChunks(corpus, chunkBytes)) {
        assert.equal(chunk.first, read.length);
        assert.equal(chunk.text.byteLength, chunk.text.buffer.byteLength);
        for (let i = 0; i < chunkLength(chunk); i++) {
          read.push(chunkText(chunk, i));
          assert.equal(chunk.sources[chunk.sourceOf[i]], 'lines');
        }
      }
      assert.deepEqual(read, texts);
    });
  }
});
