import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Display } from '../../pipelines/display.js';
import type { Lineage, StepRecord } from '../../pipelines/lineage.js';
import { parsePlan } from '../../pipelines/plan.js';
import { type RunOptions, runPipeline } from '../../pipelines/run.js';
import { UserError } from '../../util/errors.js';
import { never } from '../stages/running.js';

const LINES = Array.from(
  { length: 400 },
  (_, i) => `the ${['red', 'blue', 'green'][i % 3]} ${['fox', 'dog', 'hen', 'cow'][i % 4]} has ${i} eggs`,
);

describe('running a pipeline', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'fourfold-pipeline-'));
    writeFileSync(path.join(folder, 'lines.txt'), LINES.join('\n'));
  });
  after(() => rmSync(folder, { recursive: true }));

  const text = (steps = 40) => `
seed: 5
steps:
  lines:
    kind: import
    config: { paths: "${path.join(folder, 'lines.txt')}", document: line }
  tokenizer:
    config:
      paths: \${lines.table}
      vocab_size: 280
  tokens:
    kind: prepare
    config:
      corpora: \${lines.table}
      tokenizer: \${tokenizer.tokenizer}
  base:
    kind: pretrain
    config:
      data: { path: "\${tokens.tokens}", packing: segments }
      model: { hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2 }
      context_length: 32
      batch_size: 4
      max_steps: ${steps}
      warmup_steps: 2
      logging_steps: 5
      save_steps: 5
      sample_steps: 0
`;

  /** Runs it, and gives what is shown. */
  async function run(name: string, overrides: string[] = [], options: Partial<RunOptions> = {}): Promise<string[]> {
    const lines: string[] = [];
    const display = new Display({ write: (line: string) => lines.push(line.trimEnd()) });
    const plan = await parsePlan(text(), 'p.yaml', [`output_dir=${path.join(folder, name)}`, ...overrides]);
    await runPipeline(plan, { signal: never, display, ...options });
    return lines.map((line) => line.replace(/done in .*/, 'done'));
  }
  const at = (...parts: string[]) => path.join(folder, ...parts);
  const record = (name: string, step: string) => JSON.parse(readFileSync(at(name, step, 'step.json'), 'utf8')) as StepRecord;
  const unchanged = (n: number, step: string) => `[${n}/4] ${step}: unchanged`;
  const ran = (n: number, step: string, kind: string) => [`[${n}/4] ${step}: ${kind}`, `[${n}/4] ${step}: done`];
  const ALL = [
    ...ran(1, 'lines', 'import'),
    ...ran(2, 'tokenizer', 'tokenizer'),
    ...ran(3, 'tokens', 'prepare'),
    ...ran(4, 'base', 'pretrain'),
  ];

  describe('once done', () => {
    before(async function () {
      this.timeout(120_000);
      assert.deepEqual(await run('a'), ALL);
    });

    it('has written what each step was made of, and what it made', () => {
      const lineage = JSON.parse(readFileSync(at('a', 'lineage.json'), 'utf8')) as Lineage;
      assert.deepEqual(
        lineage.steps.map(({ name, state, seed }) => [name, state, seed]),
        [
          ['lines', 'done', undefined],
          ['tokenizer', 'done', undefined],
          ['tokens', 'done', 5],
          ['base', 'done', 5],
        ],
      );
      const [lines, tokenizer, tokens, base] = lineage.steps;
      assert.match(lines.inputs[at('lines.txt')], /^[0-9a-f]{64}$/);
      assert.equal(tokenizer.inputs[at('a', '1-lines', 'table.arrow')], lines.outputs.table.sha256);
      assert.equal(tokens.inputs[at('a', '2-tokenizer', 'tokenizer.json')], tokenizer.outputs.tokenizer.sha256);
      assert.equal(base.outputs.checkpoint.path, path.join('4-base', 'final'));
      assert.ok(base.seconds! > 0 && base.peak_memory_bytes! > 1e7);
      const summary = JSON.parse(readFileSync(at('a', 'summary.json'), 'utf8'));
      assert.deepEqual([summary.stages[0].name, summary.stages[0].stage, summary.stages[0].steps], ['base', 'pretrain', 40]);
      assert.match(readFileSync(at('a', '4-base', 'log.txt'), 'utf8'), /step 40\/40/);
    });

    it('runs nothing again that has not changed, whatever the threads', async () => {
      assert.deepEqual(await run('a', ['threads=1']), [unchanged(1, 'lines'), unchanged(2, 'tokenizer'), unchanged(3, 'tokens'), unchanged(4, 'base')]); // biome-ignore format: one line
    });

    it('runs what has changed, sets aside what was there, and leaves what comes out the same', async function () {
      this.timeout(120_000);
      const before = record('a', '4-base').outputs.checkpoint.sha256;
      assert.deepEqual(await run('a', ['base.max_steps=20'], { until: 'base' }), [unchanged(1, 'lines'), unchanged(2, 'tokenizer'), unchanged(3, 'tokens'), ...ran(4, 'base', 'pretrain')]); // biome-ignore format: one line
      assert.notEqual(record('a', '4-base').outputs.checkpoint.sha256, before);
      assert.equal(record('a', '4-base.before').outputs.checkpoint.sha256, before);
      // Another way to the same tokenizer: the steps after it have nothing to do.
      assert.deepEqual(await run('a', ['base.max_steps=20', 'tokenizer.max_token_bytes=40']), [unchanged(1, 'lines'), ...ran(2, 'tokenizer', 'tokenizer'), unchanged(3, 'tokens'), unchanged(4, 'base')]); // biome-ignore format: one line
    });

    it('makes anew what somebody has changed', async () => {
      writeFileSync(at('a', '2-tokenizer', 'tokenizer.json'), '{}');
      const shown = await run('a', ['base.max_steps=20'], { until: 'tokens' });
      assert.deepEqual(shown, [unchanged(1, 'lines'), ...ran(2, 'tokenizer', 'tokenizer'), unchanged(3, 'tokens')]);
    });

    it('takes what the steps before --from made as it is, and runs again what is forced', async () => {
      assert.deepEqual(
        await run('a', ['lines.source=other'], { from: 'tokens', until: 'tokens', force: true }),
        ran(3, 'tokens', 'prepare'),
      );
      await assert.rejects(run('b', [], { from: 'tokens' }), (error: Error) => error instanceof UserError && /needs what the steps before it made; lines is not done/.test(error.message)); // biome-ignore format: one line
      await assert.rejects(
        run('a', [], { from: 'sft' }),
        /--from must name a step; received sft; the steps are lines, tokenizer, tokens, base/,
      );
      await assert.rejects(run('a', [], { from: 'base', until: 'lines' }), /--from must not be after --until/);
    });
  });

  it('ends with what a step said that failed, and goes on there the next time', async function () {
    this.timeout(60_000);
    await assert.rejects(run('fails', ['tokens.mixture={nobody: 1}']), (error: Error) => {
      assert.ok(error instanceof UserError);
      assert.match(error.message, /^The step tokens failed: .*nobody/s);
      return true;
    });
    assert.deepEqual(record('fails', '3-tokens').state, 'failed');
    const lineage = JSON.parse(readFileSync(at('fails', 'lineage.json'), 'utf8')) as Lineage;
    assert.deepEqual(lineage.steps.map(({ state }) => state), ['done', 'done', 'failed', 'waiting']); // biome-ignore format: one line
    assert.deepEqual(await run('fails', [], { until: 'tokens' }), [
      unchanged(1, 'lines'),
      unchanged(2, 'tokenizer'),
      ...ran(3, 'tokens', 'prepare'),
    ]);
  });

  it('gives the same bits with one thread and two, and after SIGKILL at random moments', async function () {
    this.timeout(240_000);
    const file = at('p.yaml');
    writeFileSync(file, text(200));
    const start = (name: string, resume: boolean, threads: number): ChildProcess => {
      const args = [
        '--import',
        'tsx',
        'cli/main.ts',
        'run',
        file,
        `output_dir=${at(name)}`,
        `threads=${threads}`,
        ...(resume ? ['--resume'] : []),
      ];
      return spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    };
    const ended = (child: ChildProcess) => new Promise<number | null>((resolve) => child.on('exit', resolve));
    const whole = ended(start('whole', false, 2));
    for (const [round, step] of ['1-lines', '3-tokens', '4-base', '4-base'].entries()) {
      const child = start('killed', round > 0, 1);
      const exit = ended(child);
      const sign =
        round === 3
          ? at('killed', step, 'checkpoints', 'step-000050', 'manifest.json')
          : at('killed', step, round === 2 ? 'metrics.jsonl' : 'step.json');
      while (!existsSync(sign)) {
        assert.equal(child.exitCode, null, `it ended before ${sign}`);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      child.kill('SIGKILL');
      await exit;
    }
    assert.equal(await ended(start('killed', true, 1)), 0);
    assert.equal(await whole, 0);
    for (const step of ['1-lines', '2-tokenizer', '3-tokens', '4-base']) {
      const hashes = ['whole', 'killed'].map((name) => Object.values(record(name, step).outputs).map(({ sha256 }) => sha256));
      assert.deepEqual(hashes[0], hashes[1], step);
    }
  });
});

describe('the progress of a pipeline', () => {
  it('says where there is no terminal when steps begin and end, and now and then how far it is, with the time left of the whole', () => {
    let time = 0;
    const lines: string[] = [];
    const display = new Display({ write: (text: string) => lines.push(text) }, () => time);
    display.begin(2, 5, 'sft', 'sft', 60);
    time = 10_000;
    display.line('step 10/100 · loss 1');
    time = 40_000;
    display.line('step 40/100 · loss 1');
    display.end('done in 1m 40s');
    display.begin(3, 5, 'ppo', 'ppo', undefined);
    time = 80_000;
    display.line('step 1/2 · score 1');
    display.skip(4, 5, 'rank', 'unchanged');
    assert.deepEqual(lines, [
      '[2/5] sft: sft\n',
      '[2/5] sft · step 40/100 · loss 1 · all: 2m 00s left\n',
      '[2/5] sft: done in 1m 40s\n',
      '[3/5] ppo: ppo\n',
      '[3/5] ppo · step 1/2 · score 1\n',
      '[4/5] rank: unchanged\n',
    ]);
  });

  it('redraws one line on a terminal, no wider than it', () => {
    let time = 0;
    let screen = '';
    const stream = { isTTY: true, columns: 30, write: (text: string) => (screen += text) };
    const display = new Display(stream, () => time);
    display.begin(1, 2, 'base', 'pretrain', 0);
    time = 1000;
    display.line('step 1/2 · loss 1.234 · 5 tokens/s');
    display.end('done in 2s');
    assert.equal(screen, '\r\x1b[K[1/2] base · pretrain\r\x1b[K[1/2] base · step 1/2 · loss \r\x1b[K[1/2] base: done in 2s\n');
  });
});
