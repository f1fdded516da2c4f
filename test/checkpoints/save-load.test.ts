import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { latestCheckpoint, loadCheckpoint, loadOptimizer, resolveCheckpoint } from '../../checkpoints/load.js';
import { verifyCheckpoint } from '../../checkpoints/manifest.js';
import { pruneCheckpoints, saveCheckpoint, stepName, stepOf } from '../../checkpoints/save.js';
import { parameterShapes } from '../../model/config.js';
import { cleanLeftovers } from '../../util/files.js';
import { contents, filesOf, tinyConfig } from './helpers.js';

describe('a checkpoint', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await fs.mkdtemp(join(tmpdir(), 'fourfold-'));
  });
  afterEach(() => fs.rm(directory, { recursive: true }));
  const at = (step: number) => join(directory, stepName(step));
  const save = (step: number) => saveCheckpoint(at(step), contents(step));

  it('holds the files of the Hugging Face layout and those for resuming, and nothing else remains', async () => {
    await save(5);
    assert.deepEqual(await fs.readdir(directory), ['step-000005']);
    assert.deepEqual((await fs.readdir(at(5))).sort(), [
      'README.md',
      'config.json',
      'generation_config.json',
      'manifest.json',
      'model.safetensors',
      'optimizer.safetensors',
      'tokenizer.json',
      'tokenizer_config.json',
      'trainer_state.json',
    ]);
    assert.deepEqual(await verifyCheckpoint(at(5)), []);
  });

  it('gives back what was saved', async () => {
    await save(5);
    const loaded = await loadCheckpoint(at(5));
    assert.deepEqual(loaded.config, tinyConfig);
    assert.deepEqual([...loaded.weights.keys()], [...parameterShapes(tinyConfig).keys()]);
    for (const data of loaded.weights.values()) assert.ok(data.every((value) => value === 5));
    assert.deepEqual(loaded.tokenizer, { version: '1.0', value: 5 });
    assert.deepEqual(loaded.trainerState, { step: 5 });
    const optimizer = await loadOptimizer(at(5));
    assert.deepEqual(
      [...optimizer.keys()],
      [...parameterShapes(tinyConfig).keys()].map((name) => `first.${name}`),
    );
  });

  it('is the same to the byte when saved twice', async () => {
    await save(5);
    await saveCheckpoint(join(directory, 'other'), contents(5));
    assert.deepEqual(await filesOf(at(5)), await filesOf(join(directory, 'other')));
  });

  it('without what resuming needs is for use only, and says so when resumed', async () => {
    await saveCheckpoint(at(5), { ...contents(5), optimizer: undefined, trainerState: undefined });
    assert.equal((await loadCheckpoint(at(5))).trainerState, undefined);
    await assert.rejects(loadOptimizer(at(5)), /must hold optimizer\.safetensors.*init_from=/);
  });

  it('that is not there is an error that names what a checkpoint is', async () => {
    await assert.rejects(loadCheckpoint(join(directory, 'nothing')), /nothing must be a directory with config\.json/);
    await save(5);
    await fs.rm(join(at(5), 'model.safetensors'));
    await assert.rejects(loadCheckpoint(at(5)), /model\.safetensors: the file cannot be opened/);
    await fs.writeFile(join(at(5), 'config.json'), '{');
    await assert.rejects(loadCheckpoint(at(5)), /config\.json: it must be JSON/);
  });

  it('names its step', () => {
    assert.equal(stepName(500), 'step-000500');
    assert.equal(stepName(1234567), 'step-1234567');
    assert.deepEqual(['step-000500', 'step-1234567', 'step-5', 'step-000500.set-aside', '.step-000500.tmp-1'].map(stepOf), [
      500,
      1234567,
      undefined,
      undefined,
      undefined,
    ]);
  });

  describe('the latest', () => {
    it('is the newest by number, not by name or age', async () => {
      for (const step of [1_000_000, 900_000, 5]) await save(step);
      assert.deepEqual(await latestCheckpoint(directory), { path: at(1_000_000), step: 1_000_000, skipped: [] });
    });

    it('is none in an empty or missing directory', async () => {
      assert.deepEqual(await latestCheckpoint(directory), { skipped: [] });
      assert.deepEqual(await latestCheckpoint(join(directory, 'missing')), { skipped: [] });
    });

    const damages: [string, (path: string) => Promise<unknown>, RegExp][] = [
      ['a flipped bit', (path) => flipBit(join(path, 'model.safetensors')), /model\.safetensors does not have the SHA-256/],
      [
        'a cut file',
        (path) => fs.truncate(join(path, 'optimizer.safetensors'), 100),
        /optimizer\.safetensors has 100 bytes, the manifest says/,
      ],
      ['a missing file', (path) => fs.rm(join(path, 'trainer_state.json')), /trainer_state\.json is missing/],
      ['no manifest', (path) => fs.rm(join(path, 'manifest.json')), /manifest\.json is missing/],
      ['a cut manifest', (path) => fs.truncate(join(path, 'manifest.json'), 20), /manifest\.json cannot be read/],
    ];
    for (const [what, damage, reason] of damages) {
      it(`passes over one with ${what} and reports it`, async () => {
        await save(5);
        await save(10);
        await damage(at(10));
        const latest = await latestCheckpoint(directory);
        assert.equal(latest.path, at(5));
        assert.equal(latest.skipped.length, 1);
        assert.equal(latest.skipped[0].path, at(10));
        assert.match(latest.skipped[0].reasons.join(), reason);
      });
    }
  });

  it('is found from the directory of a run: final, else the latest', async () => {
    await assert.rejects(resolveCheckpoint(directory), /must be a checkpoint or the directory of a run/);
    const checkpoint = join(directory, 'checkpoints', stepName(5));
    await saveCheckpoint(checkpoint, contents(5));
    assert.equal(await resolveCheckpoint(directory), checkpoint);
    assert.equal(await resolveCheckpoint(join(directory, 'checkpoints')), checkpoint);
    assert.equal(await resolveCheckpoint(checkpoint), checkpoint);
    await saveCheckpoint(join(directory, 'final'), contents(6));
    assert.equal(await resolveCheckpoint(directory), join(directory, 'final'));
  });

  it('is removed when it is neither among the last N nor one that is to stay', async () => {
    for (const step of [5, 10, 15, 20, 25]) await save(step);
    await fs.mkdir(join(directory, 'notes'));
    await pruneCheckpoints(directory, 2, 10, undefined, 5);
    assert.deepEqual((await fs.readdir(directory)).sort(), ['notes', 'step-000005', 'step-000010', 'step-000020', 'step-000025']);
    await pruneCheckpoints(directory, 2, 10);
    assert.deepEqual((await fs.readdir(directory)).sort(), ['notes', 'step-000010', 'step-000020', 'step-000025']);
    await pruneCheckpoints(directory, 0);
    assert.deepEqual((await fs.readdir(directory)).sort(), ['notes', 'step-000025']);
  });

  describe('when the process dies', () => {
    it('between any two operations of a first save, is there as a whole or not at all, and the one before is untouched', async () => {
      await save(5);
      const before = await filesOf(at(5));
      await dyingAtEach(
        () => save(10),
        async () => {
          const latest = await latestCheckpoint(directory);
          assert.deepEqual(latest.skipped, []);
          assert.ok(latest.step === 5 || latest.step === 10);
          assert.deepEqual(await filesOf(at(5)), before);
          await cleanLeftovers(directory);
          assert.deepEqual((await fs.readdir(directory)).sort(), latest.step === 5 ? ['step-000005'] : ['step-000005', 'step-000010']);
          await fs.rm(at(10), { recursive: true, force: true });
        },
      );
    });

    it('between any two operations of a replacement, the old or the new one is found whole', async () => {
      const path = join(directory, 'final');
      await saveCheckpoint(path, contents(1));
      const old = await filesOf(path);
      await saveCheckpoint(path, contents(2));
      const fresh = await filesOf(path);
      let kept = 0;
      await dyingAtEach(
        () => saveCheckpoint(path, contents(2)),
        async () => {
          const found = await filesOf((await loadCheckpoint(path)).directory);
          const isOld = found.get('README.md') === '# 1\n';
          kept += isOld ? 1 : 0;
          assert.deepEqual(found, isOld ? old : fresh);
          await cleanLeftovers(directory);
          assert.deepEqual(await fs.readdir(directory), ['final']);
          assert.deepEqual(await filesOf(path), isOld ? old : fresh);
        },
        () => saveCheckpoint(path, contents(1)),
      );
      assert.ok(kept > 10);
    });

    it('while old ones are removed, nothing half removed is taken for a checkpoint', async () => {
      await dyingAtEach(
        () => pruneCheckpoints(directory, 1),
        async () => {
          const latest = await latestCheckpoint(directory);
          assert.deepEqual([latest.step, latest.skipped], [10, []]);
          for (const name of await fs.readdir(directory))
            if (stepOf(name)) assert.deepEqual(await verifyCheckpoint(join(directory, name)), []);
          await cleanLeftovers(directory);
        },
        async () => {
          await save(5);
          await save(10);
        },
      );
    });

    it('by SIGKILL at any time, the latest checkpoint is whole', async function () {
      this.timeout(60000);
      const script = `
        import { saveCheckpoint, stepName } from ${JSON.stringify(new URL('../../checkpoints/save.ts', import.meta.url).href)};
        import { contents } from ${JSON.stringify(new URL('./helpers.ts', import.meta.url).href)};
        for (let step = 1; ; step++) {
          await saveCheckpoint(${JSON.stringify(directory)} + '/' + stepName(step % 3), contents(step));
          process.stdout.write(step + '\\n');
        }`;
      for (const delay of [0, 3, 11]) {
        const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
          stdio: ['ignore', 'pipe', 'inherit'],
        });
        await once(child.stdout, 'data');
        await new Promise((resolve) => setTimeout(resolve, delay));
        child.kill('SIGKILL');
        await once(child, 'exit');
        const latest = await latestCheckpoint(directory);
        assert.ok(latest.path);
        assert.deepEqual(latest.skipped, []);
        const { trainerState, weights } = await loadCheckpoint(latest.path);
        assert.deepEqual([...weights.values()][0][0], (trainerState as { step: number }).step);
      }
    });
  });
});

async function flipBit(path: string): Promise<void> {
  const bytes = await fs.readFile(path);
  bytes[bytes.length - 3] ^= 1;
  await fs.writeFile(path, bytes);
}

/**
 * Runs `action` again and again; each time one more file operation goes through before the process is as good as dead: that operation
 * writes half of its data at most, and every later one fails. `check` looks at what is on disk then.
 */
async function dyingAtEach(
  action: () => Promise<unknown>,
  check: () => Promise<void>,
  prepare: () => Promise<unknown> = async () => {},
): Promise<void> {
  const handle = await fs.open(import.meta.dirname);
  const handles = Object.getPrototypeOf(handle) as Record<string, unknown>;
  await handle.close();
  const patched: [Record<string, unknown>, string[]][] = [
    [fs as unknown as Record<string, unknown>, ['mkdir', 'rename', 'rm', 'writeFile', 'open']],
    [handles, ['writeFile', 'sync']],
  ];
  for (let allowed = 0; ; allowed++) {
    await prepare();
    let count = 0;
    const restore = patched.flatMap(([object, names]) =>
      names.map((name) => {
        const original = object[name] as (...args: unknown[]) => Promise<unknown>;
        object[name] = async function (this: unknown, ...args: unknown[]) {
          if (count++ < allowed) return original.apply(this, args);
          const data = args.at(-1);
          const half = typeof data === 'string' || data instanceof Uint8Array ? data.slice(0, data.length / 2) : undefined;
          if (count === allowed + 1 && name === 'writeFile' && half) await original.apply(this, [...args.slice(0, -1), half]);
          throw new Error('killed');
        };
        return () => {
          object[name] = original;
        };
      }),
    );
    const finished = await action().then(
      () => true,
      (error: Error) => {
        assert.equal(error.message, 'killed');
        return false;
      },
    );
    for (const undo of restore) undo();
    await check();
    if (finished && count <= allowed) return;
  }
}
