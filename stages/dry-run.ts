import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { DeviceDescription } from '../backends/device.js';
import { readCheckpointFiles, resolveCheckpoint } from '../checkpoints/load.js';
import { resolvedPpoYaml, resolvedRewardYaml, resolvedSftYaml, resolvedYaml } from '../configs/load.js';
import type { PpoConfig } from '../configs/ppo-schema.js';
import type { RewardConfig } from '../configs/reward-schema.js';
import { modelConfig, type PretrainConfig } from '../configs/schema.js';
import type { SftConfig } from '../configs/sft-schema.js';
import { type HostBatch, type Loader, openLoader } from '../datasets/loader.js';
import type { RankedTokens } from '../datasets/prepare-preferences.js';
import { prepareTraining } from '../datasets/training.js';
import { trainingConversations } from '../datasets/training-conversations.js';
import { openReward } from '../evaluation/reward-function.js';
import { judges, type Lesson, rollOut } from '../evaluation/rollout.js';
import { type ModelConfig, parameterCount } from '../model/config.js';
import { initialParameters } from '../model/parameters.js';
import type { Tokenizer } from '../tokenizer/index.js';
import { tokenPieces } from '../tokenizer/pieces.js';
import { takeDevice } from '../training/device.js';
import { duration } from '../training/progress.js';
import { rankedBatches } from '../training/ranked-batches.js';
import { rewardStepper } from '../training/reward-step.js';
import { disposeState, type TrainState, trainState } from '../training/state.js';
import { type StepOptions, stepOptions, stepper } from '../training/step.js';
import { MASK_SIGN, tokenStripes } from '../util/terminal.js';
import {
  answered,
  criticBase,
  describeCritic,
  loadPpoBase,
  newCritic,
  openStepper,
  optimise,
  ppoPrompts,
  ppoStepOptions,
  ppoSteps,
  promptAt,
} from './ppo.js';
import { loaderOptions, stepsOf } from './pretrain.js';
import { newRewardModel, rankings, rewardStepOptions, rewardSteps } from './reward.js';
import { baseParameters, loadBase, openSftLoader, sftStepOptions, sftSteps } from './sft.js';
import { sourceTable } from './source-table.js';

const MEASURED_STEPS = 3;

/**
 * What a pretraining run would be: the resolved configuration, the model's size, and, from a few real steps on this machine that are thrown away, its speed,
 * time and memory; then one row of the first batch with its mask. Writes nothing that stays.
 */
export async function dryRun(config: PretrainConfig): Promise<string> {
  return rehearse(config, async (directory, say) => {
    const { tokenizer, tokens } = await prepareTraining(config, path.join(directory, 'tokens'), { reuse: false, say });
    const loader = await openLoader(loaderOptions(config, tokens));
    const base = config.init_from === undefined ? undefined : (await readCheckpointFiles(await resolveCheckpoint(config.init_from))).config;
    const model = modelConfig(config, tokenizer.vocabSize, base);
    return {
      yaml: resolvedYaml(config),
      loader,
      state: trainState(model, initialParameters(model, config.seed)),
      options: stepOptions(config),
      steps: stepsOf(config, loader),
      contextLength: config.context_length,
      data: `${number(loader.tokens)} tokens to train on`,
      example: (batch) => example(batch, tokenizer),
    };
  });
}

/** The same of supervised fine-tuning; its example is the first conversation of the first batch. */
export async function sftDryRun(config: SftConfig): Promise<string> {
  return rehearse(config, async (directory, say) => {
    const base = await loadBase(config);
    const data = await trainingConversations(config, path.join(directory, 'tokens'), { ...base, reuse: false, say });
    const loader = await openSftLoader(config, data, base.contextLength);
    const { rows, dropped, truncated, supervised, ignored } = data.dataset.conversations!;
    return {
      yaml: resolvedSftYaml(config),
      loader,
      state: trainState(base.config, await baseParameters(base)),
      options: sftStepOptions(config, base.config),
      steps: sftSteps(config, loader),
      contextLength: base.contextLength,
      data: `${number(rows)} conversations (${number(dropped)} too long, ${number(truncated)} cut); ${number(supervised)} tokens supervised, ${number(ignored)} ignored`,
      example: (batch) => conversation(batch, base.tokenizer),
    };
  });
}

interface Rehearsal {
  yaml: string;
  loader: Loader;
  state: TrainState;
  options: StepOptions;
  steps: number;
  contextLength: number;
  /** About the data, in words. */
  data: string;
  example(batch: HostBatch): string;
}

type Machine = Pick<PretrainConfig, 'device' | 'threads' | 'precision'>;
type Costs = Machine & Pick<PretrainConfig, 'batch_size' | 'gradient_accumulation_steps'>;

async function rehearse(config: Costs, prepare: (directory: string, say: (text: string) => void) => Promise<Rehearsal>): Promise<string> {
  return onMachine(config, async (device, temporary, warnings) => {
    const {
      yaml,
      loader,
      state,
      options,
      steps,
      contextLength: T,
      data,
      example,
    } = await prepare(temporary, (text) => warnings.push(text));
    const { batch_size: B, gradient_accumulation_steps: accumulated } = config;
    const step = stepper(state, B, T, options);
    const first = await loader.next();
    await step.step([first], 0);
    const start = performance.now();
    for (let i = 0; i < MEASURED_STEPS; i++) await step.step([await loader.next()], 0);
    const batchSeconds = (performance.now() - start) / 1000 / MEASURED_STEPS;
    const facts = {
      model: describeModel(state.config),
      device: describeDevice(device, config),
      data,
      run: `${number(steps)} steps of ${number(B * T * accumulated)} tokens`,
      speed: `about ${number(Math.round((B * T) / batchSeconds))} tokens/s (${MEASURED_STEPS} batches measured)`,
      time: `about ${duration(steps * accumulated * batchSeconds * 1000)}, evaluation and samples not counted`,
      memory: `about ${number(Math.round(process.resourceUsage().maxRSS / 1024))} MB`,
    };
    step.dispose();
    disposeState(state);
    await loader.close();
    const sources = loader.sources.length > 1 ? ['', sourceTable(config, loader, steps)] : [];
    return [...warnings, yaml, factTable(facts), ...sources, '', example(first)].join('\n');
  });
}

/** Takes the device in use that the configuration names, and gives `work` a folder that goes afterwards and a list for what a person should hear. */
async function onMachine(
  config: Machine,
  work: (device: DeviceDescription, temporary: string, warnings: string[]) => Promise<string>,
): Promise<string> {
  const warnings: string[] = [];
  const device = await takeDevice(config, (text) => warnings.push(text));
  const temporary = await fs.mkdtemp(path.join(os.tmpdir(), 'fourfold-'));
  try {
    return await work(device, temporary, warnings);
  } finally {
    await fs.rm(temporary, { recursive: true, force: true });
  }
}

const factTable = (facts: Record<string, string>) =>
  Object.entries(facts)
    .map(([name, value]) => `${`${name}:`.padEnd(8)} ${value}`)
    .join('\n');

/** The same of a reward model; its example is the first ranking. */
export async function rewardDryRun(config: RewardConfig): Promise<string> {
  return onMachine(config, async (device, temporary, warnings) => {
    const base = await loadBase(config);
    const data = await rankings(config, base, (text) => warnings.push(text), temporary);
    const { shape, groupsOf, train, heldOut } = data;
    const state = await newRewardModel(config, base);
    const step = rewardStepper(state, shape, rewardStepOptions(config, state.config));
    const steps = rewardSteps(config, train.length);
    const update = (number: number) => step.step(rankedBatches(groupsOf(number), shape, 0), 0);
    await update(0);
    const start = performance.now();
    let tokens = 0;
    for (let i = 1; i <= MEASURED_STEPS; i++) tokens += (await update(i % steps)).tokens;
    const stepSeconds = (performance.now() - start) / 1000 / MEASURED_STEPS;
    const pairs = groupsOf(0).reduce((sum, group) => sum + group.pairs.length, 0);
    const facts = {
      model: `${describeModel(state.config)}, ${config.head} head`,
      device: describeDevice(device, config),
      data: `${number(train.length)} prompts to train on, ${number(heldOut.length)} held out`,
      run: `${number(steps * config.ensemble)} steps of ${number(groupsOf(0).length)} prompts, in the first ${number(pairs)} pairs; batches of ${shape.B} × ${shape.T} tokens`,
      speed: `about ${number(Math.round(tokens / MEASURED_STEPS / stepSeconds))} tokens/s, ${number(Math.round(pairs / stepSeconds))} pairs/s (${MEASURED_STEPS} updates measured)`,
      time: `about ${duration(steps * config.ensemble * stepSeconds * 1000)}, evaluation not counted`,
      memory: `about ${number(Math.round(process.resourceUsage().maxRSS / 1024))} MB`,
    };
    step.dispose();
    disposeState(state);
    return [...warnings, resolvedRewardYaml(config), factTable(facts), '', ranking(train[0], base.tokenizer)].join('\n');
  });
}

/** The same of PPO: the second of two updates whose learning rates are 0 is measured; its example is the first answer. */
export async function ppoDryRun(config: PpoConfig): Promise<string> {
  return onMachine(config, async (device, _, warnings) => {
    const base = await loadPpoBase(config);
    const { train, evaluation, shape } = await ppoPrompts(config, base, (text) => warnings.push(text));
    const reward = await openReward(config.reward, { tokenizer: base.tokenizer.hash(), longest: shape.T });
    const policy = trainState(base.config, await baseParameters(base));
    const critic = await newCritic(config, criticBase(config, base, reward));
    const step = openStepper(policy, critic, { ...ppoStepOptions(config, base), ptx: undefined });
    const panel = judges(policy, policy, critic, shape, config.temperature);
    const { temperature, max_new_tokens: maxTokens, seed } = config;
    /** One update: what was drawn and its scores, and the seconds of drawing and scoring, and of all. */
    const measure = async (update: number) => {
      const start = performance.now();
      const seconds = () => (performance.now() - start) / 1000;
      const numbers = Array.from({ length: config.batch_size }, (_, i) => update * config.batch_size + i);
      const prompts = numbers.map((number) => promptAt(config, train, number));
      const drawn = await rollOut(policy, prompts, base, { temperature, maxTokens, seed, numbers });
      const scores = await reward.score(drawn.map(answered));
      const episodes = await panel.judge(drawn);
      const rollout = seconds();
      const lessons = episodes.map((episode): Lesson => {
        const { logProbs, values } = episode;
        return { episode, oldLogProbs: logProbs, oldValues: values, advantages: values, returns: values };
      });
      await optimise(config, step, lessons, shape, { policy: 0, critic: 0 }, update);
      return { episode: episodes[0], score: scores[0], rollout, update: seconds() };
    };
    const { episode, score } = await measure(0);
    const { rollout, update } = await measure(1); // the first one also records the passes
    const steps = ppoSteps(config, train.length);
    const facts = {
      model: `${describeModel(policy.config)}; ${describeCritic(config, critic.config)}`,
      device: describeDevice(device, config),
      data: `${number(train.length)} prompts, ${number(evaluation.length)} to evaluate on`,
      run: `${number(steps)} updates of ${number(config.batch_size)} answers; batches of up to ${shape.B} × ${shape.T} tokens`,
      speed: `about ${(config.batch_size / update).toFixed(1)} answers/s, ${((100 * rollout) / update).toFixed(0)} % of the time for drawing and scoring them (one update measured)`,
      time: `about ${duration(steps * update * 1000)}, evaluation not counted`,
      memory: `about ${number(Math.round(process.resourceUsage().maxRSS / 1024))} MB`,
    };
    for (const one of [step, panel, reward]) one.dispose();
    for (const state of [policy, critic]) disposeState(state);
    const { of, text, response, ended } = episode;
    const example = [
      `the first prompt: ${of.prompt.at(-1)!.content}`,
      `an answer of ${response.length} tokens${ended ? '' : ', cut'}, score ${score.toFixed(3)}: ${text}`,
    ];
    return [...warnings, resolvedPpoYaml(config), factTable(facts), '', ...example].join('\n');
  });
}

/** A prompt's answers, token by token, the best first; what is scored is the last token of each. */
function ranking({ ids, ranks, responseTokens }: RankedTokens, tokenizer: Tokenizer): string {
  const order = ranks.map((_, i) => i).sort((a, b) => ranks[a] - ranks[b]);
  const lines = order.map((i) => {
    const pieces = tokenPieces(tokenizer, ids[i]).map((piece, t) => ({ ...piece, faint: t < ids[i].length - responseTokens[i] }));
    return `rank ${ranks[i]}, ${responseTokens[i]} of ${ids[i].length} tokens are the answer, marked ${MASK_SIGN}; the last one is scored:\n${tokenStripes(pieces)}`;
  });
  return lines.join('\n');
}

function describeModel(model: ModelConfig): string {
  return `${model.architecture}, ${number(parameterCount(model))} parameters, vocabulary ${number(model.vocab_size)}`;
}

function describeDevice({ device, isa, threads }: DeviceDescription, { precision }: Machine): string {
  return `${device}${isa ? ` (${isa})` : ''}, ${threads} threads, ${precision}`;
}

function number(n: number): string {
  return n.toLocaleString('en-US');
}

/** The first row as text, and its tokens one by one: what is to be predicted after each. */
function example({ ids, targets, contextLength }: HostBatch, tokenizer: Tokenizer): string {
  const row = Array.from(ids.subarray(0, contextLength));
  const wanted = targets.subarray(0, contextLength);
  const supervised = wanted.reduce((n, target) => n + (target >= 0 ? 1 : 0), 0);
  const shown = row.slice(0, 12).map((id, i) => {
    const target = wanted[i] < 0 ? 'ignored' : JSON.stringify(tokenizer.decode([wanted[i]]));
    return `  ${JSON.stringify(tokenizer.decode([id]))} → ${target}`;
  });
  return [
    `first row, ${supervised} of ${contextLength} tokens supervised:`,
    JSON.stringify(tokenizer.decode(row)),
    'token → what the model is to predict after it:',
    ...shown,
    ...(row.length > shown.length ? [`  … and ${row.length - shown.length} more`] : []),
  ].join('\n');
}

/** The first conversation of the first row, token by token as `data inspect --tokens` shows it. */
function conversation({ ids, segments, targets, contextLength }: HostBatch, tokenizer: Tokenizer): string {
  const end = segments.subarray(0, contextLength).findIndex((segment) => segment !== segments[0]);
  const length = end < 0 ? contextLength : end;
  const predicted = Array.from({ length }, (_, i) => i > 0 && targets[i - 1] >= 0); // the target of a token is the next one
  const pieces = tokenPieces(tokenizer, ids.subarray(0, length)).map((piece, i) => ({ ...piece, faint: !predicted[i] }));
  const count = predicted.filter(Boolean).length;
  return `first conversation, ${count} of ${length} tokens to be predicted, marked ${MASK_SIGN}:\n${tokenStripes(pieces)}`;
}
