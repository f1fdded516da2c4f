import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { stepOf } from '../../checkpoints/save.js';
import { resolvePpoConfig, resolveRewardConfig } from '../../configs/load.js';
import type { PpoInput } from '../../configs/ppo-schema.js';
import type { RewardInput } from '../../configs/reward-schema.js';
import { ArrowFile } from '../../datasets/arrow.js';
import { promptsBatch, promptsSchema } from '../../datasets/conversations.js';
import { ppo } from '../../stages/ppo.js';
import { reward } from '../../stages/reward.js';
import { trainTokenizer } from '../../tokenizer/index.js';
import { RandomStream } from '../../util/random.js';
import { pairOf, user, writePreferences } from '../datasets/preference-rows.js';
import { temporaryFolder } from '../datasets/temporary.js';
import { saveTinyModel, tinyConfig } from '../sampler/tiny-model.js';
import { never, quietly } from './running.js';

const QUESTIONS = Array.from({ length: 24 }, (_, i) => `Where is house ${i}?`);
const LETTERS = 'export default (answers) => answers.map(({ response }) => (response.match(/[a-z]/g) ?? []).length);\n';

describe('a run that is killed at random moments, time and again, ends with the bits of one that is left in peace', () => {
  const at = temporaryFolder();

  before(async () => {
    const tokenizer = trainTokenizer(QUESTIONS, { kind: 'bpe', vocabSize: 290 });
    await saveTinyModel(at('base'), tokenizer, { ...tinyConfig(tokenizer), max_position_embeddings: 64 });
    await writePreferences(at('pairs.arrow'), QUESTIONS.map((question) => pairOf(question, 'It is there.', 'no'))); // biome-ignore format: short
    const schema = promptsSchema(new Map());
    const prompts = new ArrowFile(at('prompts.arrow'), schema);
    await prompts.write(promptsBatch(schema, QUESTIONS.map((question) => ({ prompt: [user(question)], source: 'a' })))); // biome-ignore format: short
    await prompts.close();
    await fs.writeFile(at('letters.mjs'), LETTERS);
  });

  const start = async (stage: string, name: string, config: object): Promise<ChildProcess> => {
    await fs.writeFile(at(`${name}.json`), JSON.stringify({ ...config, stage, output_dir: at(name) }));
    const args = ['--import', 'tsx', 'cli/main.ts', stage, at(`${name}.json`), '--resume', 'auto'];
    return spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  };
  const ended = (child: ChildProcess) => new Promise<number | null>((resolve) => child.on('exit', resolve));
  const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

  /** Runs a configuration in processes that are killed by SIGKILL, each at a random moment after it has saved a checkpoint of its own, and a last one that is not. */
  const killed = async (stage: string, config: object, { checkpoints, rounds }: { checkpoints: string[]; rounds: number }) => {
    const [name, random] = [`${stage}-killed`, new RandomStream(7, 0)];
    const saved = () => checkpoints.flatMap((folder) => (existsSync(at(path.join(name, folder))) ? readdirSync(at(path.join(name, folder))).filter((one) => stepOf(one) !== undefined).map((one) => folder + one) : [])); // biome-ignore format: short
    for (let round = 0; round < rounds; round++) {
      const before = new Set(saved());
      const child = await start(stage, name, config);
      const exit = ended(child);
      while (saved().every((one) => before.has(one))) {
        assert.equal(child.exitCode, null, `it ended before it was killed in round ${round}`);
        await pause(5);
      }
      await pause(100 * random.uniform());
      child.kill('SIGKILL');
      assert.equal(await exit, null, `it ended before it was killed in round ${round}`);
    }
    assert.equal(await ended(await start(stage, name, config)), 0);
  };
  const hash = (...parts: string[]) =>
    createHash('sha256')
      .update(readFileSync(at(path.join(...parts))))
      .digest('hex');
  const same = (stage: string, file: string) => assert.equal(hash(`${stage}-killed`, file), hash(`${stage}-whole`, file), file);
  const patience = 240_000; // processes start slowly on a busy machine

  it('fourfold reward, of two members', async function () {
    this.timeout(patience);
    const config = {
      ...{ init_from: at('base'), data: { path: at('pairs.arrow'), eval_fraction: 0.2 }, ensemble: 2, dropout: 0.1 },
      ...{ batch_size: 4, max_steps: 24, learning_rate: 3e-3, eval_steps: 12, save_steps: 3, threads: 1 },
    };
    const whole = resolveRewardConfig({ ...config, output_dir: at('reward-whole') } as RewardInput);
    await quietly(() => reward(whole, { directory: whole.output_dir }, never));
    await killed('reward', config, { checkpoints: ['member-0/checkpoints/', 'member-1/checkpoints/'], rounds: 2 });
    for (const member of ['member-0', 'member-1']) {
      same('reward', `final/${member}/model.safetensors`);
      same('reward', `${member}/checkpoints/step-000024/optimizer.safetensors`);
    }
  });

  it('fourfold ppo, with updates that are taken back', async function () {
    this.timeout(patience);
    const config = {
      ...{ init_from: at('base'), data: { path: at('prompts.arrow'), eval_fraction: 0.2 }, reward: { function: at('letters.mjs') } },
      ...{ batch_size: 8, max_steps: 24, num_ppo_epochs: 2, critic_warmup_steps: 1, max_new_tokens: 8, missing_eos_penalty: 0 },
      ...{ learning_rate: 1e-2, kl_stop: 1, kl_stop_action: 'roll_back', eval_steps: 12, save_steps: 3, threads: 1 },
    };
    const whole = resolvePpoConfig({ ...config, output_dir: at('ppo-whole') } as PpoInput);
    const { metrics } = await quietly(() => ppo(whole, { directory: whole.output_dir }, never));
    assert.ok(metrics['roll_backs'] > 0);
    await killed('ppo', config, { checkpoints: ['checkpoints/'], rounds: 2 });
    same('ppo', 'final/model.safetensors');
    for (const file of ['optimizer.safetensors', 'trainer_state.json']) same('ppo', `checkpoints/step-000024/${file}`);
  });
});
