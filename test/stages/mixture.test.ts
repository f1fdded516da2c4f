import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fs from 'node:fs/promises';
import { resolvePretrainConfig } from '../../configs/load.js';
import { openPass } from '../../datasets/pass.js';
import { dryRun } from '../../stages/dry-run.js';
import { pretrain } from '../../stages/pretrain.js';
import { trainTokenizer } from '../../tokenizer/index.js';
import { preparedDocument, writePrepared } from '../datasets/prepared.js';
import { temporaryFolder } from '../datasets/temporary.js';
import { never } from './running.js';

describe('pretraining on a mixture', () => {
  const at = temporaryFolder();
  const texts = {
    counting: Array.from({ length: 60 }, (_, i) => Array.from({ length: 12 }, (_, j) => i + j).join(' ')),
    sea: Array.from({ length: 40 }, (_, i) => `the sea is calm tonight, ${'and the moon lies fair '.repeat(1 + (i % 3))}`),
    noise: Array.from({ length: 20 }, (_, i) => createHash('sha256').update(`${i}`).digest('hex')),
  };
  before(async () => {
    const tokenizer = trainTokenizer(Object.values(texts).flat(), { kind: 'bpe', vocabSize: 320 });
    const documents = Object.entries(texts).flatMap(([source, all]) => all.map((text) => preparedDocument(tokenizer, source, text)));
    await writePrepared(at('data'), {
      tokenizer,
      train: documents.filter((_, i) => i % 5 > 0),
      eval: documents.filter((_, i) => i % 5 === 0),
      mixture: { counting: 1, sea: 1, noise: 1 },
    });
  });

  const config = (name: string, more: object = {}) =>
    resolvePretrainConfig({
      model: { hidden_size: 32, num_hidden_layers: 2, num_attention_heads: 4, dropout: 0.1 },
      data: { path: at('data'), packing: 'segments', mixture: { counting: 3, sea: 1, noise: 0 }, ...more },
      output_dir: at(name),
      context_length: 32,
      batch_size: 6,
      max_steps: 40,
      learning_rate: 1e-2,
      eval_steps: 20,
      save_steps: 10,
      save_total_limit: 10,
      logging_steps: 1,
      sample_steps: 0,
    });
  /** Runs without its progress, which is returned. */
  const run = async (name: string, { signal = never, resume, more }: { signal?: AbortSignal; resume?: string; more?: object } = {}) => {
    const { write } = process.stderr;
    let said = '';
    process.stderr.write = (text) => {
      said += text;
      return true;
    };
    try {
      const resolved = config(name, more);
      const { metrics } = await pretrain(resolved, { directory: resolved.output_dir, resume }, signal);
      return { metrics, said };
    } finally {
      process.stderr.write = write;
    }
  };
  const read = (...parts: string[]) => fs.readFile(at(parts.join('/')));

  it('says what each source gives, and reports what is learnt by source', async () => {
    const { metrics, said } = await run('whole');
    assert.match(said, /source +tokens +share +epochs/);
    assert.match(said, /counting +[\d,]+ +75\.0 % +\d/);
    assert.match(said, /noise +[\d,]+ +0\.0 % +0\n/);

    const names = Object.keys(metrics).filter((name) => name.startsWith('eval/'));
    const expected = ['loss', 'perplexity', 'bits_per_byte', ...Object.keys(texts).flatMap((s) => [`loss/${s}`, `bits_per_byte/${s}`])];
    const accuracies = ['', '/counting', '/noise', '/sea'].map((source) => `eval/token_accuracy${source}`);
    assert.deepEqual(names.sort(), [...expected.map((name) => `eval/${name}`), ...accuracies].sort());
    const heldOut = await openPass({ directory: at('data'), split: 'eval', contextLength: 32, batchSize: 6, packing: 'segments' });
    const sums: Record<string, number> = { loss: 0, tokens: 0, bytes: 0 };
    for await (const { source, batch } of heldOut.batches()) {
      sums.loss += metrics[`eval/loss/${source}`] * batch.supervised;
      sums.tokens += batch.supervised;
      sums.bytes += batch.bytes;
    }
    await heldOut.close();
    assert.ok(Math.abs(metrics['eval/loss'] - sums.loss / sums.tokens) < 1e-9);
    assert.ok(Math.abs(metrics['eval/bits_per_byte'] - sums.loss / Math.LN2 / sums.bytes) < 1e-9);
    // What was left out is not learnt.
    assert.ok(metrics['eval/bits_per_byte/noise'] > 4 && metrics['eval/bits_per_byte/counting'] < 3.5, JSON.stringify(metrics));
  });

  for (const settings of [{ packing: 'segments' }, { packing: 'concat' }, { sampling: 'random', packing: 'concat' }]) {
    const title = Object.values(settings).join(', ');
    it(`gives the same bits when it is stopped and resumed: ${title}`, async () => {
      const name = title.replace(', ', '-');
      await run(`${name}-whole`, { more: settings });
      for (const stop of [7, 26]) {
        let asked = 0;
        const signal = Object.defineProperty(new AbortController().signal, 'aborted', { get: () => asked++ >= stop });
        await run(`${name}-${stop}`, { signal, more: settings });
        await run(`${name}-${stop}`, { resume: 'auto', more: settings });
        for (const file of ['final/model.safetensors', 'checkpoints/step-000040/trainer_state.json']) {
          assert.deepEqual(await read(`${name}-${stop}`, file), await read(`${name}-whole`, file), `${file}, stopped at ${stop}`);
        }
      }
    });
  }

  it('does not go on with another mixture', async () => {
    let asked = 0;
    const signal = Object.defineProperty(new AbortController().signal, 'aborted', { get: () => asked++ >= 3 });
    await run('changed', { signal });
    await assert.rejects(run('changed', { resume: 'auto', more: { mixture: { counting: 1, sea: 1, noise: 0 } } }), {
      name: 'UserError',
      message: /must be of the same data.*mixture/,
    });
  });

  it('--dry-run shows the sources', async () => {
    const text = await dryRun(config('dry'));
    assert.match(text, /^source +tokens +share +epochs$/m);
    assert.match(text, /^counting .* 75\.0 %/m);
  });
});
