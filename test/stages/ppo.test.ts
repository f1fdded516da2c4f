import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { loadPpoConfig, resolvePpoConfig, resolvePretrainConfig, resolveRewardConfig } from '../../configs/load.js';
import type { PpoInput } from '../../configs/ppo-schema.js';
import { ArrowFile } from '../../datasets/arrow.js';
import { promptsBatch, promptsSchema } from '../../datasets/conversations.js';
import { preferencesBatch, preferencesSchema } from '../../datasets/preferences.js';
import { openReward } from '../../evaluation/reward-function.js';
import { loadRewardModel, scoreResponses } from '../../evaluation/reward-model.js';
import { generate } from '../../sampler/generate.js';
import { loadModel } from '../../sampler/model.js';
import { ppoDryRun } from '../../stages/dry-run.js';
import { ppo } from '../../stages/ppo.js';
import { pretrain } from '../../stages/pretrain.js';
import { reward } from '../../stages/reward.js';
import { readChatTemplate } from '../../tokenizer/index.js';
import { temporaryFolder } from '../datasets/temporary.js';
import { never, quietly, stopAfter } from './running.js';

const CITIES = ['Avon', 'Brill', 'Corby', 'Derry', 'Elgin', 'Foyle', 'Goole', 'Hayle', 'Irvine', 'Jura', 'Kelso', 'Leeds'];
/** Share of the characters of an answer that are small letters. */
const LETTERS =
  'export default (answers) => answers.map(({ response }) => (response.match(/[a-z]/g) ?? []).length / Math.max(1, response.length));\n';

describe('proximal policy optimisation', () => {
  const at = temporaryFolder();
  const prompts = CITIES.flatMap((city) => [1, 2, 3].map((house) => `Where is house ${house} of ${city}?`));

  before(async function () {
    this.timeout(120_000);
    await fs.writeFile(at('text.txt'), prompts.map((prompt) => `${prompt} It is there.`).join('\n\n'));
    await fs.writeFile(at('letters.mjs'), LETTERS);
    const base = (name: string, vocab_size: number) =>
      resolvePretrainConfig({
        model: { hidden_size: 32, num_hidden_layers: 1, num_attention_heads: 4, num_key_value_heads: 2, max_position_embeddings: 64 },
        tokenizer: { kind: 'bpe', vocab_size },
        data: { path: at('text.txt'), document: 'blank_line', packing: 'segments', eval_fraction: 0.2 },
        output_dir: at(name),
        ...{ context_length: 64, batch_size: 4, max_steps: 5, sample_steps: 0, threads: 1 },
      });
    for (const config of [base('base', 300), base('other', 310)])
      await quietly(() => pretrain(config, { directory: config.output_dir }, never));
    const schema = promptsSchema(new Map());
    const table = new ArrowFile(at('prompts.arrow'), schema);
    await table.write(promptsBatch(schema, prompts.map((content) => ({ prompt: [{ role: 'user', content }], source: 'a' })))); // biome-ignore format: short
    await table.close();
    const ranked = preferencesSchema(new Map());
    const preferences = new ArrowFile(at('preferences.arrow'), ranked);
    const rows = prompts.map((content) => {
      return { prompt: [{ role: 'user' as const, content }], responses: ['no', 'It is there.'], ranks: [1, 0], source: 'a' };
    });
    await preferences.write(preferencesBatch(ranked, rows));
    await preferences.close();
  });

  const config = (name: string, { data, ...more }: { data?: object; [key: string]: unknown } = {}) =>
    resolvePpoConfig({
      init_from: at('base'),
      data: { path: at('prompts.arrow'), eval_fraction: 0.2, eval_prompts: 4, ...data },
      reward: { function: at('letters.mjs') },
      output_dir: at(name),
      ...{ batch_size: 8, max_steps: 6, num_ppo_epochs: 2, num_mini_batches: 2, critic_warmup_steps: 1, max_new_tokens: 8 },
      ...{ learning_rate: 3e-3, missing_eos_penalty: 0, eval_steps: 3, save_steps: 2, save_total_limit: 10, threads: 1, ...more },
    } as PpoInput);
  const run = (name: string, more: Parameters<typeof config>[1] = {}, signal = never, resume?: string) => {
    const resolved = config(name, more);
    return quietly(() => ppo(resolved, { directory: resolved.output_dir, resume }, signal));
  };
  const rewardModel = async (name: string, more: object = {}) => {
    const resolved = resolveRewardConfig({
      ...{ init_from: at('base'), data: { path: at('preferences.arrow') }, output_dir: at(name) },
      ...{ max_steps: 2, batch_size: 4, threads: 1, ...more },
    });
    await quietly(() => reward(resolved, { directory: resolved.output_dir }, never));
    return at(path.join(name, 'final'));
  };
  const hash = async (...parts: string[]) =>
    createHash('sha256')
      .update(await fs.readFile(at(path.join(...parts))))
      .digest('hex');
  const lines = async (name: string, file = 'metrics.jsonl') =>
    (await fs.readFile(at(path.join(name, file)), 'utf8'))
      .trim()
      .split('\n')
      .map((line) => {
        const { seconds: _, tokens_per_second: __, ...rest } = JSON.parse(line) as Record<string, number>;
        return rest;
      });

  it('learns what a reward function asks for, and its checkpoint answers', async () => {
    const { metrics } = await run('learns', {
      max_steps: 20,
      batch_size: 32,
      learning_rate: 1e-2,
      num_ppo_epochs: 4,
      kl_coef: 0,
      eval_steps: 10,
    });
    assert.ok(metrics['eval/score'] > metrics['start/eval/score'] + 0.2, `${metrics['start/eval/score']} → ${metrics['eval/score']}`);
    assert.ok(metrics['eval/kl_exact'] > 0.5 && metrics['start/eval/kl_exact'] === 0);
    const model = await loadModel(at('learns'));
    try {
      const template = await readChatTemplate(model.directory, model.tokenizer);
      const { ids } = template.encode([{ role: 'user', content: prompts[0] }], { addGenerationPrompt: true });
      const { tokens } = await generate(model, [ids], { sampling: { temperature: 1 }, maxTokens: 8, eos: template.stopIds, seed: 1 });
      const text = model.tokenizer.decode(tokens[0], { skipSpecial: true });
      assert.ok((text.match(/[a-z]/g) ?? []).length > 0.5 * text.length, JSON.stringify(text));
    } finally {
      model.dispose();
    }
  });

  it('has a ratio of 1 at the first minibatch: sampler and training pass agree', async () => {
    const { metrics } = await run('ratio', { temperature: 0.7 });
    const records = (await lines('ratio')).filter((record) => 'val/ratio_first' in record);
    assert.equal(records.length, 5); // but the first update, in which the critic learnt alone
    for (const record of records) {
      assert.ok(Math.abs(record['val/ratio_first'] - 1) < 1e-5, `${record['val/ratio_first']}`);
      assert.ok(record['sampler/drift'] < 1e-5, `${record['sampler/drift']}`);
      assert.ok(Math.abs(record['val/ratio'] - 1) > 1e-6); // which it is no longer at the others
    }
    assert.ok(metrics['objective/kl_exact'] > 0 && metrics['objective/kl_k3'] >= 0);
  });

  it('gives the same bits when it is stopped and resumed, with adaptive β, pretraining text and the best model kept', async () => {
    const more = {
      kl_target: 0.01,
      kl_horizon: 50,
      ptx: { path: at(path.join('base', 'tokens')) },
      keep: 'best',
      kl_cap: 50,
      dual_clip: 3,
    };
    await run('whole', more);
    for (const stop of [1, 5]) {
      const name = `stopped-${stop}`;
      assert.equal((await run(name, more, stopAfter(stop))).steps, stop);
      assert.equal((await run(name, more, never, 'auto')).steps, 6);
      for (const file of [
        'final/model.safetensors',
        ...['model.safetensors', 'optimizer.safetensors', 'trainer_state.json'].map((one) => `checkpoints/step-000006/${one}`),
      ])
        assert.equal(await hash(name, file), await hash('whole', file), `${file} after stopping at ${stop}`);
      assert.deepEqual(await lines(name), await lines('whole'));
      assert.deepEqual(await lines(name, 'samples.jsonl'), await lines('whole', 'samples.jsonl'));
    }
    const records = await lines('whole');
    assert.ok(records.at(-1)!['kl_coef'] !== 0.05 && records.at(-1)!['ptx/loss'] > 0 && records.at(-1)!['ptx/policy_grad_norm'] > 0);
  });

  it('moves the policy only when the critic has warmed up', async () => {
    await run('warm', { critic_warmup_steps: 2, save_steps: 1, max_steps: 3, eval_steps: 9 });
    const weights = async (...parts: string[]) => hash(...parts, 'model.safetensors');
    const begun = await weights('base', 'final');
    assert.equal(await weights('warm', 'checkpoints', 'step-000002'), begun);
    assert.notEqual(await weights('warm', 'checkpoints', 'step-000003'), begun);
    const explained = (await lines('warm'))
      .filter((record) => 'objective/scores' in record)
      .map((record) => record['val/explained_variance']);
    assert.equal(explained[0], 0); // the values of the new critic are all 0
    assert.notEqual(explained[1], 0);
  });

  it('ends where the divergence passes kl_stop, and stays ended', async () => {
    const more = { max_steps: 30, learning_rate: 1e-2, kl_coef: 0, kl_stop: 0.5 };
    const { steps, checkpoint } = await run('ends', more);
    assert.ok(steps > 1 && steps < 30, `${steps}`);
    assert.equal(checkpoint, at(path.join('ends', 'final')));
    assert.ok((await lines('ends')).at(-1)!['objective/kl'] > 0.5);
    assert.equal((await run('ends', more, never, 'auto')).steps, steps);
  });

  it('keeps the best model among those within kl_cap', async () => {
    const more = { max_steps: 12, learning_rate: 1e-2, kl_coef: 0, eval_steps: 1, keep: 'best', save_total_limit: 1 };
    const { metrics } = await run('kept', { ...more, kl_cap: 1 });
    const within = (await lines('kept')).filter((record) => record['step'] > 0 && record['eval/kl'] <= 1);
    const best = Math.max(...within.map((record) => record['eval/score']));
    assert.ok(within.length < 12 && metrics['best/eval/score'] === best && metrics['best/eval/kl'] <= 1);
    const name = `step-${String(metrics['best/step']).padStart(6, '0')}`;
    assert.equal(await hash('kept', 'final', 'model.safetensors'), await hash('kept', 'checkpoints', name, 'model.safetensors'));
  });

  it('ends its passes where the policy has gone far enough', async () => {
    await run('far', { approx_kl_stop: 1e-12, max_steps: 2, num_ppo_epochs: 50 });
    const updates = JSON.parse(await fs.readFile(at('far/checkpoints/step-000002/trainer_state.json'), 'utf8')) as Record<string, number>;
    assert.deepEqual([updates['policySteps'], updates['criticSteps']], [2, 102]); // the first step still has a ratio of 1
  });

  it('makes the same updates whatever the batches of tokens, but for rounding', async () => {
    await run('narrow', { micro_batch_tokens: 40, max_steps: 2 });
    await run('wide', { micro_batch_tokens: 2000, max_steps: 2 });
    const [narrow, wide] = [await lines('narrow'), await lines('wide')];
    for (const key of ['loss/policy_avg', 'loss/value_avg', 'grad_norm', 'objective/kl_exact', 'val/ratio_max'])
      assert.ok(Math.abs(narrow.at(-1)![key] - wide.at(-1)![key]) < 1e-4 * Math.max(1, Math.abs(wide.at(-1)![key])), key);
  });

  it('leaves as many tensors as it found', async () => {
    const model = await rewardModel('rm-tidy');
    const before = tf.memory().numTensors;
    await run('tidy', {
      max_steps: 3,
      reward: { model },
      ptx: { path: at(path.join('base', 'tokens')) },
      whiten_rewards: true,
      score_clip: 2,
    });
    assert.equal(tf.memory().numTensors, before);
  });

  it('scores with a reward model, whose body the critic begins as', async () => {
    const model = await rewardModel('rm', { ensemble: 2 });
    const { metrics } = await run('modelled', { reward: { model, combine: 'mean_minus_std' }, max_steps: 2 });
    assert.ok(Number.isFinite(metrics['objective/scores']) && metrics['eval/outside'] >= 0);
    const report = await quietly(() => ppoDryRun(config('rehearsed', { reward: { model } })));
    assert.match(report, /critic from the reward model/);
    assert.match(report, /an answer of \d+ tokens(, cut)?, score -?\d/);
  });

  it('takes the scores of an ensemble together: their mean, the lowest, or the mean less the standard deviation', async () => {
    const model = await rewardModel('rm-three-ways', { ensemble: 2 });
    const answers = ['It is there.', 'no', ''].map((response) => ({
      prompt: [{ role: 'user' as const, content: prompts[0] }],
      response,
      ended: true,
    }));
    const loaded = await loadRewardModel(model);
    const expected = await scoreResponses(loaded, answers[0].prompt, answers.map(({ response }) => response)); // biome-ignore format: short
    const spread = expected.map(({ std }) => std / loaded.normal.std);
    loaded.dispose();
    const scored = async (combine: 'mean' | 'min' | 'mean_minus_std') => {
      const source = await openReward({ model, combine }, { tokenizer: loaded.tokenizer.hash(), longest: 40 });
      const scores = await source.score(answers);
      source.dispose();
      return scores;
    };
    const means = expected.map(({ normalised }) => normalised);
    const near = (found: readonly number[], wanted: readonly number[]) =>
      found.forEach((score, i) => { assert.ok(Math.abs(score - wanted[i]) < 1e-4, `${score}, not ${wanted[i]}`); }); // biome-ignore format: short
    assert.ok(spread.every((std) => std > 1e-3));
    near(await scored('mean'), means);
    near(await scored('min'), means.map((mean, i) => mean - spread[i] / Math.SQRT2)); // biome-ignore format: short
    near(await scored('mean_minus_std'), means.map((mean, i) => mean - spread[i])); // biome-ignore format: short
  });

  it('refuses reward models that cannot serve it, and says why', async () => {
    const pair = await rewardModel('pair', { head: 'pair' });
    await assert.rejects(run('a', { reward: { model: pair } }), /must have a scalar head, .* compares pairs\. Train one with head: scalar/);
    const seeing = await rewardModel('seeing', { attention: 'bidirectional' });
    await assert.rejects(run('b', { reward: { model: seeing } }), /has attention: bidirectional, .*Set critic: policy/);
    await run('c', { reward: { model: seeing }, critic: 'policy', max_steps: 2 });
    const foreign = await rewardModel('foreign', { init_from: at('other') });
    await assert.rejects(run('d', { reward: { model: foreign } }), /must have the policy's tokenizer; it has another/);
    await assert.rejects(
      run('e', { reward: { model: at('base/final') } }),
      /it is a language model\. Train one from it with fourfold reward/,
    );
  });

  it('says what is wrong with a reward function, and with prompts that leave no room', async () => {
    await fs.writeFile(at('short.mjs'), 'export default (answers) => answers.slice(1).map(() => 1);\n');
    await assert.rejects(run('f', { reward: { function: at('short.mjs') } }), /must give a finite number for each of \d answers/);
    await fs.writeFile(at('nothing.mjs'), 'export const score = 1;\n');
    await assert.rejects(
      run('g', { reward: { function: at('nothing.mjs') } }),
      /must export a function as its default; its default is missing/,
    );
    await assert.rejects(run('h', { reward: { function: at('none.mjs') } }), /none\.mjs must be a module that can be loaded/);
    await assert.rejects(run('i', { max_new_tokens: 60 }), /prompts of at most 4 tokens \(the context of 64 less max_new_tokens\)/);
  });

  it('writes its complete configuration, from which it can be run again', async () => {
    await run('again', { max_steps: 2, critic_warmup_steps: 0 });
    const written = await loadPpoConfig(at(path.join('again', 'config.yaml')));
    assert.deepEqual(written, config('again', { max_steps: 2, critic_warmup_steps: 0 }));
  });
});
