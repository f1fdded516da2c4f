import assert from 'node:assert/strict';
import { parsePretrainConfig, parseRewardConfig, parseSftConfig, resolvedRewardYaml, resolveRewardConfig } from '../../configs/load.js';
import { faultsOf } from './faults.js';

const BASE = 'init_from: runs/sft\ndata: { path: a.arrow }\n';
const parse = (text: string, ...overrides: string[]) => parseRewardConfig(text, 'c.yaml', overrides);
const faults = (text: string, ...overrides: string[]) => faultsOf(() => parse(text, ...overrides));
/** What the configurations say of a single key that is wrong, without place and value. */
const fault = (...overrides: string[]) => {
  const found = faults(BASE, ...overrides);
  assert.equal(found.length, 1, found.join('\n'));
  return found[0].replace(/^(c\.yaml:\d+:\d+|command line: [^ ]+): /, '').replace(/; received .*$/, '');
};

describe('a configuration of a reward model', () => {
  it('fills in what is not given', () => {
    const { data, head, attention, ensemble, loss, ties, center_rewards_coefficient, epochs, max_steps, min_lr_ratio } = parse(BASE);
    assert.deepEqual(data, { path: ['a.arrow'], eval_fraction: 0.1 });
    assert.deepEqual([head, attention, ensemble, loss, ties], ['scalar', 'causal', 1, 'bradley_terry', 'half']);
    assert.deepEqual([center_rewards_coefficient, epochs, max_steps, min_lr_ratio], [0.01, 1, undefined, 0]);
    assert.equal(parse(BASE, 'head=pair').center_rewards_coefficient, 0);
    assert.equal(parse(BASE, 'loss=plackett_luce').ties, 'ignore');
    assert.equal(parse(BASE, 'max_steps=5').epochs, undefined);
  });

  it('takes one path or several', () => {
    const { path, boundary } = parse(BASE, 'data.path=[a.arrow, b.json]', 'data.boundary=c.arrow').data;
    assert.deepEqual([path, boundary], [['a.arrow', 'b.json'], ['c.arrow']]);
  });

  it('can be read again as it was resolved', () => {
    const some: Partial<Parameters<typeof resolveRewardConfig>[0]>[] = [
      {},
      { max_steps: 5, seed: 2 ** 40 },
      { loss: 'plackett_luce' },
      { loss: 'plackett_luce', ties: 'ignore', label_smoothing_factor: 0 },
      { ties: 'ignore', label_smoothing_factor: 0.1, center_rewards_coefficient: 0 },
      { head: 'pair', attention: 'bidirectional', ties: 'ignore' },
      { head: 'pair', center_rewards_coefficient: 0, ensemble: 3 },
      { lr_scheduler_type: 'constant', freeze: ['*norm*'], template: 'alpaca' },
      { lr_scheduler_type: 'wsd', decay_fraction: 0.5, early_stopping_patience: 2, context_length: 64 },
    ];
    for (const more of some) {
      const config = resolveRewardConfig({ init_from: 'runs/sft', data: { path: 'a.arrow', boundary: ['b.arrow'], limit: 9 }, ...more });
      assert.deepEqual(parse(resolvedRewardYaml(config)), config);
    }
  });

  it('says everything that is wrong at once, each with its place', () => {
    assert.deepEqual(
      faults(
        'data: { path: 3, eval_fraction: 0, boundry: b.arrow }\nhead: pair\nloss: plackett_luce\nties: half\nmax_steps: 5\nepochs: 2\n' +
          'early_stopping_patience: 3\nlabel_smoothing: 0.1\nensemble: 0\n',
      ).map((line) => line.slice(0, line.indexOf(';'))),
      [
        'c.yaml:1:1: init_from: is required',
        'c.yaml:1:15: data.path: must be a path or a list of paths',
        'c.yaml:1:36: data.boundry: there is no such key',
        'c.yaml:3:7: loss: a pair head compares two answers: bradley_terry only',
        'c.yaml:4:7: ties: is for loss: bradley_terry',
        'c.yaml:6:9: epochs: only one of max_steps and epochs may say how long to train',
        'c.yaml:7:26: early_stopping_patience: needs held-out rankings, and data.eval_fraction is 0',
        'c.yaml:8:1: label_smoothing: there is no such key',
        'c.yaml:9:11: ensemble: must be a whole number, 1 or more',
      ],
    );
  });

  it('has the rules between its keys', () => {
    const rules: [string[], string][] = [
      [['max_steps=5', 'epochs=1'], 'epochs: only one of max_steps and epochs may say how long to train'],
      [
        ['data.eval_fraction=0', 'early_stopping_patience=1'],
        'early_stopping_patience: needs held-out rankings, and data.eval_fraction is 0',
      ],
      [['loss=plackett_luce', 'ties=half'], 'ties: is for loss: bradley_terry; a ranking has none'],
      [['loss=plackett_luce', 'label_smoothing_factor=0.1'], 'label_smoothing_factor: is for loss: bradley_terry'],
      [['loss=plackett_luce', 'head=pair'], 'loss: a pair head compares two answers: bradley_terry only'],
      [
        ['head=pair', 'center_rewards_coefficient=0.1'],
        'center_rewards_coefficient: is for head: scalar; a pair head has no score of one answer',
      ],
      [['precision=bf16', 'device=wasm'], 'precision: bf16 is for the native device, not wasm'],
      [['decay_fraction=0.1'], 'decay_fraction: is for lr_scheduler_type: wsd'],
      [
        ['lr_scheduler_type=constant', 'min_lr_ratio=0.1'],
        'min_lr_ratio: is not for lr_scheduler_type: constant, which stays at learning_rate',
      ],
      [['center_rewards_coefficient=-1'], 'center_rewards_coefficient: must be a number, 0 or more'],
    ];
    for (const [overrides, rule] of rules) assert.equal(fault(...overrides), rule);
  });

  it('is not taken for one of another stage, nor another one for it', () => {
    assert.throws(() => parse(`stage: sft\n${BASE}`), /must be of the stage reward; it is of sft\. Run it with fourfold sft/);
    for (const other of [parsePretrainConfig, parseSftConfig])
      assert.throws(() => other(`stage: reward\n${BASE}`, 'c.yaml'), /it is of reward\. Run it with fourfold reward/);
    assert.match(faults(`stage: rewards\n${BASE}`)[0], /stage: must be one of reward; received "rewards"/);
  });
});
