import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { configJson, modelCard, parseConfigJson } from '../../checkpoints/hugging-face.js';
import { loadCheckpoint } from '../../checkpoints/load.js';
import { readSafetensors } from '../../checkpoints/safetensors.js';
import { saveCheckpoint } from '../../checkpoints/save.js';
import { resolvePretrainConfig, resolveRewardConfig, resolveSftConfig } from '../../configs/load.js';
import { isRewardModel } from '../../evaluation/reward-model.js';
import { type ModelConfig, parameterCount, parameterShapes, SCORE } from '../../model/config.js';
import { toDisk } from '../../model/layout.js';
import { dryRun } from '../../stages/dry-run.js';
import { pretrain } from '../../stages/pretrain.js';
import { reward } from '../../stages/reward.js';
import { sft } from '../../stages/sft.js';
import { trainTokenizer } from '../../tokenizer/index.js';
import { fourfold } from '../cli/capture.js';
import { temporaryFolder } from '../datasets/temporary.js';
import { saveTinyModel, tinyConfig as textModel } from '../sampler/tiny-model.js';
import { contents, tinyConfig } from './helpers.js';

const special = { bos: 0, eos: 1, pad: 2 };
const llama: ModelConfig = { ...tinyConfig, head: 'scalar', score_mean: 0.25, score_std: 2 };
const gpt2: ModelConfig = {
  ...tinyConfig,
  ...{ architecture: 'gpt2', num_key_value_heads: 2, intermediate_size: 12, activation_function: 'gelu', bias: true, head: 'scalar' },
};
const KINDS: Record<string, ModelConfig> = {
  'a score, llama': llama,
  'a score, llama, an output table of its own before': { ...llama, tie_word_embeddings: false },
  'a score, gpt2': gpt2,
  'a score by an encoder': { ...llama, attention: 'bidirectional' },
  'a pair, gpt2': { ...gpt2, head: 'pair' },
  'a pair by an encoder': { ...tinyConfig, head: 'pair', attention: 'bidirectional' },
};

describe('a checkpoint of a reward model', () => {
  const at = temporaryFolder();

  for (const [name, config] of Object.entries(KINDS)) {
    it(`gives configuration and weights back: ${name}`, async () => {
      const shapes = parameterShapes(config);
      const weights = new Map<string, Float32Array>();
      let next = 0;
      for (const [key, shape] of shapes)
        weights.set(
          key,
          Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => next++),
        );
      await saveCheckpoint(at(name), { ...contents(1, config), weights: toDisk(config, (key) => weights.get(key)!) });
      const loaded = await loadCheckpoint(at(name));
      assert.deepEqual(loaded.config, config);
      assert.deepEqual(loaded.weights, weights);
      assert.deepEqual((await readSafetensors(path.join(at(name), 'model.safetensors'))).get(SCORE)!.shape, [1, config.hidden_size]);
      assert.ok(!weights.has('lm_head.weight'));
      assert.equal(await isRewardModel(at(name)), true);
    });
  }

  it('has the name that transformers loads, where it reads it as it was meant, and otherwise none that it knows', () => {
    const named = (config: ModelConfig) => {
      const { model_type, architectures, num_labels } = configJson(config, special);
      return [model_type, architectures, num_labels];
    };
    assert.deepEqual(named(llama), ['llama', ['LlamaForSequenceClassification'], 1]);
    assert.deepEqual(named(gpt2), ['gpt2', ['GPT2ForSequenceClassification'], 1]);
    for (const other of [{ attention: 'bidirectional' } as const, { head: 'pair' } as const])
      assert.deepEqual(named({ ...llama, ...other }), ['fourfold', ['FourfoldModel'], 1]);
    assert.equal(configJson(llama, special)['pad_token_id'], 2);
  });

  it('of another tool needs one label', () => {
    const other = (labels: object) => {
      const { fourfold: _, ...json } = configJson(llama, special);
      return parseConfigJson({ ...json, ...labels });
    };
    assert.equal(other({}).head, 'scalar');
    assert.equal(other({ id2label: undefined, num_labels: 1 }).head, 'scalar');
    assert.throws(() => other({ id2label: { 0: 'bad', 1: 'good' } }), /num_labels must be 1: a score is one number; it is 2/);
    assert.throws(
      () => parseConfigJson({ ...configJson(llama, special), fourfold: { head: 'value' } }),
      /fourfold.head must be scalar or pair; it is "value"/,
    );
  });

  it('has a model card that says what it is, and how Python loads it where Python can', () => {
    const card = (config: ModelConfig) =>
      modelCard({ name: 'rm', stage: 'reward', config, parameters: parameterCount(config), data: 'd', steps: 1, tokens: 1, metrics: {} });
    assert.match(card(llama), /library_name: transformers\npipeline_tag: text-classification\n[\s\S]*AutoModelForSequenceClassification/);
    const pair = card(KINDS['a pair, gpt2']);
    assert.match(pair, /library_name: fourfold\n/);
    assert.doesNotMatch(pair, /from transformers/);
  });

  describe('is no language model', () => {
    before(async () => {
      const tokenizer = trainTokenizer(['one two three'], { kind: 'bpe', vocabSize: 280 });
      await saveTinyModel(at('rm'), tokenizer, { ...textModel(tokenizer), head: 'scalar' });
      await fs.writeFile(at('text.txt'), Array.from({ length: 50 }, (_, i) => `one two ${i}\n`).join(''));
      await fs.writeFile(at('pairs.jsonl'), `${JSON.stringify({ prompt: 'one', chosen: 'two', rejected: 'three' })}\n`);
    });
    const never = new AbortController().signal;
    const refused = async (work: (directory: string) => Promise<unknown>, name: string, message: RegExp) => {
      const before = tf.memory().numTensors;
      await assert.rejects(work(at(name)), { name: 'UserError', message });
      assert.equal(tf.memory().numTensors, before);
    };

    it('and what writes text refuses it', async () => {
      for (const command of [
        ['sample', at('rm'), '--prompt', 'one'],
        ['chat', at('rm')],
        ['generate', at('rm'), '--data', at('pairs.jsonl'), '-o', at('out.arrow')],
      ]) {
        const { code, stderr } = await fourfold(...command, '--threads', '1');
        assert.deepEqual([code, stderr.match(/it must be a language model, which writes; it is a reward model/)?.length], [1, 1], stderr);
      }
    });

    it('and training does not begin with it', async () => {
      const shared = { init_from: at('rm'), max_steps: 1, threads: 1 };
      const text = { path: at('text.txt'), document: 'line' as const };
      const again = resolvePretrainConfig({ ...shared, data: text, context_length: 16 });
      const message = /init_from must lead to a language model; this is a reward model/;
      await refused((directory) => pretrain(again, { directory }, never), 'again', message);
      await refused(() => dryRun(again), 'again', message);
      const data = { path: at('pairs.jsonl'), eval_fraction: 0 };
      await refused(
        (directory) => sft(resolveSftConfig({ ...shared, data }), { directory }, never),
        'tuned',
        /must be a language model; it is a reward model/,
      );
      await refused(
        (directory) => reward(resolveRewardConfig({ ...shared, data }), { directory }, never),
        'twice',
        /must be a language model; it is a reward model/,
      );
    });
  });
});
