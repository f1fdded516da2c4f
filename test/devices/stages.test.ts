import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import { type Device, nativeMissing, useDevice } from '../../backends/device.js';
import { resolvePpoConfig, resolvePretrainConfig, resolveRewardConfig, resolveSftConfig } from '../../configs/load.js';
import { ArrowFile } from '../../datasets/arrow.js';
import { conversationsBatch, conversationsSchema, promptsBatch, promptsSchema } from '../../datasets/conversations.js';
import { evaluateText } from '../../evaluation/evaluate-text.js';
import { loadRewardModel, scoreResponses } from '../../evaluation/reward-model.js';
import { type Generated, generate } from '../../sampler/generate.js';
import { loadModel } from '../../sampler/model.js';
import { ppo } from '../../stages/ppo.js';
import { pretrain } from '../../stages/pretrain.js';
import { reward } from '../../stages/reward.js';
import { sft } from '../../stages/sft.js';
import { readChatTemplate } from '../../tokenizer/index.js';
import { user, writePreferences } from '../datasets/preference-rows.js';
import { temporaryFolder } from '../datasets/temporary.js';
import { never, quietly, stopAfter } from '../stages/running.js';
import { otherDevices } from './present.js';

const CITIES = ['Avon', 'Brill', 'Corby', 'Derry', 'Elgin', 'Foyle', 'Goole', 'Hayle', 'Irvine', 'Jura', 'Kelso', 'Leeds'];
const STAGES = ['pretrain', 'sft', 'reward', 'ppo'] as const;
type Stage = (typeof STAGES)[number];
/** FOURFOLD_STEPS=20 compares the first 20. */
const STEPS = Number(process.env.FOURFOLD_STEPS ?? 3);

/** How far from native's the losses of the first steps may be: rounding differs from the first step on, and each step builds on the last. */
const TOLERANCE: Record<Stage, number> = { pretrain: 1e-5, sft: 1e-5, reward: 1e-5, ppo: 1e-4 };

const questions = CITIES.flatMap((city) => [1, 2, 3, 4].map((house) => ({ city, text: `Where is house ${house} of ${city}?` })));

describe('the four stages on other devices', function () {
  this.timeout(600_000);
  const at = temporaryFolder();
  let others: Device[] = [];

  /** Runs a stage into the directory `name`, on from where that is when `resume`. */
  async function run(
    stage: Stage,
    device: Device,
    name: string,
    steps = STEPS,
    { resume, signal = never }: { resume?: string; signal?: AbortSignal } = {},
  ): Promise<void> {
    const common = {
      output_dir: at(name),
      device,
      threads: 2,
      logging_steps: 1,
      eval_steps: 1000,
      sample_steps: 0,
      learning_rate: 2e-3,
      max_steps: steps,
    };
    const directory = { directory: at(name), resume };
    if (stage === 'pretrain') {
      const data = { path: at('text.txt'), document: 'blank_line' as const, packing: 'segments' as const, eval_fraction: 0.2 };
      await pretrain(
        resolvePretrainConfig({ ...common, init_from: at('base/final'), data, context_length: 64, batch_size: 4, save_steps: 100 }),
        directory,
        signal,
      );
    } else if (stage === 'sft') {
      const data = { path: at('chats.arrow'), eval_fraction: 0.2 };
      await sft(
        resolveSftConfig({ ...common, init_from: at('base/final'), data, context_length: 64, batch_size: 2, save_steps: 100 }),
        directory,
        signal,
      );
    } else if (stage === 'reward') {
      const { sample_steps: _, ...rest } = common;
      const data = { path: at('rankings.arrow'), eval_fraction: 0.2 };
      await reward(
        resolveRewardConfig({ ...rest, init_from: at('base/final'), data, batch_size: 5, micro_batch_tokens: 256, save_steps: 100 }),
        directory,
        signal,
      );
    } else {
      const { sample_steps: _, ...rest } = common;
      await ppo(
        resolvePpoConfig({
          ...rest,
          init_from: at('base/final'),
          data: { path: at('prompts.arrow'), eval_fraction: 0.2, eval_prompts: 4 },
          reward: { function: at('letters.mjs') },
          ...{ batch_size: 8, num_ppo_epochs: 1, num_mini_batches: 1, critic_warmup_steps: 2, max_new_tokens: 8, save_steps: 100 },
        }),
        directory,
        signal,
      );
    }
  }

  async function losses(name: string, stage: Stage): Promise<number[]> {
    const lines = (await fs.readFile(at(`${name}/metrics.jsonl`), 'utf8')).trim().split('\n');
    const key = stage === 'ppo' ? 'loss/value_avg' : 'loss';
    return lines.map((line) => (JSON.parse(line) as Record<string, number>)[key]).filter((loss) => loss !== undefined);
  }

  before(async function () {
    if (nativeMissing()) return this.skip();
    others = await otherDevices();
    await fs.writeFile(at('text.txt'), questions.map(({ text, city }) => `${text} It is in ${city}.`).join('\n\n'));
    await fs.writeFile(
      at('letters.mjs'),
      'export default (answers) => answers.map(({ response }) => (response.match(/[a-z]/g) ?? []).length / Math.max(1, response.length));\n',
    );
    const chats = conversationsSchema(new Map());
    const chatTable = new ArrowFile(at('chats.arrow'), chats);
    await chatTable.write(
      conversationsBatch(
        chats,
        questions.map(({ text, city }) => ({
          messages: [user(text), { role: 'assistant' as const, content: `It is in ${city}.` }],
          source: 'a',
        })),
      ),
    );
    await chatTable.close();
    const prompts = promptsSchema(new Map());
    const promptTable = new ArrowFile(at('prompts.arrow'), prompts);
    await promptTable.write(promptsBatch(prompts, questions.map(({ text }) => ({ prompt: [user(text)], source: 'a' })))); // biome-ignore format: short
    await promptTable.close();
    await writePreferences(
      at('rankings.arrow'),
      questions.map(({ text, city }) => ({
        prompt: [user(text)],
        responses: ['No.', `In ${city}, please.`, `In ${city}.`],
        ranks: [2, 0, 1],
        source: 'a',
      })),
    );
    const config = resolvePretrainConfig({
      model: { hidden_size: 32, num_hidden_layers: 2, num_attention_heads: 4, num_key_value_heads: 2, max_position_embeddings: 64 },
      tokenizer: { kind: 'bpe', vocab_size: 320 },
      data: { path: at('text.txt'), document: 'blank_line', packing: 'segments', eval_fraction: 0.2 },
      ...{ output_dir: at('base'), device: 'native', threads: 2, context_length: 64, batch_size: 4, max_steps: 60, learning_rate: 3e-3 },
      ...{ sample_steps: 0, eval_steps: 1000 },
    });
    await quietly(() => pretrain(config, { directory: config.output_dir }, never));
    for (const stage of STAGES) await quietly(() => run(stage, 'native', `native-${stage}`));
  });

  for (const stage of STAGES) {
    it(`${stage}: the losses of the first ${STEPS} steps are native's`, async () => {
      const expected = await losses(`native-${stage}`, stage);
      assert.equal(expected.length, STEPS);
      for (const device of others) {
        const started = performance.now();
        await quietly(() => run(stage, device, `${device}-${stage}`));
        const found = await losses(`${device}-${stage}`, stage);
        const worst = Math.max(...expected.map((loss, i) => Math.abs(found[i] - loss) / Math.max(1e-3, Math.abs(loss))));
        console.log(`      ${device}: off by ${worst.toExponential(1)} at most, ${((performance.now() - started) / 1000).toFixed(1)} s`);
        assert.ok(found.length === STEPS && worst < TOLERANCE[stage], `${device}: ${found} instead of ${expected}`);
      }
    });
  }

  it('gives one checkpoint of each kind the same figures: loss on text, greedy answers, scores', async () => {
    const texts = questions.slice(0, 12).map(({ text }) => text);
    const figuresOn = async (device: Device) => {
      await useDevice(device, { threads: 2 });
      const base = await loadModel(at('native-pretrain'));
      const { all } = await evaluateText(base, at('native-pretrain/tokens'), { evalFraction: 0.2, packing: 'segments' });
      base.dispose();
      const answers: Generated[] = [];
      for (const stage of ['sft', 'ppo']) {
        const model = await loadModel(at(`native-${stage}`));
        const template = await readChatTemplate(model.directory, model.tokenizer);
        const ids = texts.map((content) => template.encode([user(content)], { addGenerationPrompt: true }).ids);
        answers.push(await generate(model, ids, { sampling: { temperature: 0 }, maxTokens: 12, eos: template.stopIds, seed: 1 }));
        model.dispose();
      }
      const judge = await loadRewardModel(at('native-reward'));
      const scores: number[] = [];
      for (const text of texts)
        scores.push(...(await scoreResponses(judge, [user(text)], ['No.', 'In Avon, please.'])).map(({ score }) => score));
      judge.dispose();
      return { loss: all.loss, answers, scores };
    };
    const native = await figuresOn('native');
    const taken = native.answers.map(({ tokens }) => tokens.flat().length);
    assert.ok(Math.min(...taken) >= 2 * texts.length, `there is something to compare: ${taken} tokens`);
    for (const device of others) {
      const { loss, answers, scores } = await figuresOn(device);
      const off = Math.abs(loss - native.loss) / native.loss;
      const scoresOff = Math.max(...scores.map((score, i) => Math.abs(score - native.scores[i])));
      let ties = 0;
      answers.forEach(({ tokens, logProbs }, which) => {
        tokens.forEach((answer, i) => {
          const expected = native.answers[which];
          const at = answer.findIndex((token, t) => token !== expected.tokens[i][t]);
          if (at < 0 && answer.length === expected.tokens[i].length) return;
          // A tie: what was taken here is as probable as what native took.
          const gap = Math.abs(logProbs[i][at] - expected.logProbs[i][at]);
          assert.ok(gap < 1e-5, `${device}: answer ${i} differs from token ${at} on, by ${gap} in log-probability`);
          console.log(`      ${device}: a tie in answer ${i} at token ${at}: ${answer[at]} and ${expected.tokens[i][at]}`);
          ties++;
        });
      });
      console.log(
        `      ${device}: loss off by ${off.toExponential(1)}, scores by ${scoresOff.toExponential(1)}, ${ties} ties in ${2 * texts.length} answers`,
      );
      assert.ok(off < 1e-6 && scoresOff < 1e-5, `${device}: loss ${loss} instead of ${native.loss}, scores off by ${scoresOff}`);
    }
  });

  it('goes on from a checkpoint of any device on any other', async () => {
    const devices: Device[] = ['native', ...others];
    const [half, whole] = [3, 6];
    await quietly(() => run('pretrain', 'native', 'uninterrupted', whole));
    const expected = await losses('uninterrupted', 'pretrain');
    for (const first of devices) {
      await quietly(() => run('pretrain', first, `from-${first}`, whole, { signal: stopAfter(half) }));
      for (const second of devices) {
        const name = `from-${first}-to-${second}`;
        await fs.cp(at(`from-${first}`), at(name), { recursive: true });
        await quietly(() => run('pretrain', second, name, whole, { resume: 'auto' }));
        const found = await losses(name, 'pretrain');
        const worst = Math.max(...expected.map((loss, i) => Math.abs(found[i] - loss) / loss));
        assert.ok(found.length === whole && worst < TOLERANCE.pretrain, `${first} → ${second}: ${found} instead of ${expected}`);
      }
    }
  });
});
