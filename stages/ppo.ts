import path from 'node:path';
import type { DeviceDescription } from '../backends/device.js';
import { loadCheckpoint, loadOptimizer } from '../checkpoints/load.js';
import { pruneCheckpoints } from '../checkpoints/save.js';
import { resolvedPpoYaml } from '../configs/load.js';
import type { PpoConfig } from '../configs/ppo-schema.js';
import type { Loader } from '../datasets/loader.js';
import { permutation } from '../datasets/permutation.js';
import { type PromptTokens, preparePrompts } from '../datasets/prepare-prompts.js';
import { openGold } from '../datasets/world/gold.js';
import { collapse, evaluationMetrics, rolloutMetrics, stepMetrics, warn } from '../evaluation/ppo-metrics.js';
import { openText } from '../evaluation/ptx-text.js';
import { type Answered, openReward, type RewardFunction } from '../evaluation/reward-function.js';
import { type Episode, type Judged, judges, type Lesson, ppoBatches, rollOut } from '../evaluation/rollout.js';
import { type ModelConfig, parameterCount, SCORE } from '../model/config.js';
import { parametersFrom } from '../model/parameters.js';
import { criticFrom, headFrom, headState, restoreStates, storedCritic } from '../training/critic-state.js';
import { onDevice } from '../training/device.js';
import { lossScaleMetrics } from '../training/loss-scale.js';
import {
  adaptedBeta,
  explainedVariance,
  generalisedAdvantages,
  klEstimates,
  shapedScore,
  tokenRewards,
  whitened,
} from '../training/ppo.js';
import { sharedPpoStepper } from '../training/ppo-shared-step.js';
import { type PpoStepOptions, type PpoStepper, type PpoStepResult, ppoStepper } from '../training/ppo-step.js';
import { Progress } from '../training/progress.js';
import { openRunDirectory, type RunDirectory, type StageResult } from '../training/run-directory.js';
import { saveModel } from '../training/save-model.js';
import { learningRate } from '../training/schedule.js';
import { Speed } from '../training/speed.js';
import { restoreParameters, resumedState, startDevice, type TrainerState } from '../training/start.js';
import { disposeState, type TrainState, trainState } from '../training/state.js';
import { updaterOptions } from '../training/update.js';
import { UserError } from '../util/errors.js';
import { evenly } from '../util/evenly.js';
import { exists } from '../util/files.js';
import { type Base, baseParameters, loadBase } from './sft.js';

/** All that resuming needs, beside the tensors: prompts, draws and minibatches are functions of the update. */
interface PpoState extends TrainerState {
  stage: 'ppo';
  beta: number;
  /** Steps that the optimizers have made. */
  policySteps: number;
  criticSteps: number;
  /** The divergence has passed `kl_stop`, for good. */
  stopped: boolean;
  /** The newest checkpoint whose own answers were within `kl_stop`. */
  within: number;
  rollBacks: number;
  /** The last update was a roll back: this one learns, whatever its answers. */
  rolledBack: boolean;
}

/**
 * Proximal policy optimisation from a reward: a fine-tuned model answers prompts, and learns from what its answers are worth, held near to what it was
 * by the divergence from it.
 * Writes `run.directory` as docs/architecture.md describes it. An aborted `signal` ends the run after the update under way, saved.
 * Sources: Ziegler et al. 2019; Stiennon et al. 2020; Ouyang et al. 2022; Schulman et al. 2016, 2017; Huang et al. 2024, "The N implementation
 * details of RLHF with PPO".
 * @throws UserError for checkpoints, prompts or a reward that cannot be used, for a directory that holds another run, and for a loss or gradient that is not
 * finite.
 */
export async function ppo(config: PpoConfig, run: { directory: string; resume?: string }, signal: AbortSignal): Promise<StageResult> {
  const directory = await openRunDirectory(run.directory, { resume: run.resume });
  const say = (text: string) => console.error(text);
  try {
    // 1. The device, the same as before when the run goes on.
    const device = await startDevice(config, directory, say);
    await directory.writeConfig(resolvedPpoYaml(config));

    // 2. Policy and reference: the fine-tuned model, the one to learn, the other to stay.
    const base = await loadPpoBase(config);
    const reference = { config: base.config, parameters: await baseParameters(base) };

    // 3. Prompts, what an answer is worth, and pretraining text where it is wanted.
    const prompts = await ppoPrompts(config, base, say);
    const reward = await openReward(config.reward, { tokenizer: base.tokenizer.hash(), longest: prompts.shape.T });
    const gold = config.reward.world === undefined || !reward.model ? undefined : await openGold(config.reward.world);
    const text = config.ptx && (await openText(config.ptx, { ...base, seed: config.seed, directory, say, signal }));

    // 4. Policy and critic as they begin, or where the run stopped.
    const { policy, critic, trainer } = await startingStates(config, base, reward, directory, text?.loader);
    const totalSteps = ppoSteps(config, prompts.train.length);
    const evalSteps = config.eval_steps ?? Math.max(1, Math.ceil(totalSteps / 10));
    const schedule = { ...config, warmup_steps: Math.floor(config.warmup_ratio * totalSteps) };
    const step = openStepper(policy, critic, ppoStepOptions(config, base));
    const panel = judges(policy, reference, critic, prompts.shape, config.temperature);
    const textLoss = text?.measure(policy);
    const { temperature, max_new_tokens: maxTokens, seed } = config;
    const answer = (asked: readonly PromptTokens[], numbers: readonly number[]) =>
      rollOut(policy, asked, base, { temperature, maxTokens, seed, numbers });
    say(describeRun(policy.config, critic.config, config, prompts, totalSteps, device));

    const progress = new Progress(totalSteps);
    progress.start(trainer.step);
    const metrics: Record<string, number> = {};
    const speed = new Speed(trainer.tokens);
    const warned = new Set<string>(); // a collapse is said once
    let saved = directory.resumeFrom?.step ?? -1;
    const rollsBack = config.kl_stop_action === 'roll_back';
    const isSaved = (update: number) => update % config.save_steps === 0 || (rollsBack && update === config.critic_warmup_steps);
    const save = async (target: string, resumable: boolean) =>
      saveModel(target, {
        ...{ state: { ...policy, step: trainer.step }, trainer, tokenizer: base.tokenizer, template: base.template.source },
        name: path.basename(config.output_dir),
        data: config.data.path.map((file) => path.basename(file)).join(', '),
        ...(resumable && { resumable, loader: text?.loader?.state(), more: await storedCritic(critic) }),
      });
    const saveStep = async () => {
      if (saved === trainer.step) return;
      await save(directory.checkpoint(trainer.step), true);
      saved = trainer.step;
      await pruneCheckpoints(
        directory.checkpoints,
        config.save_total_limit,
        trainer.metrics['best/step'],
        rollsBack ? trainer.within : undefined,
      );
    };
    const evaluate = async (): Promise<Record<string, number>> => {
      if (prompts.evaluation.length === 0) return {};
      const episodes = await panel.compare(await answer(prompts.evaluation, prompts.evaluation.map((_, i) => -1 - i))); // biome-ignore format: short
      const answers = episodes.map(answered);
      const scores = await reward.score(answers);
      const held = { ...evaluationMetrics(episodes, scores) };
      if (gold) held['eval/gold'] = mean(answers.map(({ prompt, response, ended }) => gold(prompt, response, ended).total));
      if (reward.outside) held['eval/outside'] = await reward.outside(answers);
      if (textLoss) Object.assign(held, await textLoss.metrics());
      for (const i of evenly([...episodes.keys()], SAMPLES)) {
        const { of, text, ended } = episodes[i];
        directory.samples.write({ step: trainer.step, prompt: of.prompt.at(-1)!.content, text, score: scores[i], ended });
      }
      Object.assign(trainer.metrics, held);
      progress.note(`update ${trainer.step}: ${describeEvaluation(held)}`);
      return held;
    };

    // 5. What the fine-tuned model is worth, to compare with.
    if (trainer.step === 0 && directory.resumeFrom === undefined && prompts.evaluation.length > 0) {
      const held = await speed.pause(evaluate);
      directory.metrics.write({ step: 0, ...held });
      for (const [name, value] of Object.entries(held)) trainer.metrics[`start/${name}`] = value;
    }

    if (rollsBack && !(await exists(directory.checkpoint(trainer.within)))) {
      trainer.within = trainer.step; // at the beginning, or where a run goes on without that checkpoint
      await save(directory.checkpoint(trainer.step), true);
    }

    // 6. Learn.
    const goesOn = () => trainer.step < totalSteps && !trainer.stopped;
    while (goesOn() && !signal.aborted) {
      // 6.1 Roll out: the policy answers the next prompts.
      const update = trainer.step;
      const numbers = Array.from({ length: config.batch_size }, (_, i) => update * config.batch_size + i);
      const clock = stopwatch();
      const drawn = await answer(numbers.map((number) => promptAt(config, prompts.train, number)), numbers); // biome-ignore format: short
      const rolledOut = clock();

      // 6.2 Judge each token by policy, reference and critic. Score the texts as their readers see them; one that was cut gets a low score.
      const episodes = await panel.judge(drawn);
      const shaping = { clip: config.score_clip, missingEosPenalty: config.missing_eos_penalty };
      const scores = (await reward.score(episodes.map(answered))).map((score, i) => shapedScore(score, episodes[i].ended, shaping));
      const scored = clock();

      // 6.3 Rewards of tokens: −β·KL at each, the score at the last.
      const oldLogProbs = episodes.map((episode) => samplersLogProbs(config, episode));
      const plain = episodes.map(({ refLogProbs }, i) => tokenRewards(scores[i], oldLogProbs[i], refLogProbs, trainer.beta));
      const rewards = config.whiten_rewards ? whitened(plain, { shiftMean: false }) : plain;

      // 6.4 Advantages and returns, the advantages whitened over all tokens of the rollout.
      const estimates = rewards.map((own, i) =>
        generalisedAdvantages(own, episodes[i].values, { gamma: config.gamma, lambda: config.lam }),
      );
      const advantages = whitened(estimates.map((estimate) => estimate.advantages));
      const lessons = episodes.map((episode, i): Lesson => {
        return {
          episode,
          oldLogProbs: oldLogProbs[i],
          oldValues: episode.values,
          advantages: advantages[i],
          returns: estimates[i].returns,
        };
      });

      // 6.5 Take back what has gone too far; or else optimise both by epochs × minibatches, the critic alone at first.
      const kl = mean(episodes.map(({ refLogProbs }, i) => klEstimates(oldLogProbs[i], refLogProbs).k1));
      const far = kl > (config.kl_stop ?? Number.POSITIVE_INFINITY);
      const back = far && rollsBack && !trainer.rolledBack;
      if (back) await restoreStates(policy, critic, directory.checkpoint(trainer.within));
      else if (rollsBack && !far && (isSaved(update) || update === trainer.metrics['best/step'])) trainer.within = update;
      const rate = learningRate(schedule, update, totalSteps);
      const criticRate = (rate * (config.critic_learning_rate ?? config.learning_rate)) / config.learning_rate;
      const rates = { policy: update < config.critic_warmup_steps ? undefined : rate, critic: criticRate };
      const steps = back ? [] : await optimise(config, step, lessons, prompts.shape, rates, update, text?.loader);
      const times = { 'time/rollout': rolledOut, 'time/scoring': scored, 'time/optimisation': clock() };

      // 6.6 Adapt β to the divergence of this rollout.
      const beta = trainer.beta;
      if (back) trainer.beta = 2 * beta || BETA;
      else if (config.kl_target !== undefined) {
        const adaptation = { target: config.kl_target, horizon: config.kl_horizon!, episodes: config.batch_size };
        trainer.beta = adaptedBeta(beta, kl, adaptation);
      }
      const tokens = episodes.reduce((sum, { response }) => sum + response.length, 0);
      Object.assign(trainer, { step: update + 1, tokens: trainer.tokens + tokens });
      Object.assign(trainer, {
        policySteps: policy.step,
        criticSteps: critic.step,
        rollBacks: trainer.rollBacks + (back ? 1 : 0),
        rolledBack: back,
      });
      trainer.stopped = rollsBack ? trainer.rollBacks > ROLL_BACKS : far;
      if (back || trainer.stopped) progress.note(`update ${trainer.step}: ${describeStop(trainer, kl, back)}`);

      // 6.7 Measure.
      const record: Record<string, number> = {};
      if (trainer.step % config.logging_steps === 0 || back || !goesOn()) {
        Object.assign(
          record,
          steps.length > 0 && stepMetrics(steps, rates.policy !== undefined),
          rolloutMetrics(episodes, oldLogProbs, scores, beta),
        );
        if (rollsBack) record['roll_backs'] = trainer.rollBacks;
        record['val/explained_variance'] = explainedVariance(lessons.map(({ returns }) => returns as Float64Array), episodes.map(({ values }) => values)); // biome-ignore format: short
        const measured = speed.measure(trainer.tokens);
        Object.assign(record, { lr: rate, episode: trainer.step * config.batch_size, tokens: trainer.tokens, ...measured, ...times });
        Object.assign(record, await lossScaleMetrics(policy));
        warn(config, record, (warning) => progress.note(`update ${trainer.step}: ${warning}`));
        if (!back)
          progress.update({
            ...{ step: trainer.step, loss: record['loss'], tokensPerSecond: measured.tokens_per_second },
            facts: [
              `score ${record['objective/scores'].toFixed(3)}`,
              `KL ${kl.toFixed(2)}`,
              `entropy ${record['policy/entropy_avg'].toFixed(2)}`,
            ],
          });
      }

      await speed.pause(async () => {
        // 6.8 Evaluate on prompts that stay the same; remember which model was the best of those near enough to the reference.
        let isBest = false;
        if (prompts.evaluation.length > 0 && (trainer.step % evalSteps === 0 || !goesOn())) {
          const held = await evaluate();
          Object.assign(record, held);
          for (const [key, warning] of collapse(held, trainer.metrics)) {
            if (!warned.has(key)) progress.note(`update ${trainer.step}: ${warning}`);
            warned.add(key);
          }
          const better = !(trainer.metrics['best/eval/score'] >= held['eval/score']);
          isBest = better && config.keep === 'best' && held['eval/kl'] <= config.kl_cap!;
          if (isBest)
            Object.assign(trainer.metrics, {
              'best/eval/score': held['eval/score'],
              'best/eval/kl': held['eval/kl'],
              'best/step': trainer.step,
            });
        }
        if (Object.keys(record).length > 0) directory.metrics.write({ step: trainer.step, ...record });
        Object.assign(metrics, record);

        // 6.9 Save.
        if (isSaved(trainer.step) || isBest || !goesOn()) await saveStep();
      });
      // Signals are handled between macrotasks only.
      await new Promise((resolve) => setImmediate(resolve));
    }
    progress.end();

    // 7. Leave: a run that was stopped is saved as it is; of a finished one the policy is `final`, with keep: best the best one.
    await saveStep();
    const finished = !goesOn();
    if (finished && config.keep === 'best') await takeBest(policy, trainer, directory, say);
    if (finished) await save(directory.final, false);
    const result: StageResult = {
      stage: 'ppo',
      checkpoint: finished ? directory.final : directory.checkpoint(trainer.step),
      steps: trainer.step,
      tokens: trainer.tokens,
      ...speed.total(trainer.tokens),
      peak_memory_bytes: process.resourceUsage().maxRSS * 1024,
      device,
      metrics: { ...metrics, ...trainer.metrics },
    };
    await directory.writeSummary(result);
    for (const one of [step, panel, reward, textLoss, ...reference.parameters.values()]) one?.dispose();
    disposeState(policy);
    disposeState(critic);
    await text?.close();
    return result;
  } finally {
    await directory.close();
  }
}

/** The fine-tuned model. @throws UserError as `loadBase`. */
export function loadPpoBase({ init_from }: PpoConfig): Promise<Base> {
  return loadBase({ init_from, context_length: undefined, dropout: undefined, template: undefined });
}

export interface PpoPrompts {
  train: PromptTokens[];
  /** To evaluate on, in the order in which they are always asked. */
  evaluation: PromptTokens[];
  /** Rows of a batch, at most, and their tokens: the longest prompt with the longest answer. */
  shape: { B: number; T: number };
}

/** @throws UserError where no prompt leaves room for an answer. */
export async function ppoPrompts(config: PpoConfig, { template, contextLength }: Base, say: (text: string) => void): Promise<PpoPrompts> {
  const { data, max_new_tokens: answer, micro_batch_tokens } = config;
  const longest = contextLength - answer;
  const { train, heldOut, dropped } = await preparePrompts(data.path, template, { longest, evalFraction: data.eval_fraction ?? 0 });
  const others = data.eval_path && (await preparePrompts(data.eval_path, template, { longest, evalFraction: 0 }));
  const left = dropped + (others?.dropped ?? 0);
  if (left > 0) say(`${left} prompts left out: longer than ${longest} tokens, the context of ${contextLength} less max_new_tokens`);
  if (train.length === 0) {
    throw new UserError(
      `PPO: there must be prompts of at most ${longest} tokens (the context of ${contextLength} less max_new_tokens) in ${data.path.join(', ')}; there are none${dropped > 0 ? ` among ${dropped}` : ''}. Lower max_new_tokens, or choose other prompts`,
    );
  }
  const known = others?.train ?? heldOut;
  const evaluation = evenly(known, data.eval_prompts);
  const T = answer + [...train, ...evaluation].reduce((most, { ids }) => Math.max(most, ids.length), 0);
  return { train, evaluation, shape: { B: Math.max(1, Math.round(micro_batch_tokens / T)), T } };
}

/** The prompt of an episode: passes over all prompts, each in an order of its own. */
export function promptAt({ seed }: PpoConfig, prompts: readonly PromptTokens[], episode: number): PromptTokens {
  const pass = Math.floor(episode / prompts.length);
  return prompts[permutation(prompts.length, seed, [PROMPT_STREAM, pass, 0])(episode % prompts.length)];
}

const PROMPT_STREAM = 0x50504f; // these separate the draws from others under the same seed
const MINIBATCH_STREAM = 0x4d494e;
const SAMPLES = 8;
/** So often a run is taken back; then it ends. */
const ROLL_BACKS = 5;
/** What β becomes when one of 0 is raised: the default of `kl_coef`. */
const BETA = 0.05;

/** Updates of the whole run. */
export function ppoSteps({ max_steps, epochs, batch_size }: PpoConfig, prompts: number): number {
  return max_steps ?? Math.max(1, Math.floor((epochs! * prompts) / batch_size));
}

/** With `valueCoefficient` the critic is a head on the policy. */
type StepperOptions = PpoStepOptions & { valueCoefficient?: number };

/** The step of two models, or of one that is both. */
export function openStepper(policy: TrainState, critic: TrainState, options: StepperOptions): PpoStepper {
  const { valueCoefficient } = options;
  if (valueCoefficient === undefined) return ppoStepper(policy, critic, options);
  return sharedPpoStepper(policy, critic, { ...options, valueCoefficient });
}

export function ppoStepOptions(config: PpoConfig, { contextLength }: Pick<Base, 'contextLength'>): StepperOptions {
  return {
    policy: updaterOptions(config),
    critic: updaterOptions(config),
    temperature: config.temperature,
    clip: config.cliprange,
    valueClip: config.cliprange_value,
    dualClip: config.dual_clip,
    entropy: config.entropy_coefficient,
    valueCoefficient: config.value_coefficient,
    ptx:
      config.ptx?.batch_size === undefined
        ? undefined
        : { B: config.ptx.batch_size, T: contextLength, coefficient: config.ptx.coefficient },
  };
}

/** Policy, critic and the trainer's state: where the run stopped, or as it begins. Moves the text to its place. */
async function startingStates(
  config: PpoConfig,
  base: Base,
  reward: RewardFunction,
  { resumeFrom, ...directory }: RunDirectory,
  text: Loader | undefined,
): Promise<{ policy: TrainState; critic: TrainState; trainer: PpoState }> {
  const tokenizer = base.tokenizer.hash();
  const from = criticBase(config, base, reward);
  const resumed = await resumedState<PpoState>({ resumeFrom, ...directory }, tokenizer);
  if (resumed) {
    const { state: policy, trainer } = resumed;
    policy.step = trainer.policySteps;
    if (text) await text.restore(trainer.loader!);
    const critic = (config.critic === 'shared' ? headFrom : criticFrom)(
      from.config,
      await loadOptimizer(resumeFrom!.path),
      trainer.criticSteps,
    );
    return { policy, critic, trainer };
  }
  const begun = {
    step: 0,
    tokens: 0,
    metrics: {},
    beta: config.kl_coef,
    policySteps: 0,
    criticSteps: 0,
    stopped: false,
    within: 0,
    rollBacks: 0,
    rolledBack: false,
  };
  return {
    policy: trainState(base.config, await baseParameters(base)),
    critic: await newCritic(config, from),
    trainer: { stage: 'ppo', tokenizer, ...begun },
  };
}

/** What the critic is made of; a head on the policy has the policy's configuration. */
export interface CriticBase {
  checkpoint: string;
  config: ModelConfig;
}

/** @throws UserError for a reward model that cannot judge a text token by token. */
export function criticBase({ critic, reward: source }: PpoConfig, base: Base, { model }: RewardFunction): CriticBase {
  if (critic === 'shared') return { checkpoint: base.checkpoint, config: base.config };
  if (critic === 'policy' || model === undefined) return { checkpoint: base.checkpoint, config: { ...base.config, head: 'scalar' } };
  const [{ config, directory }] = model.members;
  if (config.attention !== undefined) {
    throw new UserError(
      `critic: reward needs a reward model that reads from left to right; ${'model' in source ? source.model : directory} has attention: ${config.attention}, and would see the answer before it is given. Set critic: policy`,
    );
  }
  return { checkpoint: directory, config: { ...config, score_mean: undefined, score_std: undefined } };
}

/** The critic at the beginning: its head is zeros, so that its first values are 0. */
export async function newCritic({ critic }: PpoConfig, { checkpoint, config }: CriticBase): Promise<TrainState> {
  if (critic === 'shared') return headState(config, new Float32Array(config.hidden_size));
  const { weights } = await loadCheckpoint(checkpoint);
  weights.set(SCORE, new Float32Array(config.hidden_size));
  return trainState(config, parametersFrom(config, weights));
}

/** All steps of an update: passes over the episodes, shuffled anew in each. Ends early where the policy has gone far enough from the one that sampled. */
export async function optimise(
  config: PpoConfig,
  step: PpoStepper,
  lessons: readonly Lesson[],
  shape: { B: number; T: number },
  rates: { policy?: number; critic: number },
  update: number,
  text?: Loader,
): Promise<PpoStepResult[]> {
  const { num_ppo_epochs: epochs, num_mini_batches: parts, approx_kl_stop: limit = Number.POSITIVE_INFINITY, seed } = config;
  const size = lessons.length / parts;
  const results: PpoStepResult[] = [];
  for (let epoch = 0; epoch < epochs; epoch++) {
    const place = permutation(lessons.length, seed, [MINIBATCH_STREAM, update, epoch]);
    for (let part = 0; part < parts; part++) {
      const members = Array.from({ length: size }, (_, i) => lessons[place(part * size + i)]);
      const rows = rates.policy === undefined ? undefined : await text?.next();
      results.push(await step.step(ppoBatches(members, shape), rates, rows));
      await new Promise(setImmediate); // signals arrive
      if (results.at(-1)!.approxKl > limit) return results;
    }
  }
  return results;
}

/** The policy of the best evaluation; where none was near enough to the reference, the last one. */
async function takeBest(policy: TrainState, trainer: PpoState, directory: RunDirectory, say: (text: string) => void): Promise<void> {
  const best = trainer.metrics['best/step'];
  if (best === undefined) {
    say('keep: best: no evaluation was within kl_cap; the last model is the final one. Raise kl_cap, kl_coef or evaluate more often');
    return;
  }
  say(`the best score within kl_cap, ${trainer.metrics['best/eval/score'].toFixed(3)}, was at update ${best}: its model is the final one`);
  await restoreParameters(policy.parameters, directory.checkpoint(best));
}

/** Of the policy that sampled: the sampler's own, but below fp32, where they may differ by more than its rounding, those of the pass that learns. */
export function samplersLogProbs(
  { precision }: Pick<PpoConfig, 'precision'>,
  { sampled, logProbs }: Pick<Judged, 'sampled' | 'logProbs'>,
): Float32Array {
  return precision === 'fp32' ? Float32Array.from(sampled) : logProbs;
}

/** An episode as what gives scores sees it. */
export function answered({ of, text, ended }: Episode): Answered {
  return { prompt: of.prompt, reference: of.reference, response: text, ended };
}

/** What the critic is, in words. */
export function describeCritic({ critic }: PpoConfig, model: ModelConfig): string {
  if (critic === 'shared') return 'the critic is a head on it';
  return `critic from the ${critic === 'reward' ? 'reward model' : 'policy'}, ${parameterCount(model).toLocaleString('en-US')} parameters`;
}

/** Gives the seconds since it was last asked. */
function stopwatch(): () => number {
  let since = performance.now();
  return () => {
    const at = performance.now();
    const seconds = (at - since) / 1000;
    since = at;
    return seconds;
  };
}

const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;

function describeStop({ within, beta, rollBacks, stopped }: PpoState, kl: number, back: boolean): string {
  const taken = back ? `; update ${within} is taken back` : '';
  const then = stopped ? 'the run ends' : `β is ${beta} from here on (roll back ${rollBacks} of ${ROLL_BACKS})`;
  return `an answer diverges by ${kl.toFixed(2)} nats, more than kl_stop${taken}; ${then}`;
}

function describeEvaluation(held: Readonly<Record<string, number>>): string {
  const gold = held['eval/gold'] === undefined ? '' : `, gold ${held['eval/gold'].toFixed(3)}`;
  const text = held['eval/text_bits_per_byte'] === undefined ? '' : `, text ${held['eval/text_bits_per_byte'].toFixed(3)} bits per byte`;
  return `eval score ${held['eval/score'].toFixed(3)}${gold}, KL ${held['eval/kl'].toFixed(2)}, entropy ${held['eval/entropy'].toFixed(2)}, ${held['eval/response_length'].toFixed(0)} tokens${text}`;
}

function describeRun(
  policy: ModelConfig,
  critic: ModelConfig,
  config: PpoConfig,
  { train, evaluation, shape }: PpoPrompts,
  steps: number,
  device: DeviceDescription,
): string {
  const count = (n: number) => n.toLocaleString('en-US');
  return [
    `${policy.architecture}: ${count(parameterCount(policy))} parameters; ${describeCritic(config, critic)}`,
    `${count(train.length)} prompts, ${count(evaluation.length)} to evaluate on; ${count(steps)} updates of ${config.batch_size} answers, batches of up to ${shape.B} × ${shape.T} tokens`,
    onDevice(device),
  ].join('\n');
}
