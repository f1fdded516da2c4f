import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs/promises';
import { packageRoot } from '../../util/package-root.js';
import { preferencesIn } from '../datasets/preference-rows.js';
import { temporaryFolder } from '../datasets/temporary.js';
import { generationOf, writeGenerations } from '../evaluation/generation-table.js';
import { fourfold } from './capture.js';

describe('fourfold data rank', () => {
  const at = temporaryFolder();
  before(() =>
    writeGenerations(at('generations.arrow'), [
      generationOf('one', ['a', 'b', 'c']),
      generationOf('same', ['x', 'x', 'x']),
      generationOf('two', ['a', 'b', 'a']),
      generationOf('three', ['a', 'b', 'c']),
    ]),
  );

  /** Ranks by hand in a process of its own, with these lines on stdin. */
  const byHand = (lines: string, ...more: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> =>
    new Promise((resolve, reject) => {
      const argv = ['data', 'rank', at('generations.arrow'), '-o', at('hand.arrow'), '--annotator', 'human:ann', ...more];
      const child = spawn(process.execPath, ['--import', 'tsx', 'cli/main.ts', ...argv], { cwd: packageRoot() });
      const ended = { code: null as number | null, stdout: '', stderr: '' };
      for (const name of ['stdout', 'stderr'] as const) {
        child[name].setEncoding('utf8').on('data', (text: string) => {
          ended[name] += text;
        });
      }
      child.on('error', reject).on('close', (code) => resolve({ ...ended, code }));
      child.stdin.end(lines);
    });

  it('asks a person, says what became of it, and goes on where it was stopped', async () => {
    await fs.writeFile(at('guide.md'), '# Kindly');
    const first = await byHand('?\n1 2 3\ns\nq\n', '--guideline', at('guide.md'));
    assert.equal(first.code, 0, first.stderr);
    assert.match(first.stderr, /best first.*── 1 of 3 ──.*user: one.*\[3\] .*# Kindly.*── 2 of 3 ──/s);
    assert.match(
      first.stdout,
      /hand\.arrow: 1 ranking of 1 prompt, 3 answers, 3 comparisons, 0 ties\n +annotators: ann 1 \(\d+\.\d s each/,
    );
    assert.match(first.stdout, /left out of 4 prompts: 1 with fewer than two different answers, 1 skipped, 1 not ranked yet\n/);
    assert.match(first.stdout, /answers of the same text as another, ranked once: 3/);
    const second = await byHand('1=2=3\n');
    assert.match(second.stderr, /── 3 of 3 ──.*user: three/s);
    assert.match(second.stdout, /2 rankings of 2 prompts.*rankings of equals alone: 1/s);
    const rows = await preferencesIn(at('hand.arrow'));
    assert.deepEqual(rows.map(({ annotator, prompt }) => `${annotator} ${prompt[0].content}`), ['ann one', 'ann three']); // biome-ignore format: short
  }).timeout(20_000);

  it('fails with a message', async () => {
    const { code, stderr } = await fourfold('data', 'rank', at('generations.arrow'), '-o', at('gold.arrow'), '--annotator', 'gold');
    assert.equal(code, 1);
    assert.match(stderr, /error: rank: --annotator gold needs the world/);
  });

  it('imports preferences and says what they are', async () => {
    await fs.writeFile(at('pairs.jsonl'), '{"prompt":"q","chosen":"a","rejected":"b"}\n{"prompt":"q","chosen":"c","rejected":"c"}\n');
    const { code, stdout } = await fourfold('data', 'import', at('pairs.jsonl'), '-o', at('pairs.arrow'));
    assert.equal(code, 0);
    assert.match(stdout, /pairs\.arrow: 1 preferences, 2 answers, 1 comparisons, 3 bytes\n +format: chosen_rejected \(1 file\)/);
    assert.match(stdout, /could not be used: identical answers 1; .*pairs\.arrow\.quarantine\.jsonl/);
  });
});
