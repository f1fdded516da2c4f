import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import { temporaryFolder } from '../datasets/temporary.js';
import { pipelineFiles, writeFiles } from '../evaluation/report/run-directory.js';
import { fourfold } from './capture.js';

describe('fourfold report and compare', () => {
  const at = temporaryFolder();
  before(async () => {
    await writeFiles(at('a'), pipelineFiles());
    await writeFiles(at('b'), pipelineFiles());
  });

  it('write the report into the run, again and again, and print its sentence', async () => {
    for (let i = 0; i < 2; i++) {
      const { code, stdout } = await fourfold('report', at('a'));
      assert.equal(code, 0);
      assert.match(stdout, /^PPO raises the gold reward .*\n.*report\.html and .*report\.md: written\./);
    }
    assert.deepEqual((await fs.readdir(at('a'))).filter((name) => name.includes('report')).sort(), ['report.html', 'report.md']);
  });

  it('say what is wrong with a directory that is no run', async () => {
    const { code, stderr } = await fourfold('report', at('none'));
    assert.equal(code, 1);
    assert.match(stderr, /^error: report: a run is a directory; received .*none/);
  });

  it('print a comparison, or write it where it replaces nothing unasked', async () => {
    const printed = await fourfold('compare', at('a'), at('b'));
    assert.match(printed.stdout, /^# .*a and .*b\n[\s\S]*\n## Figures\n/);
    const page = at('compare.html');
    assert.equal((await fourfold('compare', at('a'), at('b'), '-o', page)).code, 0);
    assert.match(await fs.readFile(page, 'utf8'), /^<!doctype html>/);
    const again = await fourfold('compare', at('a'), at('b'), '-o', page);
    assert.match(again.stderr, /exists already\. Choose another, or say --overwrite/);
    assert.equal((await fourfold('compare', at('a'), at('b'), '-o', page, '--overwrite')).code, 0);
    assert.equal((await fourfold('compare', at('a'))).code, 1);
  });
});
