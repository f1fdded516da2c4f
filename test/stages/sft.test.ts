import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { nativeMissing } from '../../backends/device.js';
import { loadCheckpoint } from '../../checkpoints/load.js';
import { resolvePretrainConfig, resolveSftConfig } from '../../configs/load.js';
import { ArrowFile } from '../../datasets/arrow.js';
import { type Conversation, conversationsBatch, conversationsSchema } from '../../datasets/conversations.js';
import { isHeldOut } from '../../datasets/documents.js';
import { generate } from '../../sampler/generate.js';
import { loadModel } from '../../sampler/model.js';
import { sftDryRun } from '../../stages/dry-run.js';
import { pretrain } from '../../stages/pretrain.js';
import { sft } from '../../stages/sft.js';
import { readChatTemplate } from '../../tokenizer/index.js';
import { temporaryFolder } from '../datasets/temporary.js';
import { never, quietly, stopAfter } from './running.js';

const CITIES = ['Avon', 'Brill', 'Corby', 'Derry', 'Elgin', 'Foyle', 'Goole', 'Hayle', 'Irvine', 'Jura', 'Kelso', 'Leeds'];

/** Questions whose answer says the question's city again. */
function conversation(i: number, source = 'cities'): Conversation {
  const city = CITIES[i % CITIES.length];
  return {
    messages: [
      { role: 'user', content: `Where is house ${i} of ${city}?` },
      { role: 'assistant', content: `It is in ${city}.` },
    ],
    source,
  };
}

async function writeTable(file: string, rows: readonly Conversation[]): Promise<string> {
  const schema = conversationsSchema(new Map(), { weighted: rows.some(({ weight }) => weight !== undefined) });
  const arrow = new ArrowFile(file, schema);
  await arrow.write(conversationsBatch(schema, rows));
  await arrow.close();
  return file;
}

describe('supervised fine-tuning', () => {
  const at = temporaryFolder();

  before(async function () {
    this.timeout(120_000);
    const text = Array.from({ length: 80 }, (_, i) =>
      conversation(i)
        .messages.map(({ content }) => content)
        .join(' '),
    ).join('\n\n');
    await fs.writeFile(at('text.txt'), text);
    await writeTable(
      at('cities.arrow'),
      Array.from({ length: 60 }, (_, i) => conversation(i, i % 3 === 0 ? 'north' : 'south')),
    );
    const config = resolvePretrainConfig({
      model: { hidden_size: 32, num_hidden_layers: 2, num_attention_heads: 4, num_key_value_heads: 2, max_position_embeddings: 256 },
      tokenizer: { kind: 'bpe', vocab_size: 340 },
      data: { path: at('text.txt'), document: 'blank_line', packing: 'segments', eval_fraction: 0.2 },
      output_dir: at('base'),
      context_length: 64,
      batch_size: 4,
      max_steps: 10,
      sample_steps: 0,
      threads: 1,
    });
    await quietly(() => pretrain(config, { directory: config.output_dir }, never));
  });

  const config = (name: string, { data, ...more }: { data?: object; [key: string]: unknown } = {}) =>
    resolveSftConfig({
      init_from: at('base'),
      data: { path: at('cities.arrow'), eval_fraction: 0.2, ...data },
      output_dir: at(name),
      context_length: 64,
      batch_size: 2,
      max_steps: 8,
      learning_rate: 3e-3,
      eval_steps: 4,
      save_steps: 3,
      save_total_limit: 10,
      logging_steps: 1,
      sample_steps: 4,
      sample_max_tokens: 5,
      threads: 1,
      ...more,
    } as Parameters<typeof resolveSftConfig>[0]);
  const run = (name: string, more: Parameters<typeof config>[1] = {}, signal = never, resume?: string) => {
    const resolved = config(name, more);
    return quietly(() => sft(resolved, { directory: resolved.output_dir, resume }, signal));
  };
  const hash = async (...parts: string[]) =>
    createHash('sha256')
      .update(await fs.readFile(at(path.join(...parts))))
      .digest('hex');
  const lines = async (name: string, file: string) =>
    (await fs.readFile(at(path.join(name, file)), 'utf8'))
      .trim()
      .split('\n')
      .map((line) => {
        const { seconds: _, tokens_per_second: __, ...rest } = JSON.parse(line) as Record<string, unknown>;
        return rest;
      });

  it('learns one conversation by heart, and stops after it', async () => {
    const { messages } = conversation(7);
    await writeTable(at('one.arrow'), [conversation(7)]);
    const data = { path: at('one.arrow'), eval_fraction: 0 };
    await run('by-heart', {
      data,
      max_steps: 60,
      batch_size: 1,
      learning_rate: 1e-2,
      sample_steps: 0,
      lr_scheduler_type: 'constant',
      weight_decay: 0,
    });
    const model = await loadModel(at('by-heart'));
    try {
      const template = await readChatTemplate(at(path.join('by-heart', 'final')), model.tokenizer);
      const { ids } = template.encode(messages.slice(0, 1), { addGenerationPrompt: true });
      const options = { sampling: { temperature: 0 }, maxTokens: 40, eos: template.stopIds, seed: 1 };
      const { tokens } = await generate(model, [ids], options);
      assert.equal(model.tokenizer.decode(tokens[0]), `${messages[1].content}<|eos|>`);
    } finally {
      model.dispose();
    }
  });

  it('writes the held-out loss before and after, by source, and answers to held-out questions', async () => {
    const result = await run('learns', { max_steps: 30, eval_steps: 15 });
    const { 'start/eval/loss': start, 'eval/loss': end, 'best/eval/loss': best } = result.metrics;
    assert.ok(end < start - 0.5, `${start} → ${end}`);
    assert.ok(best <= end);
    const metrics = await lines('learns', 'metrics.jsonl');
    assert.equal(metrics[0]['step'], 0);
    assert.equal(metrics[0]['eval/loss'], start);
    assert.ok('eval/loss/north' in metrics[0] && 'eval/loss/south' in metrics[0] && 'eval/token_accuracy' in metrics[0]);
    const questions = new Set((await lines('learns', 'samples.jsonl')).map(({ prompt }) => prompt as string));
    assert.ok(questions.size === 3 && [...questions].every((question) => isHeldOut(question, 0.2)));
  });

  it('gives the same bits when it is stopped and resumed, with dropout, noise and replayed text', async () => {
    const more = {
      dropout: 0.1,
      neftune_noise_alpha: 5,
      gradient_accumulation_steps: 2,
      data: { replay: { path: at(path.join('base', 'tokens')), fraction: 0.3 } },
    };
    await run('whole', more);
    for (const stop of [1, 5]) {
      const name = `stopped-${stop}`;
      assert.equal((await run(name, more, stopAfter(stop))).steps, stop);
      assert.equal((await run(name, more, never, 'auto')).steps, 8);
      for (const file of [
        'final/model.safetensors',
        'checkpoints/step-000008/optimizer.safetensors',
        'checkpoints/step-000008/trainer_state.json',
      ]) {
        assert.equal(await hash(name, file), await hash('whole', file), `${file} after stopping at ${stop}`);
      }
      assert.deepEqual(await lines(name, 'metrics.jsonl'), await lines('whole', 'metrics.jsonl'));
      assert.deepEqual(await lines(name, 'samples.jsonl'), await lines('whole', 'samples.jsonl'));
    }
    const [first] = await lines('whole', 'metrics.jsonl');
    assert.ok('eval/replay/loss' in first && 'eval/replay/bits_per_byte' in first);
  });

  it('learns in fp16 as in fp32, writes down its loss scale, and goes on to the same bits', async function () {
    if (nativeMissing()) return this.skip();
    const training = async (name: string) =>
      (await lines(name, 'metrics.jsonl')).filter((line) => 'loss' in line) as Record<string, number>[];
    await run('fp32', { device: 'native' });
    await run('fp16', { device: 'native', precision: 'fp16' });
    const [full, half] = [await training('fp32'), await training('fp16')];
    assert.equal(half.length, 8);
    assert.ok(half.some(({ loss }, i) => loss !== full[i].loss));
    for (const [i, { loss, loss_scale, skipped_steps }] of half.entries()) {
      assert.ok(Math.abs(loss / full[i].loss - 1) < 1e-3, `step ${i + 1}: ${loss}, in fp32 ${full[i].loss}`);
      assert.deepEqual([loss_scale, skipped_steps], [65536, 0]);
    }
    await run('fp16-stopped', { device: 'native', precision: 'fp16' }, stopAfter(5));
    await run('fp16-stopped', { device: 'native', precision: 'fp16' }, never, 'auto');
    for (const file of ['model.safetensors', 'optimizer.safetensors']) {
      const where = `checkpoints/step-000008/${file}`;
      assert.equal(await hash('fp16-stopped', where), await hash('fp16', where));
    }
  });

  it('leaves as many tensors as it found', async () => {
    const before = tf.memory().numTensors;
    await run('tidy', { max_steps: 3, eval_steps: 2, sample_steps: 2, neftune_noise_alpha: 5, label_smoothing_factor: 0.1 });
    assert.equal(tf.memory().numTensors, before);
  });

  it('leaves frozen parameters as they were, to the bit', async () => {
    await run('frozen', { freeze: ['model.embed_tokens.weight', 'model.layers.0.*'] });
    const [base, tuned] = await Promise.all([
      loadCheckpoint(at(path.join('base', 'final'))),
      loadCheckpoint(at(path.join('frozen', 'final'))),
    ]);
    for (const [name, values] of base.weights) {
      const same = Buffer.from(values.buffer, values.byteOffset, values.byteLength).equals(Buffer.from(tuned.weights.get(name)!.buffer));
      assert.equal(same, name.includes('embed_tokens') || name.includes('layers.0.'), name);
    }
  });

  it('stops early when the held-out loss does not get better, and takes the best model', async () => {
    // Learning at this rate makes things worse again and again.
    const result = await run('early', {
      learning_rate: 0.3,
      max_steps: 200,
      eval_steps: 1,
      save_total_limit: 1,
      early_stopping_patience: 3,
      sample_steps: 0,
    });
    assert.ok(result.steps < 200, `${result.steps}`);
    const best = result.metrics['best/step'];
    assert.equal(result.steps, best + 3);
    const name = `step-${String(best).padStart(6, '0')}`;
    assert.equal(await hash('early', 'final', 'model.safetensors'), await hash('early', 'checkpoints', name, 'model.safetensors'));
  });

  it('weighs examples: one of weight 3 counts as much as three', async () => {
    const twice = (weights: (number | undefined)[]) => weights.map((weight, i) => ({ ...conversation(i), ...(weight && { weight }) }));
    await writeTable(at('weighted.arrow'), twice([3, 1]));
    await writeTable(at('repeated.arrow'), [...twice([undefined, undefined]), conversation(0), conversation(0)]);
    const more = { max_steps: 1, batch_size: 4, sample_steps: 0, weight_decay: 0 };
    await run('weighted', { ...more, data: { path: at('weighted.arrow'), eval_fraction: 0 }, context_length: 64 });
    await run('repeated', { ...more, data: { path: at('repeated.arrow'), eval_fraction: 0 }, context_length: 64 });
    const loss = async (name: string) => (await lines(name, 'metrics.jsonl')).find(({ step }) => step === 1)!['loss'] as number;
    assert.ok(Math.abs((await loss('weighted')) - (await loss('repeated'))) < 1e-5);
  });

  it('saves the chat template that it was trained with', async () => {
    await run('alpaca', { template: 'alpaca', max_steps: 1, sample_steps: 0, context_length: 256 });
    const template = await readChatTemplate(at(path.join('alpaca', 'final')), (await loadAndDispose(at('alpaca'))).tokenizer);
    assert.match(
      template.render(conversation(0).messages),
      /### Instruction:\nWhere is house 0 of Avon\?\n\n### Response:\nIt is in Avon\.<\|eos\|>$/,
    );
  });

  it('names the rows that have nothing to learn, or are too long', async () => {
    const rows = [conversation(0), { ...conversation(1), weight: 0 }];
    await writeTable(at('nothing.arrow'), rows);
    await assert.rejects(run('nothing', { data: { path: at('nothing.arrow'), eval_fraction: 0 } }), /nothing\.arrow, row 1 \(weight 0\)/);
    const long = { ...conversation(2), messages: conversation(2).messages.map((m) => ({ ...m, content: m.content.repeat(9) })) };
    await writeTable(at('long.arrow'), [conversation(0), long]);
    const data = { path: at('long.arrow'), eval_fraction: 0 };
    await assert.rejects(run('too-long', { data: { ...data, overlong: 'error' } }), /too long: .*long\.arrow, row 1 \(\d+ tokens\)/);
    const report = await quietly(() => sftDryRun(config('rehearsed', { data })));
    assert.match(report, /2 conversations \(1 too long, 0 cut\)/);
    const marked = report.split('\n').filter((line) => line.startsWith('▌'));
    assert.equal(marked.map((line) => line.slice(2).replaceAll('|', '')).join(''), 'It is in Avon.<eos>');
  });

  it('refuses to resume with other masks', async () => {
    await run('masks', { max_steps: 2, sample_steps: 0 });
    await assert.rejects(run('masks', { max_steps: 4, data: { train_on: 'all' } }, never, 'auto'), /they differ in train_on/);
  });

  async function loadAndDispose(directory: string) {
    const model = await loadModel(directory);
    model.dispose();
    return model;
  }
});
