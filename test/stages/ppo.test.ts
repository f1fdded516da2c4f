import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { checkPrecision, nativeMissing, useDevice } from '../../backends/device.js';
import { loadOptimizer } from '../../checkpoints/load.js';
import { stepName } from '../../checkpoints/save.js';
import { loadPpoConfig, resolvePpoConfig, resolvePretrainConfig, resolveRewardConfig } from '../../configs/load.js';
import type { PpoInput } from '../../configs/ppo-schema.js';
import { ArrowFile } from '../../datasets/arrow.js';
import { promptsBatch, promptsSchema } from '../../datasets/conversations.js';
import { corpusFrom } from '../../datasets/corpus.js';
import { preferencesBatch, preferencesSchema } from '../../datasets/preferences.js';
import { prepare } from '../../datasets/prepare.js';
import { evaluateText } from '../../evaluation/evaluate-text.js';
import { openReward } from '../../evaluation/reward-function.js';
import { loadRewardModel, scoreResponses } from '../../evaluation/reward-model.js';
import { generate } from '../../sampler/generate.js';
import { loadModel } from '../../sampler/model.js';
import { ppoDryRun } from '../../stages/dry-run.js';
import { ppo, samplersLogProbs } from '../../stages/ppo.js';
import { pretrain } from '../../stages/pretrain.js';
import { reward } from '../../stages/reward.js';
import { readChatTemplate, readTokenizer } from '../../tokenizer/index.js';
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
        const record = JSON.parse(line) as Record<string, number>;
        return Object.fromEntries(Object.entries(record).filter(([name]) => !/^(seconds$|tokens_per_second$|time\/)/.test(name)));
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

  it('learns from the log-probabilities of its own pass in bf16, from those of the sampler otherwise', () => {
    const episode = { sampled: [-1, -2], logProbs: Float32Array.of(-1.25, -2.25) };
    assert.deepEqual([...samplersLogProbs({ precision: 'fp32' }, episode)], [-1, -2]);
    assert.deepEqual([...samplersLogProbs({ precision: 'bf16' }, episode)], [-1.25, -2.25]);
  });

  it('in fp16 has a first ratio of 1 and goes on to the same bits, loss scales of policy and critic among them', async function () {
    if (nativeMissing()) return this.skip();
    const more = { device: 'native', precision: 'fp16' };
    await run('fp16', more);
    assert.ok(
      (await lines('fp16')).every(
        (record) => Math.abs((record['val/ratio_first'] ?? 1) - 1) < 1e-5 && (record['loss_scale'] ?? 65536) <= 65536,
      ),
    );
    await run('fp16-stopped', more, stopAfter(3));
    await run('fp16-stopped', more, never, 'auto');
    const saved = 'checkpoints/step-000006/optimizer.safetensors';
    assert.equal(await hash('fp16-stopped', saved), await hash('fp16', saved));
    const stored = await loadOptimizer(at('fp16/checkpoints/step-000006'));
    assert.deepEqual([...stored.keys()].filter((name) => name.includes('loss_scale')).sort(), ['critic.loss_scale', 'loss_scale']);
  });

  it('in bf16 has a first ratio of 1 and says how far the sampler is off; a processor without is refused, and the directory stays free', async () => {
    await useDevice('auto', { threads: 1 });
    let missing: string | undefined;
    try {
      checkPrecision('bf16');
    } catch (error) {
      missing = (error as Error).message;
    }
    if (missing !== undefined) {
      await assert.rejects(run('bf16', { precision: 'bf16' }), { name: 'UserError', message: missing });
      assert.equal((await run('bf16', { max_steps: 2 })).steps, 2);
      return;
    }
    await run('bf16', { precision: 'bf16', temperature: 0.7 });
    const records = (await lines('bf16')).filter((record) => 'val/ratio_first' in record);
    assert.equal(records.length, 5);
    for (const record of records) {
      assert.ok(Math.abs(record['val/ratio_first'] - 1) < 1e-3, `${record['val/ratio_first']}`);
      assert.ok(record['sampler/drift'] > 0 && record['sampler/drift'] < 0.5, `${record['sampler/drift']}`);
    }
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

  it('learns with a critic that is a head on the policy, and gives the same bits when it is stopped and resumed', async () => {
    const more = {
      critic: 'shared',
      critic_warmup_steps: 2,
      save_steps: 1,
      ptx: { path: at(path.join('base', 'tokens')) },
      num_ppo_epochs: 4,
    };
    await run('shared', more);
    for (const stop of [1, 4]) {
      const name = `shared-stopped-${stop}`;
      assert.equal((await run(name, more, stopAfter(stop))).steps, stop);
      await run(name, more, never, 'auto');
      for (const file of ['model.safetensors', 'optimizer.safetensors', 'trainer_state.json'])
        assert.equal(await hash(name, 'checkpoints/step-000006', file), await hash('shared', 'checkpoints/step-000006', file), file);
      assert.deepEqual(await lines(name), await lines('shared'));
    }
    // The head learns alone at first; what is saved is a language model, its head beside the moments.
    const begun = await hash('base', 'final', 'model.safetensors');
    assert.equal(await hash('shared', 'checkpoints/step-000002', 'model.safetensors'), begun);
    assert.notEqual(await hash('shared', 'checkpoints/step-000003', 'model.safetensors'), begun);
    const tensors = [...(await loadOptimizer(at('shared/checkpoints/step-000006'))).keys()];
    assert.deepEqual(tensors.filter((name) => name.includes('score')), ['critic.score.weight', 'critic.moment1.score.weight', 'critic.moment2.score.weight']); // biome-ignore format: short
    const explained = (await lines('shared')).flatMap((record) => record['val/explained_variance'] ?? []);
    assert.ok(explained[0] === 0 && explained[2] !== 0, `${explained}`);
    assert.match(await quietly(() => ppoDryRun(config('shared-rehearsed', more))), /the critic is a head on it/);
  });

  it('measures the loss on held-out text as eval does, whether it learns from the rest or not', async () => {
    const tokens = at(path.join('base', 'tokens'));
    const { metrics } = await run('measured', { ptx: { path: tokens, coefficient: 0 }, max_steps: 3, batch_size: 16 });
    const measure = async (name: string) => {
      const model = await loadModel(at(name));
      const { all } = await evaluateText(model, tokens, { evalFraction: 0, packing: 'segments' });
      model.dispose();
      return all;
    };
    const [base, end] = [await measure('base'), await measure('measured')];
    const close = (found: number, wanted: number) => assert.ok(Math.abs(found - wanted) < 1e-6, `${found}, not ${wanted}`);
    close(metrics['start/eval/text_loss'], base.loss);
    close(metrics['start/eval/text_bits_per_byte'], base.bits_per_byte);
    close(metrics['eval/text_loss'], end.loss);
    assert.ok(Math.abs(end.loss - base.loss) > 1e-3);
    await run('unmeasured', { max_steps: 3, batch_size: 16 });
    assert.equal(await hash('measured', 'final', 'model.safetensors'), await hash('unmeasured', 'final', 'model.safetensors'));
    const replayed = await run('replayed', { ptx: { path: tokens }, max_steps: 2 });
    close(replayed.metrics['start/eval/text_loss'], base.loss);
  });

  it('holds out a part of pretraining text itself, and says where there is none', async () => {
    const { metrics } = await run('own-text', { ptx: { path: at('text.txt'), eval_fraction: 0.3 }, max_steps: 2 });
    assert.ok(metrics['eval/text_loss'] > 0);
    const { corpus } = await corpusFrom({ path: at('text.txt'), document: 'blank_line', output: at('text.arrow') });
    const tokenizer = await readTokenizer(at(path.join('base', 'final')));
    await prepare({ corpora: [corpus], tokenizer, output: at('no-eval'), split: 'hash', evalFraction: 0, seed: 1 });
    const all = { path: at('no-eval') };
    assert.equal('eval/text_loss' in (await run('nothing-held-out', { ptx: all, max_steps: 2 })).metrics, false);
    await assert.rejects(run('j', { ptx: { ...all, coefficient: 0 } }), /the eval part of .* must have at least 2 tokens/);
    await assert.rejects(
      run('k', { ptx: { path: at(path.join('base', 'tokens')), eval_fraction: 0.3 } }),
      /ptx.eval_fraction: is for text; .* holds prepared tokens, which have an eval part of their own/,
    );
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

  it('takes back what has gone past kl_stop, to the bit, goes on with β doubled, and ends after the fifth time', async () => {
    const more = {
      max_steps: 40,
      learning_rate: 2e-2,
      kl_coef: 0,
      kl_stop: 0.3,
      kl_stop_action: 'roll_back',
      save_steps: 1,
      eval_steps: 50,
      save_total_limit: 50,
    };
    const { steps } = await run('back', more);
    const records = (await lines('back')).filter((record) => 'objective/kl' in record);
    const backs = records.filter((record, i) => record['roll_backs'] > (records[i - 1]?.['roll_backs'] ?? 0));
    assert.deepEqual(backs.map((record) => record['roll_backs']), [1, 2, 3, 4, 5, 6]); // biome-ignore format: short
    assert.deepEqual(backs.map((record) => record['kl_coef']), [0, 0.05, 0.1, 0.2, 0.4, 0.8]); // biome-ignore format: short
    assert.ok(steps < 40 && backs.at(-1)!['step'] === steps);
    const state = async (step: number) => JSON.parse(await fs.readFile(at(path.join('back/checkpoints', stepName(step), 'trainer_state.json')), 'utf8')) as Record<string, number>; // biome-ignore format: short
    for (const record of backs) assert.ok(record['objective/kl'] > 0.3 && !('loss' in record));
    for (const { step } of backs) {
      const { within } = await state(step);
      assert.ok(within < step - 1);
      for (const file of ['model.safetensors', 'optimizer.safetensors'])
        assert.equal(
          await hash('back/checkpoints', stepName(step), file),
          await hash('back/checkpoints', stepName(within), file),
          `${step}`,
        );
    }
    assert.equal(await hash('back/final/model.safetensors'), await hash('back/checkpoints', stepName(steps), 'model.safetensors'));
    assert.equal((await run('back', more, never, 'auto')).steps, steps);
  });

  it('gives the same bits when a run that is taken back is stopped and resumed, also where few checkpoints are kept', async () => {
    const more = { max_steps: 14, learning_rate: 2e-2, kl_coef: 0.01, kl_stop: 0.3, kl_stop_action: 'roll_back', save_total_limit: 1 };
    const text = { ptx: { path: at(path.join('base', 'tokens')) }, save_steps: 3, eval_steps: 50 };
    await run('back-whole', { ...more, ...text });
    assert.ok((await lines('back-whole')).at(-1)!['roll_backs'] >= 2);
    await run('back-stopped', { ...more, ...text }, stopAfter(1));
    for (let steps = 1; steps < 14; ) ({ steps } = await run('back-stopped', { ...more, ...text }, stopAfter(2), 'auto'));
    assert.equal(await hash('back-stopped/final/model.safetensors'), await hash('back-whole/final/model.safetensors'));
    for (const file of ['optimizer.safetensors', 'trainer_state.json'])
      assert.equal(await hash('back-stopped/checkpoints/step-000014', file), await hash('back-whole/checkpoints/step-000014', file), file);
    assert.deepEqual(await lines('back-stopped'), await lines('back-whole'));
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
    const text = { path: at(path.join('base', 'tokens')), coefficient: 0 };
    await run('tidy-shared', { max_steps: 4, critic: 'shared', ptx: text, kl_stop: 1e-9, kl_stop_action: 'roll_back' });
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
