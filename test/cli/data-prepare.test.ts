import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import { temporaryFolder } from '../datasets/temporary.js';
import { writeCorpus } from '../datasets/write-corpus.js';
import { withoutColour } from '../util/environment.js';
import { fourfold } from './capture.js';

describe('fourfold data prepare', () => {
  const at = temporaryFolder();
  withoutColour();
  const documents = (source: string, count: number) =>
    Array.from({ length: count }, (_, i) => ({ source, text: `document ${i} of ${source} with some words` }));

  before(async () => {
    await writeCorpus(at('wiki.arrow'), documents('wiki', 90));
    await writeCorpus(at('c4.arrow'), documents('c4', 30));
  });
  const prepare = (...argv: string[]) =>
    fourfold('data', 'prepare', at('wiki.arrow'), at('c4.arrow'), '-o', at('tokens'), '--kind', 'word', ...argv);

  it('prints both parts, and the sources with their shares and epochs', async () => {
    const { code, stdout, stderr } = await prepare('--mixture', 'wiki=1,c4=3', '--eval-fraction', '0.2');
    assert.deepEqual([code, stderr], [0, '']);
    const { train } = JSON.parse(await fs.readFile(at('tokens/dataset.json'), 'utf8'));
    assert.match(stdout, new RegExp(`^  train: ${train.documents} documents, ${train.tokens} tokens, `, 'm'));
    assert.match(stdout, /^source {2}documents {2}tokens {2}bytes {3}share {2}mixture {2}epochs in one pass$/m);
    const [wiki, c4] = train.sources.map(({ tokens }: { tokens: number }) => tokens);
    const line = (name: string, tokens: number, mixture: number) =>
      new RegExp(
        `^${name} .* ${((100 * tokens) / train.tokens).toFixed(1)} % +${100 * mixture}.0 % +${((mixture * train.tokens) / tokens).toFixed(2)}$`,
        'm',
      );
    assert.match(stdout, line('wiki', wiki, 0.25));
    assert.match(stdout, line('c4', c4, 0.75));
  });

  it('leaves what is there unless told', async () => {
    const { code, stderr } = await prepare();
    assert.equal(code, 1);
    assert.match(stderr, /tokens exists already\. Choose another directory, or say --overwrite/);
    assert.equal((await prepare('--overwrite', '--threads', '2')).code, 0);
    assert.equal(JSON.parse(await fs.readFile(at('tokens/dataset.json'), 'utf8')).mixture, undefined);
  });

  for (const [mixture, message] of [
    ['wiki=1', /c4 has no weight \(0 leaves it out\)/],
    ['wikki=1,c4=1', /there is no source wikki, did you mean wiki\?/],
    ['wiki=0,c4=0', /one weight must be above 0/],
    ['wiki', /sources with weights, 0 or more, such as wiki=2,c4=1/],
    ['wiki=-1,c4=1', /sources with weights, 0 or more/],
    ['wiki=1,wiki=2', /It names wiki twice/],
  ] as const) {
    it(`--mixture ${mixture} is an error`, async () => {
      const { code, stderr } = await prepare('--mixture', mixture, '--overwrite');
      assert.equal(code, 1);
      assert.match(stderr, message);
    });
  }
});
