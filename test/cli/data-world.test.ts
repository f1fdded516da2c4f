import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import { tableKind } from '../../datasets/conversations.js';
import { temporaryFolder } from '../datasets/temporary.js';
import { withoutColour } from '../util/environment.js';
import { fourfold } from './capture.js';

describe('fourfold data world', () => {
  const at = temporaryFolder();
  withoutColour();
  const make = (...argv: string[]) => fourfold('data', 'world', '-o', at('world'), '--size', '0.1', ...argv);

  it('writes the tables that its README names, and prints their rows', async () => {
    const { code, stdout, stderr } = await make('--seed', '4', '--languages', 'en,zh');
    assert.deepEqual([code, stderr], [0, '']);
    const kinds = {
      'corpus.arrow': 'corpus',
      'conversations.arrow': 'conversations',
      'preferences.arrow': 'preferences',
      'prompts-rollout.arrow': 'prompts',
      'prompts-eval.arrow': 'prompts',
      'prompts-report.arrow': 'prompts',
    };
    const readme = await fs.readFile(at('world/README.md'), 'utf8');
    assert.match(readme, /--seed 4 --size 0.1 --languages en,zh/);
    for (const [file, kind] of Object.entries(kinds)) {
      assert.equal(await tableKind(at(`world/${file}`)), kind);
      const [, rows] = new RegExp(`world/${file}: ([\\d,]+) rows`).exec(stdout)!;
      assert.ok(readme.includes(`| \`${file}\` | ${rows} |`), file);
    }
    assert.deepEqual((await fs.readdir(at('world'))).sort(), ['README.md', ...Object.keys(kinds), 'world.json'].sort());
  });

  it('leaves what is there unless told', async () => {
    const { code, stderr } = await make();
    assert.equal(code, 1);
    assert.match(stderr, /world exists already\. Choose another directory, or say --overwrite/);
    assert.equal((await make('--overwrite')).code, 0);
  });

  it('knows two languages', async () => {
    for (const languages of ['fr', 'en,en', '']) {
      const { code, stderr } = await make('--languages', languages);
      assert.notEqual(code, 0);
      assert.match(stderr, /It must be en, zh, or en,zh/);
    }
  });
});
