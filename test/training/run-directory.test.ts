import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { saveCheckpoint } from '../../checkpoints/save.js';
import { openRunDirectory } from '../../training/run-directory.js';
import { contents } from '../checkpoints/helpers.js';

describe('the directory of a run', () => {
  let root: string;
  let path: string;
  beforeEach(async () => {
    root = await fs.mkdtemp(join(tmpdir(), 'fourfold-'));
    path = join(root, 'runs', 'name');
  });
  afterEach(() => fs.rm(root, { recursive: true }));

  /** A run of steps up to `last` that saved at `saved`. */
  async function run(last: number, saved: number[]): Promise<void> {
    const run = await openRunDirectory(path);
    for (let step = 1; step <= last; step++) run.metrics.write({ step, loss: 1 });
    run.samples.write({ step: last, text: 'x' });
    for (const step of saved) await saveCheckpoint(run.checkpoint(step), contents(step));
    await run.writeEnvironment({ device: 'native', isa: 'avx2', threads: 2 });
    await run.close();
  }
  const lines = async (name: string) => (await fs.readFile(join(path, name), 'utf8')).split('\n').filter(Boolean).length;

  it('has the layout of the design', async () => {
    const run = await openRunDirectory(path);
    await run.writeConfig('seed: 1\n');
    await run.writeEnvironment({ device: 'wasm' });
    await run.writeSummary({
      stage: 'pretrain',
      checkpoint: run.final,
      steps: 500,
      tokens: 1000,
      seconds: 2,
      tokens_per_second: 500,
      peak_memory_bytes: 1e6,
      device: { device: 'wasm', threads: 1, cpu: 'a processor' },
      metrics: {},
    });
    await saveCheckpoint(run.checkpoint(500), contents(500));
    await saveCheckpoint(run.final, contents(500));
    await run.close();
    assert.deepEqual((await fs.readdir(path)).sort(), [
      'checkpoints',
      'config.yaml',
      'environment.json',
      'final',
      'metrics.jsonl',
      'samples.jsonl',
      'summary.json',
      'tensorboard',
    ]);
    assert.deepEqual(await fs.readdir(run.checkpoints), ['step-000500']);
    const environment = JSON.parse(await fs.readFile(join(path, 'environment.json'), 'utf8'));
    assert.equal(environment.device, 'wasm');
    assert.equal(environment.node, process.version);
    assert.ok(Date.parse(environment.started) > 0);
  });

  it('that holds a run is not written over: the error names the way out', async () => {
    await run(3, [2]);
    await assert.rejects(openRunDirectory(path), {
      name: 'UserError',
      message: `opening the run ${path}: a new run needs a directory without one; it holds 1 checkpoint. Go on with it (--resume auto) or choose another output_dir`,
    });
  });

  it('that a failed start left behind is free', async () => {
    const first = await openRunDirectory(path);
    await first.writeConfig('');
    await first.close();
    await (await openRunDirectory(path)).close();
  });

  it('resumes from the newest whole checkpoint: metrics and samples are cut back to its step', async () => {
    await run(7, [2, 5]);
    const resumed = await openRunDirectory(path, { resume: 'auto' });
    assert.deepEqual(resumed.resumeFrom, { path: resumed.checkpoint(5), step: 5 });
    assert.deepEqual([await lines('metrics.jsonl'), await lines('samples.jsonl')], [5, 0]);
    assert.equal(resumed.environment?.isa, 'avx2');
    await resumed.writeEnvironment({ device: 'native', isa: 'avx512' });
    await resumed.close();
    const environment = JSON.parse(await fs.readFile(join(path, 'environment.json'), 'utf8'));
    assert.deepEqual(
      [environment.isa, environment.resumed_at_step, environment.earlier.length, environment.earlier[0].isa],
      ['avx512', 5, 1, 'avx2'],
    );
  });

  it('resumes from the start when nothing was saved yet, and when there is no run', async () => {
    await (await openRunDirectory(path, { resume: 'auto' })).close();
    await run(3, []);
    const resumed = await openRunDirectory(path, { resume: 'auto' });
    assert.equal(resumed.resumeFrom, undefined);
    assert.equal(await lines('metrics.jsonl'), 0);
    await resumed.close();
  });

  it('passes over a corrupt checkpoint, says so and sets it aside, so that it is not kept in place of a good one', async () => {
    await run(7, [2, 5]);
    await fs.truncate(join(path, 'checkpoints/step-000005/model.safetensors'), 50);
    const resumed = await openRunDirectory(path, { resume: 'auto' });
    await resumed.close();
    assert.equal(resumed.resumeFrom?.step, 2);
    assert.match(resumed.skipped[0].reasons[0], /model\.safetensors has 50 bytes/);
    assert.deepEqual((await fs.readdir(resumed.checkpoints)).sort(), ['step-000002', 'step-000005.set-aside']);
    await fs.rm(join(path, 'checkpoints/step-000002/manifest.json'));
    await assert.rejects(openRunDirectory(path, { resume: 'auto' }), /all are damaged.*\n.*step-000002: manifest\.json is missing/);
  });

  it('resumes from a given checkpoint and sets later ones aside', async () => {
    await run(7, [2, 5]);
    const resumed = await openRunDirectory(path, { resume: join(path, 'checkpoints', 'step-000002') });
    assert.equal(resumed.resumeFrom?.step, 2);
    assert.equal(await lines('metrics.jsonl'), 2);
    assert.deepEqual((await fs.readdir(resumed.checkpoints)).sort(), ['step-000002', 'step-000005.set-aside']);
    await resumed.close();
  });

  it("goes on from another run's checkpoint in a fresh directory only", async () => {
    await run(7, [2]);
    const other = join(path, 'checkpoints', 'step-000002');
    const fork = await openRunDirectory(join(root, 'fork'), { resume: other });
    assert.deepEqual(fork.resumeFrom, { path: other, step: 2 });
    await saveCheckpoint(fork.final, contents(9));
    await fork.close();
    await assert.rejects(
      openRunDirectory(join(root, 'fork'), { resume: other }),
      /must be one of the run in .*which holds a finished model/,
    );
    const final = await openRunDirectory(join(root, 'fork'), { resume: fork.final });
    assert.equal(final.resumeFrom?.step, 9); // from trainer_state.json
    await final.close();
    await assert.rejects(
      openRunDirectory(path, { resume: join(path, 'checkpoints', 'step-9') }),
      /manifest\.json is missing.*--resume auto/,
    );
  });

  it('is written by one process at a time', async () => {
    const run = await openRunDirectory(path);
    await assert.rejects(openRunDirectory(path), { name: 'UserError', message: new RegExp(`process ${process.pid} does`) });
    await run.close();
    await fs.writeFile(join(path, 'run.lock'), `${process.ppid}\n`);
    await assert.rejects(openRunDirectory(path), new RegExp(`process ${process.ppid} does`));
  });

  it('is taken over from a process that is gone', async () => {
    await fs.mkdir(path, { recursive: true });
    const gone = spawnSync(process.execPath, ['-e', '']).pid;
    for (const left of [`${gone}\n`, '', `${process.pid}\n`]) {
      await fs.writeFile(join(path, 'run.lock'), left);
      const run = await openRunDirectory(path);
      assert.equal(await fs.readFile(join(path, 'run.lock'), 'utf8'), `${process.pid}\n`);
      await run.close();
      assert.deepEqual(
        (await fs.readdir(path)).filter((name) => name.startsWith('run.lock')),
        [],
      );
    }
  });

  it('loses what an interrupted save left', async () => {
    await run(3, [2]);
    await fs.mkdir(join(path, 'checkpoints', '.step-000003.tmp-1'));
    await fs.rename(join(path, 'checkpoints', 'step-000002'), join(path, 'checkpoints', '.step-000002.old'));
    const resumed = await openRunDirectory(path, { resume: 'auto' });
    await resumed.close();
    assert.equal(resumed.resumeFrom?.step, 2);
    assert.deepEqual(await fs.readdir(resumed.checkpoints), ['step-000002']);
  });
});
