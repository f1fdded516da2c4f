import assert from 'node:assert/strict';
import { parsePpoConfig, parsePretrainConfig, resolvedPpoYaml, resolvePpoConfig } from '../../configs/load.js';
import type { PpoInput } from '../../configs/ppo-schema.js';
import { faultsOf } from './faults.js';

const BASE = 'init_from: runs/sft\ndata: { path: a.arrow }\nreward: { model: runs/rm }\n';
const OWN = BASE.replace('model: runs/rm', 'function: ./own.js');
const parse = (text: string, ...overrides: string[]) => parsePpoConfig(text, 'c.yaml', overrides);
const faults = (text: string, ...overrides: string[]) => faultsOf(() => parse(text, ...overrides));

describe('a configuration of PPO', () => {
  it('fills in what is not given', () => {
    const config = parse(BASE, 'learning_rate=2e-5');
    assert.deepEqual(config.reward, { model: 'runs/rm', combine: 'mean' });
    assert.deepEqual([config.critic, config.epochs, config.critic_learning_rate, config.ptx], ['reward', 1, 3 * 2e-5, undefined]);
    assert.deepEqual([config.gamma, config.lam, config.cliprange, config.kl_coef, config.adam_epsilon], [1, 0.95, 0.2, 0.05, 1e-5]);
    assert.equal(config.data.eval_fraction, 0.1);
    assert.equal(parse(BASE, 'data.eval_path=b.arrow').data.eval_fraction, undefined);
    assert.equal(parse(OWN).critic, 'policy');
    assert.equal(parse(BASE, 'kl_target=6').kl_horizon, 10_000);
    assert.deepEqual(parse(BASE, 'ptx.path=t').ptx, { path: 't', coefficient: 0.3, batch_size: 2, eval_fraction: undefined });
    assert.equal(parse(BASE, 'ptx.path=t', 'ptx.coefficient=0').ptx?.batch_size, undefined);
  });

  it('can be read again as it was resolved', () => {
    const shapes = [
      {},
      { reward: { function: 'gold', world: 'w' }, critic: 'policy' },
      {
        reward: { function: './own.ts' },
        ptx: { path: 't', coefficient: 0, eval_fraction: 0.1 },
        max_steps: 9,
        lr_scheduler_type: 'constant',
      },
      { critic: 'shared', value_coefficient: 0.5 },
      {
        data: { path: ['a', 'b'], eval_path: 'c' },
        kl_target: 6,
        keep: 'best',
        kl_cap: 3,
        kl_stop: 9,
        kl_stop_action: 'roll_back',
        approx_kl_stop: 0.02,
      },
    ];
    for (const more of shapes) {
      const config = resolvePpoConfig({ init_from: 's', data: { path: 'a' }, reward: { model: 'r' }, ...more } as PpoInput);
      assert.deepEqual(parse(resolvedPpoYaml(config)), config);
    }
  });

  it('names one reward, and what belongs to it', () => {
    const first = (text: string, ...overrides: string[]) => faults(text, ...overrides)[0] ?? '';
    assert.match(first('init_from: s\ndata: { path: a }\n'), /reward: must name one of model and function; received neither; for example/);
    assert.match(first(BASE, 'reward.function=gold', 'reward.world=w'), /reward: must name one of model and function; received both/);
    assert.match(first(OWN, 'reward.function=gold'), /reward.world: is required with function: gold/);
    assert.match(first(OWN, 'reward.world=w'), /reward.world: is for function: gold, or for a reward model/);
    assert.match(
      first(OWN, 'reward.function=golden'),
      /reward.function: must be gold, random_walks or a module by its path \(\.\/own\.js\); received "golden"/,
    );
    assert.match(first(OWN, 'reward.combine=min'), /reward.combine: is for reward.model; received "min"/);
    assert.match(first(OWN, 'critic=reward'), /critic: reward is for a reward model, and reward.model names none; .*set critic: policy/);
    assert.deepEqual(faults(BASE, 'reward.world=w'), []);
  });

  it('gives a shared critic one optimizer and a weight, another one a learning rate', () => {
    const shared = parse(BASE, 'critic=shared');
    assert.deepEqual([shared.value_coefficient, shared.critic_learning_rate], [0.1, undefined]);
    assert.equal(parse(BASE).value_coefficient, undefined);
    assert.match(
      faults(BASE, 'critic=shared', 'critic_learning_rate=1e-4')[0],
      /critic_learning_rate: is for a critic of its own; .*value_coefficient weighs/,
    );
    assert.match(faults(BASE, 'value_coefficient=0.2')[0], /value_coefficient: is for critic: shared; .*set critic: shared/);
  });

  it('refuses what would draw from another distribution than is learnt from, and says so', () => {
    for (const key of ['top_k', 'top_p', 'min_p', 'repetition_penalty'])
      assert.match(
        faults(BASE, `${key}=1`)[0],
        new RegExp(`${key}: there is no such key; received 1; a rollout draws from the policy's whole distribution`),
      );
  });

  it('says everything else that does not go together', () => {
    const text = `${BASE}epochs: 1\nmax_steps: 4\ncritic_warmup_steps: 4\nbatch_size: 10\nnum_mini_batches: 3\nkl_horizon: 5\nkeep: best\ndual_clip: 0.5\nptx: { coefficient: 1 }\n`;
    assert.deepEqual(
      faults(text).map((line) => line.slice(line.indexOf(' ') + 1, line.indexOf(';'))),
      [
        'kl_cap: is required with keep: best: by score alone the over-optimised model is kept',
        'epochs: only one of max_steps and epochs may say how long to train',
        'critic_warmup_steps: must leave updates for the policy: there are 4',
        'num_mini_batches: must divide batch_size (10)',
        'kl_horizon: is for kl_target: without one β stays as it is',
        'dual_clip: must be 0, or a number above 1',
        'ptx.coefficient: is for ptx.path, which names no text',
      ],
    );
    const measured = ['ptx.path=t', 'ptx.coefficient=0'];
    assert.match(
      faults(BASE, ...measured, 'ptx.batch_size=2')[0],
      /ptx.batch_size: is for text that is learnt from, and ptx.coefficient is 0/,
    );
    assert.match(faults(BASE, ...measured, 'data.eval_prompts=0')[0], /ptx.coefficient: 0 only measures, and data.eval_prompts: 0 leaves/);
    assert.match(faults(BASE, 'kl_stop_action=roll_back')[0], /kl_stop_action: is for kl_stop: without one no divergence is too large/);
    assert.match(faults(BASE, 'kl_cap=3')[0], /kl_cap: is for keep: best/);
    assert.match(
      faults(BASE, 'keep=best', 'kl_cap=3', 'data.eval_prompts=0')[0],
      /keep: best needs evaluations, and data.eval_prompts is 0/,
    );
    assert.match(faults(BASE, 'data.eval_path=b', 'data.eval_fraction=0.1')[0], /data.eval_fraction: is not with data.eval_path/);
  });

  it('knows the names that other tools have for its keys', () => {
    const meant = (key: string) => /did you mean ([\w.]+)\?/.exec(faults(BASE, `${key}=1`)[0])?.[1];
    const theirs = ['response_length', 'init_kl_coef', 'gae_lambda', 'ppo_epochs', 'sft_model_path', 'num_minibatches'];
    assert.deepEqual(theirs.map(meant), ['max_new_tokens', 'kl_coef', 'lam', 'num_ppo_epochs', 'init_from', 'num_mini_batches']);
  });

  it('is not taken for one of another stage', () => {
    assert.throws(
      () => parsePretrainConfig(`stage: ppo\n${BASE}`, 'c.yaml'),
      /must be of the stage pretrain; it is of ppo\. Run it with fourfold ppo/,
    );
  });
});
