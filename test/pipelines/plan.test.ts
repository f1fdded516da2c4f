import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pipelineKeys } from '../../configs/pipeline-keys.js';
import { KINDS } from '../../pipelines/kinds.js';
import { parsePlan, pipelineNames, pipelinePath } from '../../pipelines/plan.js';
import { finishedText, planText } from '../../pipelines/show.js';
import type { Plan } from '../../pipelines/step.js';
import { UserError } from '../../util/errors.js';
import { packageRoot } from '../../util/package-root.js';
import { rowsOf } from '../configs/key-table.js';

const WORLD = `
steps:
  world: {}
  tokenizer:
    config:
      paths: \${world.corpus}
      vocab_size: 300
  base:
    kind: pretrain
    config:
      data: { path: "\${world.corpus}" }
      tokenizer: { path: "\${tokenizer.tokenizer}" }
      model: { hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2 }
      context_length: 64
      max_steps: 10
      warmup_steps: 2
`;

const step = (plan: Plan, name: string) => plan.steps.find((one) => one.name === name)!;

async function faults(text: string, overrides: string[] = []): Promise<string[]> {
  try {
    await parsePlan(text, 'p.yaml', overrides);
  } catch (error) {
    assert.ok(error instanceof UserError, (error as Error).stack);
    return error.message.split('\n').slice(1);
  }
  return [];
}

describe('a pipeline', () => {
  it('has its steps in order, references as paths, and the seed and threads of the whole', async () => {
    const plan = await parsePlan(`seed: 7\nthreads: 1${WORLD}`, 'p.yaml');
    assert.deepEqual(
      plan.steps.map(({ name, kind, directory }) => [name, kind.name, directory]),
      [
        ['world', 'world', path.join('runs/p', '1-world')],
        ['tokenizer', 'tokenizer', path.join('runs/p', '2-tokenizer')],
        ['base', 'pretrain', path.join('runs/p', '3-base')],
      ],
    );
    const config = step(plan, 'base').config as {
      data: { path: string };
      tokenizer: object;
      seed: number;
      threads: number;
      output_dir: string;
    };
    assert.deepEqual(config.data.path, path.join('runs/p', '1-world', 'world', 'corpus.arrow'));
    assert.deepEqual(config.tokenizer, { path: path.join('runs/p', '2-tokenizer', 'tokenizer.json') });
    assert.deepEqual([config.seed, config.threads, config.output_dir], [7, 1, path.join('runs/p', '3-base')]);
    assert.deepEqual(step(plan, 'base').outputs, { checkpoint: { type: 'language_model', path: path.join('runs/p', '3-base', 'final') } });
  });

  it('takes overrides of itself and of its steps', async () => {
    const plan = await parsePlan(WORLD, 'p.yaml', [
      'seed=3',
      'output_dir=elsewhere',
      'base.max_steps=20',
      'base.model.hidden_size=32',
      'world.seed=4',
    ]);
    const base = step(plan, 'base').config as {
      max_steps: number;
      seed: number;
      model: { hidden_size: number; num_hidden_layers: number };
    };
    assert.deepEqual([base.max_steps, base.seed, base.model.hidden_size, base.model.num_hidden_layers], [20, 3, 32, 1]);
    assert.equal((step(plan, 'world').config as { seed: number }).seed, 4);
    assert.equal(step(plan, 'base').directory, path.join('elsewhere', '3-base'));
  });

  it('lays config over a ready configuration', async () => {
    const plan = await parsePlan(
      `steps:\n  base:\n    kind: pretrain\n    config_file: world-base\n    config:\n      data: { path: package.json }\n      max_steps: 300\n`,
      'p.yaml',
    );
    const config = step(plan, 'base').config as { max_steps: number; context_length: number; data: { packing: string } };
    assert.deepEqual([config.max_steps, config.context_length, config.data.packing], [300, 192, 'segments']);
  });

  it('takes a key back to its default with null, of the file beneath, too', async () => {
    const text =
      'steps:\n  base:\n    kind: pretrain\n    config_file: world-base\n    config: { data: { path: package.json }, seed: 4 }\n';
    const plan = await parsePlan(text, 'p.yaml', ['base.adam_beta2=null', 'base.seed=null', 'base.model.num_key_value_heads=null']);
    const config = step(plan, 'base').config as { adam_beta2: number; seed: number };
    assert.deepEqual([config.adam_beta2, config.seed], [0.95, 1337]);
  });

  it('says everything that is wrong at once, each with its place', async () => {
    const text = `
sed: 1
steps:
  world:
    config: { size: 20 }
  base:
    kind: pretrian
  tokenizer:
    config:
      paths: \${wrld.corpus}
      vocabsize: 300
  tokens:
    kind: prepare
    config:
      corpora: \${world.corpse}
      tokenizer: \${world.conversations}
      output_dir: here
  sft:
    config_file: nowhere.yaml
  rank:
    config: [1]
  reward:
    config:
      init_from: \${ppo.checkpoint}
      data: { path: missing.arrow }
  ppo:
    kind: ppo
`;
    assert.deepEqual(await faults(text), ['p.yaml:2:1: sed: there is no such key; received 1; did you mean seed?']);
    const found = await faults(text.replace('sed: 1\n', 'seed: 1\n'));
    assert.deepEqual(found.slice(0, 11), [
      'p.yaml:5:21: world.size: must be a number from 0.1 to 10; received 20; leave it out for the default: 1',
      'p.yaml:7:11: base.kind: there is no such kind of step; received "pretrian"; did you mean pretrain?',
      'p.yaml:10:14: tokenizer.config.paths: must name a step that stands before it; received ${wrld.corpus}; did you mean world?',
      'p.yaml:11:7: tokenizer.vocabsize: there is no such key; received 300; did you mean vocab_size?',
      'p.yaml:15:16: tokens.config.corpora: world makes directory, corpus, conversations, preferences, prompts_rollout, prompts_eval, prompts_report; received ${world.corpse}; name one of those',
      'p.yaml:16:18: tokens.config.tokenizer: takes tokenizer or language_model or tokens; received ${world.conversations}, conversations; name another',
      'p.yaml:17:7: tokens.config.output_dir: a step writes to runs/p/4-tokens; received "here"; set the output_dir of the pipeline',
      found[7],
      'p.yaml:21:13: rank.config: must be a section of keys; received [1]; a file is named by config_file',
      'p.yaml:24:18: reward.config.init_from: must name a step that stands before it; received ${ppo.checkpoint}; those are world, base, tokenizer, tokens, sft, rank',
      'p.yaml:25:21: reward.data.path: there is no such file; received "missing.arrow"; correct the path, or make the table with `fourfold data import` or `data rank`',
    ]);
    assert.match(
      found[7],
      /^p\.yaml:19:18: sft\.config_file: there is no such file; received "nowhere\.yaml"; name a YAML file or a ready configuration: base, /,
    );
    assert.ok(
      found.some((line) => /^p\.yaml:26:3: ppo\.init_from: is required; received nothing/.test(line)),
      found.join('\n'),
    );
  });

  it('holds a model to the context that it was trained with', async () => {
    const text = `${WORLD}  sft:\n    config:\n      init_from: \${base.checkpoint}\n      context_length: 65\n      data: { path: "\${world.conversations}" }\n`;
    assert.deepEqual(await faults(text), [
      'p.yaml:20:23: sft.config.context_length: must be at most 64: the context of init_from; received 65; lower it, or train that model with a longer context_length',
    ]);
    const samples = `${WORLD}  samples:\n    kind: generate\n    config:\n      checkpoint: \${base.checkpoint}\n      data: \${world.prompts_eval}\n      max_tokens: 64\n`;
    assert.match(
      (await faults(samples))[0],
      /samples\.config\.max_tokens: must be at most 63: the context of checkpoint, less a prompt; received 64/,
    );
  });

  it('refuses a reward model with another tokenizer', async () => {
    const other = WORLD.slice(WORLD.indexOf('  tokenizer:')).replaceAll('  tokenizer:\n', '  tokenizer2:\n    kind: tokenizer\n').replace('  base:', '  base2:').replace('${tokenizer.', '${tokenizer2.'); // biome-ignore format: one text
    const chain = (base: string) => `
  reward:
    config:
      init_from: \${${base}.checkpoint}
      data: { path: "\${world.preferences}" }
  ppo:
    config:
      init_from: \${base.checkpoint}
      reward: { model: "\${reward.checkpoint}" }
      data: { path: "\${world.prompts_rollout}" }
      max_new_tokens: 16
`;
    assert.deepEqual(await faults(`${WORLD}${chain('base')}`), []);
    assert.deepEqual(await faults(`${WORLD}${other}${chain('base2')}`), [
      'p.yaml:39:24: ppo.config.reward.model: must have the tokenizer of init_from; received another (the one of tokenizer2; init_from has the one of tokenizer); make both with one tokenizer',
    ]);
  });

  it('compares a tokenizer on disk with prepared tokens', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'fourfold-plan-'));
    try {
      for (const name of ['a', 'b']) writeFileSync(path.join(folder, `${name}.json`), '{}');
      const { mkdirSync } = await import('node:fs');
      for (const [name, hash] of [
        ['x', 'aa'.repeat(32)],
        ['y', 'bb'.repeat(32)],
      ]) {
        mkdirSync(path.join(folder, name));
        writeFileSync(path.join(folder, name, 'dataset.json'), JSON.stringify({ tokenizer_sha256: hash }));
      }
      const text = (tokenizer: string) => `
steps:
  base:
    kind: pretrain
    config:
      data: { path: "${path.join(folder, 'x')}" }
      tokenizer: { path: "${path.join(folder, tokenizer)}" }
      model: { hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2 }
      context_length: 64
      max_steps: 10
      warmup_steps: 2
`;
      assert.deepEqual(
        (await faults(text('x'))).filter((line) => line.includes('tokenizer of')),
        [],
      );
      assert.match(
        (await faults(text('y'))).join('\n'),
        /base\.config\.data\.path: must have the tokenizer of tokenizer\.path; received another \(aaaaaaaaaaaa; tokenizer\.path has bbbbbbbbbbbb\)/,
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('is there, ready and correct, under the names that come with the package', async () => {
    assert.ok(pipelineNames().includes('tiny'));
    for (const name of pipelineNames()) {
      const file = pipelinePath(name)!;
      const found = (await faults(readFileSync(file, 'utf8'))).filter((line) => !line.includes('there is no such file')); // own-data names files of yours
      assert.deepEqual(found, [], name);
    }
  });
});

describe('docs/pipelines.md', () => {
  it('has the row of every key, and every kind with what it makes', () => {
    const text = readFileSync(path.join(packageRoot(), 'docs', 'pipelines.md'), 'utf8');
    const stages = ['pretrain', 'sft', 'reward', 'ppo', 'select', 'verdict']; // theirs stand elsewhere
    const kinds = Object.values(KINDS).filter(({ name }) => !stages.includes(name));
    const keys = [pipelineKeys, ...kinds.map((kind) => kind.keys)].flatMap(rowsOf);
    const makes = Object.values(KINDS).map((kind) => `| \`${kind.name}\` | ${Object.keys(kind.makes()).map((name) => `\`${name}\``).join(', ')} |`); // biome-ignore format: one row
    const rows = text.split('\n').filter((line) => /^\| `/.test(line));
    for (const row of [...keys, ...makes]) assert.ok(rows.includes(row), row);
    assert.equal(rows.length, keys.length + makes.length + pipelineNames().length);
    for (const name of pipelineNames())
      assert.ok(
        rows.some((row) => row.startsWith(`| \`${name}\` |`)),
        name,
      );
  });
});

describe('the steps of a pipeline, shown', () => {
  it('say from where they take and what they make, and afterwards only of what there is how to talk to it', async () => {
    const plan = await parsePlan(WORLD, 'p.yaml', [`output_dir=${path.join(tmpdir(), 'nowhere')}`]);
    const shown = planText(plan);
    assert.match(shown, /2 +tokenizer +tokenizer +world +tokenizer\n3 +base +pretrain +world, tokenizer +checkpoint/);
    assert.match(shown, /vocab_size: 300/);
    const text = finishedText(plan, { html: 'r.html', markdown: 'r.md', verdict: 'All is well.' }, 'fourfold');
    assert.equal(text, 'All is well.\nThe report: r.html');
  });
});
