import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { nativeMissing } from '../../backends/device.js';
import { resolvePretrainConfig } from '../../configs/load.js';
import { pretrain } from '../../stages/pretrain.js';
import { RandomStream } from '../../util/random.js';
import { never, quietly, stopAfter } from './running.js';

const WORDS = ['the', 'sea', 'is', 'calm', 'tonight', 'and', 'a', 'moon', 'lies', 'fair', 'upon', 'straits', 'light', 'gleams'];

/** Text with something to learn: a word is mostly followed by the next one of the list. */
function text(words: number): string {
  const random = new RandomStream(5, 0);
  let at = 0;
  let out = '';
  for (let i = 0; i < words; i++) {
    at = random.uniform() < 0.8 ? (at + 1) % WORDS.length : random.below(WORDS.length);
    out += WORDS[at] + (random.uniform() < 0.1 ? '.\n' : ' ');
  }
  return out;
}

describe('pretraining', () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'fourfold-pretrain-'));
  const source = path.join(folder, 'sea.txt');
  before(() => writeFileSync(source, text(3000)));
  after(() => rmSync(folder, { recursive: true, force: true }));

  const settings = (name: string, more: object = {}) => ({
    model: { architecture: 'llama', hidden_size: 32, num_hidden_layers: 2, num_attention_heads: 4, num_key_value_heads: 2, dropout: 0.1 },
    tokenizer: { kind: 'bpe', vocab_size: 320 },
    data: { path: source },
    output_dir: path.join(folder, name),
    context_length: 16,
    batch_size: 4,
    gradient_accumulation_steps: 2,
    max_steps: 12,
    warmup_steps: 2,
    learning_rate: 3e-3,
    eval_steps: 5,
    save_steps: 3,
    save_total_limit: 10,
    logging_steps: 1,
    sample_steps: 6,
    sample_max_tokens: 5,
    ...more,
  });
  const config = (name: string, more: object = {}) =>
    resolvePretrainConfig(settings(name, more) as Parameters<typeof resolvePretrainConfig>[0]);

  const run = (name: string, more: object = {}, signal = never, resume?: string) => {
    const resolved = config(name, more);
    return quietly(() => pretrain(resolved, { directory: resolved.output_dir, resume }, signal));
  };
  const hash = (...parts: string[]) =>
    createHash('sha256')
      .update(readFileSync(path.join(folder, ...parts)))
      .digest('hex');
  /** metrics.jsonl without what depends on the clock. */
  const metrics = (name: string) =>
    readFileSync(path.join(folder, name, 'metrics.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => {
        const { seconds: _, tokens_per_second: __, ...rest } = JSON.parse(line);
        return rest;
      });

  it('learns: the loss falls well below that of guessing by frequency', async () => {
    const result = await run('learns', { max_steps: 150, eval_steps: 150, save_steps: 150, sample_steps: 0, logging_steps: 10 });
    const losses = metrics('learns').map(({ loss }) => loss);
    assert.ok(losses[0] > 4, `${losses[0]}`);
    assert.ok(result.metrics['eval/loss'] < 2.2, `${result.metrics['eval/loss']}`);
    assert.ok(Math.abs(result.metrics['eval/perplexity'] - Math.exp(result.metrics['eval/loss'])) < 1e-9);
  });

  it('gives the same bits when it is stopped and resumed, at several points, with dropout', async () => {
    await run('whole');
    for (const stop of [1, 4, 9]) {
      const name = `stopped-${stop}`;
      const stopped = await run(name, {}, stopAfter(stop));
      assert.equal(stopped.steps, stop);
      const resumed = await run(name, {}, never, 'auto');
      assert.equal(resumed.steps, 12);
      for (const file of ['model.safetensors', 'config.json', 'tokenizer.json']) {
        assert.equal(hash(name, 'final', file), hash('whole', 'final', file), `${file} after stopping at ${stop}`);
      }
      for (const file of ['optimizer.safetensors', 'trainer_state.json']) {
        const last = path.join('checkpoints', 'step-000012', file);
        assert.equal(hash(name, last), hash('whole', last), `${file} after stopping at ${stop}`);
      }
      assert.deepEqual(metrics(name), metrics('whole'));
    }
  });

  it('gives equal files for equal runs', async () => {
    await run('twin');
    for (const file of readdirSync(path.join(folder, 'twin', 'final'))) {
      if (file !== 'README.md' && file !== 'manifest.json') assert.equal(hash('twin', 'final', file), hash('whole', 'final', file), file);
    }
  });

  it('gives the same bits with 1, 2 and 3 threads', async () => {
    for (const threads of [1, 2, 3]) {
      await run(`threads-${threads}`, { threads });
      assert.equal(hash(`threads-${threads}`, 'final', 'model.safetensors'), hash('whole', 'final', 'model.safetensors'));
    }
  });

  it('leaves as many tensors as it found', async () => {
    const before = tf.memory().numTensors;
    await run('tidy', { max_steps: 3, eval_steps: 2, save_steps: 3, sample_steps: 2 });
    assert.equal(tf.memory().numTensors, before);
  });

  it('stops at a loss that is not finite, names the step, and keeps the last checkpoint', async () => {
    await assert.rejects(
      run('diverges', { learning_rate: 1e25, warmup_steps: 0, max_grad_norm: 0, save_steps: 1, max_steps: 40 }),
      (error: Error) => {
        assert.equal(error.name, 'UserError');
        assert.match(error.message, /^step \d+: .*(not finite|loss is)/);
        return true;
      },
    );
    assert.ok(existsSync(path.join(folder, 'diverges', 'checkpoints', 'step-000001', 'manifest.json')));
  });

  it('refuses to overwrite a run', async () => {
    await assert.rejects(run('whole'), /holds a run|holds .*checkpoint/);
  });

  it('continues from another checkpoint with init_from', async () => {
    const { metrics: first } = await run('continued', {
      init_from: path.join(folder, 'learns', 'final'),
      model: { dropout: 0 },
      tokenizer: undefined,
      max_steps: 5,
      learning_rate: 1e-4,
    });
    assert.ok(first['loss'] < 2.5, `${first['loss']}`);
  });

  it('refuses prepared tokens of another tokenizer than that of the checkpoint it goes on from', async () => {
    await run('other', { tokenizer: { kind: 'bpe', vocab_size: 300, max_token_bytes: 3 }, max_steps: 2 });
    await assert.rejects(
      run('mismatch', {
        init_from: path.join(folder, 'learns', 'final'),
        data: { path: path.join(folder, 'other', 'tokens') },
        model: { dropout: 0 },
        tokenizer: undefined,
      }),
      /must be made with the tokenizer of .*learns.*final; they were made with another/,
    );
  });

  it('trains the gpt2 architecture, with a character tokenizer and packed segments', async () => {
    const result = await run('gpt2', {
      model: { architecture: 'gpt2', hidden_size: 32, num_hidden_layers: 1, num_attention_heads: 2, dropout: 0 },
      tokenizer: { kind: 'char' },
      data: { path: source, document: 'line', packing: 'segments' },
      max_steps: 60,
      eval_steps: 60,
    });
    assert.ok(result.metrics['eval/loss'] < 3, `${result.metrics['eval/loss']}`);
  });

  describe('as a process', () => {
    const start = (name: string, resume: boolean): ChildProcess => {
      const file = path.join(folder, `${name}.json`);
      writeFileSync(file, JSON.stringify(settings(name, { max_steps: 60, logging_steps: 20, eval_steps: 25, save_steps: 10 })));
      const args = ['--import', 'tsx', 'cli/main.ts', 'pretrain', file, ...(resume ? ['--resume', 'auto'] : [])];
      return spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    };
    const ended = (child: ChildProcess) => new Promise<number | null>((resolve) => child.on('exit', resolve));
    const checkpoint = async (child: ChildProcess, name: string, step: number) => {
      const manifest = path.join(folder, name, 'checkpoints', `step-${String(step).padStart(6, '0')}`, 'manifest.json');
      while (!existsSync(manifest)) {
        assert.equal(child.exitCode, null, `${name} ended before its step ${step}`);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    };

    it('goes on to the same bits after SIGKILL, three times over', async function () {
      this.timeout(nativeMissing() === undefined ? 60_000 : 240_000);
      const whole = ended(start('process-whole', false));
      for (const [round, after] of [10, 20, 40].entries()) {
        const child = start('killed', round > 0);
        const exit = ended(child);
        await checkpoint(child, 'killed', after);
        child.kill('SIGKILL');
        await exit;
      }
      assert.equal(await ended(start('killed', true)), 0);
      assert.equal(await whole, 0);
      assert.equal(hash('killed', 'final', 'model.safetensors'), hash('process-whole', 'final', 'model.safetensors'));
    });

    it('saves and exits with 143 on SIGTERM', async () => {
      const child = start('terminated', false);
      const exit = ended(child);
      await checkpoint(child, 'terminated', 10);
      child.kill('SIGTERM');
      assert.equal(await exit, 143);
      assert.ok(!existsSync(path.join(folder, 'terminated', 'final')));
    });
  });
});
