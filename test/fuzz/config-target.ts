import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import path from 'node:path';
import { parse, stringify } from 'yaml';
import { loadPretrainConfig, parsePretrainConfig, resolvedYaml } from '../../configs/load.js';
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

/** A configuration in YAML: read, and where it is good, written out and read again. */
export const configTarget: OpenTarget = async (folder) => {
  const file = path.join(folder, 'config.yaml');
  const all = await Promise.all(presetNames().map((name) => fs.readFile(presetPath(name)!)));
  const ready = all.filter((yaml) => !yaml.includes('stage: sft')); // of pretraining
  const seeds = ready.map((yaml) => Buffer.from(yaml.toString('utf8').replace(/path: data\//g, `path: ${folder}/`)));
  for (const yaml of seeds) {
    const [, named] = /path: (.*)/.exec(yaml.toString('utf8'))!;
    await fs.writeFile(named, 'text');
  }
  return {
    seeds: [
      ...seeds,
      ...seeds.map((yaml) => Buffer.from(resolvedYaml(parsePretrainConfig(yaml.toString('utf8'), 'seed')))),
      Buffer.from(SYNTAX),
    ],
    mutate(random, seed) {
      try {
        return Buffer.from(stringify(mutateValue(random, parse(Buffer.from(seed).toString('utf8')))));
      } catch {
        return seed; // too deep to be written
      }
    },
    async run(input) {
      await fs.writeFile(file, input);
      const config = await loadPretrainConfig(file);
      assert.deepEqual(parsePretrainConfig(resolvedYaml(config), 'again'), config);
    },
  };
};
