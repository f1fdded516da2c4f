import assert from 'node:assert/strict';
import { parsePretrainConfig, parseSftConfig, resolvedSftYaml, resolveSftConfig } from '../../configs/load.js';
import { faultsOf } from './faults.js';

const BASE = 'init_from: runs/base\ndata: { path: a.arrow }\n';
const parse = (text: string, ...overrides: string[]) => parseSftConfig(text, 'c.yaml', overrides);
const faults = (text: string, ...overrides: string[]) => faultsOf(() => parse(text, ...overrides));

describe('a configuration of supervised fine-tuning', () => {
  it('fills in what is not given', () => {
    const config = parse(BASE);
    const { data, epochs, max_steps, learning_rate, warmup_ratio, min_lr_ratio, adam_beta2 } = config;
    assert.deepEqual(data, {
      path: ['a.arrow'],
      eval_fraction: 0.1,
      train_on: 'assistant',
      overlong: 'truncate_turns',
      allow_special: false,
      replay: undefined,
    });
    assert.deepEqual([epochs, max_steps, learning_rate, warmup_ratio, min_lr_ratio, adam_beta2], [3, undefined, 3e-4, 0.03, 0, 0.999]);
  });

  it('takes one path or several, and a fraction for replayed text', () => {
    assert.deepEqual(parse(BASE, 'data.path=[a.arrow, b.json]').data.path, ['a.arrow', 'b.json']);
    assert.deepEqual(parse(BASE, 'data.replay.path=tokens').data.replay, { path: 'tokens', fraction: 0.1 });
    assert.match(faults(BASE, 'data.path=3')[0], /data.path: must be a path or a list of paths; received 3/);
  });

  it('can be read again as it was resolved', () => {
    for (const more of [{}, { max_steps: 5 }, { lr_scheduler_type: 'constant' as const, freeze: ['*norm*'] }, { template: 'alpaca' }]) {
      const config = resolveSftConfig({ init_from: 'runs/base', data: { path: 'a.arrow', replay: { path: 't' } }, ...more });
      assert.deepEqual(parse(resolvedSftYaml(config)), config);
    }
  });

  it('says everything that is wrong at once, each with its place', () => {
    assert.deepEqual(
      faults(
        'data: { path: a.arrow, eval_fraction: 0, replay: { fraction: 0.2 }, train_in: all }\nmax_steps: 5\nepochs: 2\nearly_stopping_patience: 3\nlabel_smoothing: 0.1\n',
      ).map((line) => line.slice(0, line.indexOf(';'))),
      [
        'c.yaml:1:1: init_from: is required',
        'c.yaml:1:62: data.replay.fraction: is for data.replay.path, which names no text',
        'c.yaml:1:69: data.train_in: there is no such key',
        'c.yaml:3:9: epochs: only one of max_steps and epochs may say how long to train',
        'c.yaml:4:26: early_stopping_patience: needs held-out conversations, and data.eval_fraction is 0',
        'c.yaml:5:1: label_smoothing: there is no such key',
      ],
    );
  });

  it('knows the names that other tools have for its keys', () => {
    const meant = (key: string, value: unknown = 1) => /did you mean ([\w.]+)\?/.exec(faults(`${BASE}${key}: ${value}\n`)[0])?.[1];
    assert.deepEqual(
      ['label_smoothing', 'num_train_epochs', 'max_seq_length', 'per_device_train_batch_size', 'neftune_alpha', 'model_name_or_path'].map(
        (key) => meant(key),
      ),
      ['label_smoothing_factor', 'epochs', 'context_length', 'batch_size', 'neftune_noise_alpha', 'init_from'],
    );
  });

  it('is not taken for one of pretraining, nor the other way round', () => {
    assert.throws(
      () => parsePretrainConfig(`stage: sft\n${BASE}`, 'c.yaml'),
      /must be of the stage pretrain; it is of sft\. Run it with fourfold sft/,
    );
    assert.throws(() => parse(`stage: pretrain\n${BASE}`), /must be of the stage sft; it is of pretrain/);
    assert.match(faults(`stage: sftt\n${BASE}`)[0], /stage: must be one of sft; received "sftt"/);
  });
});
