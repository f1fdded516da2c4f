import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import path from 'node:path';
import { parse, stringify } from 'yaml';
import {
  loadPpoConfig,
  loadPretrainConfig,
  loadRewardConfig,
  loadSftConfig,
  parsePpoConfig,
  parsePretrainConfig,
  parseRewardConfig,
  parseSftConfig,
  resolvedPpoYaml,
  resolvedRewardYaml,
  resolvedSftYaml,
  resolvedYaml,
} from '../../configs/load.js';
import { presetNames, presetPath } from '../../configs/presets.js';
import { mutateValue } from './mutate.js';
import type { OpenTarget } from './target.js';

/** Of syntax that the ready configurations do not use. */
const SYNTAX = `data: &data
  path: ''
  columns: {text: body}
  eval_fraction: 1e-1
model: {architecture: gpt2, hidden_size: 64, num_attention_heads: 2, <<: {dropout: .5}}
sample_prompts: ["a", 'b', |-
  c]
max_steps: !!int "10"
seed: 0x10
output_dir: >
  runs/x
`;

const REWARD = `stage: reward
init_from: runs/sft
data: {path: [data/a.arrow, data/b.jsonl], boundary: data/c.arrow, limit: 100, eval_fraction: .2}
loss: plackett_luce
ensemble: 2
`;

const PAIR = `stage: reward
init_from: runs/sft
data: {path: data/a.arrow}
head: pair
attention: bidirectional
ties: ignore
label_smoothing_factor: 0.1
early_stopping_patience: 3
freeze: ['*norm*']
`;

/** Reads a file, and what was made of it once more; both must be the same. */
const STAGES: Record<string, (file: string) => Promise<void>> = {
  pretrain: async (file) => {
    const config = await loadPretrainConfig(file);
    assert.deepEqual(parsePretrainConfig(resolvedYaml(config), 'again'), config);
  },
  sft: async (file) => {
    const config = await loadSftConfig(file);
    assert.deepEqual(parseSftConfig(resolvedSftYaml(config), 'again'), config);
  },
  ppo: async (file) => {
    const config = await loadPpoConfig(file);
    assert.deepEqual(parsePpoConfig(resolvedPpoYaml(config), 'again'), config);
  },
  reward: async (file) => {
    const config = await loadRewardConfig(file);
    assert.deepEqual(parseRewardConfig(resolvedRewardYaml(config), 'again'), config);
  },
};

const PPO = `stage: ppo
init_from: runs/sft
reward: {function: ./own.js}
critic: policy
data: {path: [data/a.arrow, data/b.arrow], eval_fraction: .2, eval_prompts: 9}
ptx: {path: data/tokens, coefficient: .1, batch_size: 3}
kl_target: 6
kl_horizon: 100
keep: best
kl_cap: 3
dual_clip: 3
`;

const stageOf = (yaml: string) => /^stage: (\w+)/m.exec(yaml)?.[1] ?? 'pretrain';

/** A configuration in YAML: read, and where it is good, written out and read again. */
export const configTarget: OpenTarget = async (folder) => {
  const file = path.join(folder, 'config.yaml');
  const ready = await Promise.all(presetNames().map((name) => fs.readFile(presetPath(name)!, 'utf8')));
  const seeds: string[] = [];
  for (const yaml of [...ready, REWARD, PAIR, PPO]) {
    const named = new Set<string>();
    seeds.push(
      yaml.replace(/(?<=: |\[|, )(data|runs|configs)\/[\w./-]+/g, (given) => {
        const there = path.join(folder, given.replaceAll('/', '-'));
        named.add(there);
        return there;
      }),
    );
    for (const there of named) await fs.writeFile(there, 'text');
  }
  const resolved = seeds.filter((yaml) => stageOf(yaml) === 'pretrain').map((yaml) => resolvedYaml(parsePretrainConfig(yaml, 'seed')));
  return {
    seeds: [...seeds, ...resolved, SYNTAX].map((yaml) => Buffer.from(yaml)),
    mutate(random, seed) {
      try {
        return Buffer.from(stringify(mutateValue(random, parse(Buffer.from(seed).toString('utf8')))));
      } catch {
        return seed; // too deep to be written
      }
    },
    async run(input) {
      await fs.writeFile(file, input);
      const stage = stageOf(Buffer.from(input).toString('utf8'));
      await STAGES[Object.hasOwn(STAGES, stage) ? stage : 'pretrain'](file);
    },
  };
};
