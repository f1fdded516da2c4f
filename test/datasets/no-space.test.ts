import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs/promises';
import { cleanCorpus } from '../../datasets/clean/index.js';
import { importCorpus } from '../../datasets/import.js';
import { prepare } from '../../datasets/prepare.js';
import { trainTokenizer } from '../../tokenizer/index.js';
import { saveTokenizer } from '../../tokenizer/save.js';
import { writeFileAtomic } from '../../util/files.js';
import { temporaryFolder } from './temporary.js';

describe('a disk that is full', () => {
  let mounted = '';
  after(() => mounted && execFileSync('umount', [mounted])); // before the folder that it is in is removed
  const at = temporaryFolder();
  const disk = (name = '') => at(`disk/${name}`);
  before(async function () {
    await fs.mkdir(disk());
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk()], { stdio: 'ignore' });
      mounted = disk();
    } catch {
      this.skip(); // needs Linux, and the right to mount
    }
  });
  const refuses = (attempt: Promise<unknown>) =>
    assert.rejects(attempt, { name: 'UserError', message: /no(ne| space) left.*(Free|free) some/s });
  const left = async () => (await fs.readdir(disk())).sort();

  it('is a message for what writes a file, and keeps what was there', async () => {
    await writeFileAtomic(disk('file'), 'good');
    await refuses(writeFileAtomic(disk('file'), Buffer.alloc(2 << 20)));
    assert.equal(await fs.readFile(disk('file'), 'utf8'), 'good');
    const tokenizer = trainTokenizer(['some text'], { kind: 'bpe', vocabSize: 280 });
    await fs.writeFile(disk('filler'), Buffer.alloc(1 << 20)).catch(() => {});
    await refuses(saveTokenizer(tokenizer, disk('tokenizer.json')));
    assert.deepEqual(await left(), ['file', 'filler']);
    await fs.rm(disk('file'));
    await fs.rm(disk('filler'));
  });

  it('is a message for importing, cleaning and preparing; a good corpus before stays', async () => {
    const line = (i: number) => `Line ${i}: ${'text and more '.repeat(10)}\n`;
    const texts = Array.from({ length: 20_000 }, (_, i) => line(i));
    await fs.writeFile(at('large.txt'), texts.join(''));
    await fs.writeFile(at('small.txt'), texts.slice(0, 100).join(''));
    const importing = (name: string, output: string) => importCorpus({ paths: [at(name)], output, document: 'line', overwrite: true });
    const output = disk('corpus.arrow');
    await importing('small.txt', output);
    const good = await fs.readFile(output);
    await refuses(importing('large.txt', output));
    assert.deepEqual(await fs.readFile(output), good);
    await importing('large.txt', at('large.arrow'));
    await refuses(cleanCorpus({ corpora: [at('large.arrow')], output, rules: ['exact_duplicates'], overwrite: true, threads: 1 }));
    assert.deepEqual(await fs.readFile(output), good);
    assert.deepEqual(await left(), ['corpus.arrow']);
    const tokenizer = trainTokenizer(['text'], { kind: 'bpe', vocabSize: 280 });
    const options = { corpora: [at('large.arrow')], tokenizer, split: 'hash', evalFraction: 0.1, seed: 1, threads: 1 } as const;
    await refuses(prepare({ ...options, output: disk('prepared') }));
    assert.deepEqual(
      (await left()).filter((name) => !name.startsWith('.')),
      ['corpus.arrow'],
    );
  });
});
