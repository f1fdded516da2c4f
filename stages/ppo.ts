import path from 'node:path';
import type { DeviceDescription } from '../backends/device.js';
import { loadCheckpoint, loadOptimizer } from '../checkpoints/load.js';
import { pruneCheckpoints } from '../checkpoints/save.js';
import { resolvedPpoYaml } from '../configs/load.js';
import type { PpoConfig } from '../configs/ppo-schema.js';
import { type Loader, openLoader } from '../datasets/loader.js';
import { permutation } from '../datasets/permutation.js';
import { type PromptTokens, preparePrompts } from '../datasets/prepare-prompts.js';
import { preparedText } from '../datasets/training-conversations.js';
import { openGold } from '../datasets/world/gold.js';
import { diversity } from '../evaluation/diversity.js';
import { type Answered, openReward, type RewardFunction } from '../evaluation/reward-function.js';
import { type Episode, type Judged, judges, type Lesson, ppoBatches, rollOut } from '../evaluation/rollout.js';
import { type ModelConfig, parameterCount, SCORE } from '../model/config.js';
import { parametersFrom } from '../model/parameters.js';
import { criticFrom, storedCritic } from '../training/critic-state.js';
import { onDevice } from '../training/device.js';
import {
  adaptedBeta,
  explainedVariance,
  generalisedAdvantages,
  klEstimates,
  shapedScore,
  tokenRewards,
  whitened,
} from '../training/ppo.js';
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
import { type Base, baseParameters, loadBase } from './sft.js';

/** All that resuming needs, beside the tensors: prompts, draws and minibatches are functions of the update. */
interface PpoState extends TrainerState {
  stage: 'ppo';
  beta: number;
  /** Steps that the optimizers have made. */
  policySteps: number;
  criticSteps: number;
  /** The divergence has passed `kl_stop`. */
  stopped: boolean;
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
    const text = await openText(config, base, directory, say, signal);

    // 4. Policy and critic as they begin, or where the run stopped.
    const { policy, critic, trainer } = await startingStates(config, base, reward, directory, text);
    const totalSteps = ppoSteps(config, prompts.train.length);
    const evalSteps = config.eval_steps ?? Math.max(1, Math.ceil(totalSteps / 10));
    const schedule = { ...config, warmup_steps: Math.floor(config.warmup_ratio * totalSteps) };
    const step = ppoStepper(policy, critic, prompts.shape, ppoStepOptions(config, base));
    const panel = judges(policy, reference, critic, prompts.shape, config.temperature);
    const answer = async (asked: readonly PromptTokens[], numbers: readonly number[]): Promise<Judged[]> => {
      const { temperature, max_new_tokens: maxTokens, seed } = config;
      return panel.judge(await rollOut(policy, asked, base, { temperature, maxTokens, seed, numbers }));
    };
    say(describeRun(policy.config, critic.config, config, prompts, totalSteps, device));

    const progress = new Progress(totalSteps);
    progress.start(trainer.step);
    const metrics: Record<string, number> = {};
    const speed = new Speed(trainer.tokens);
    const warned = new Set<string>(); // a collapse is said once
    let saved = directory.resumeFrom?.step ?? -1;
    const save = async (target: string, resumable: boolean) =>
      saveModel(target, {
        ...{ state: { ...policy, step: trainer.step }, trainer, tokenizer: base.tokenizer, template: base.template.source },
        name: path.basename(config.output_dir),
        data: config.data.path.map((file) => path.basename(file)).join(', '),
        ...(resumable && { resumable, loader: text?.state(), more: await storedCritic(critic) }),
      });
    const saveStep = async () => {
      if (saved === trainer.step) return;
      await save(directory.checkpoint(trainer.step), true);
      saved = trainer.step;
      await pruneCheckpoints(directory.checkpoints, config.save_total_limit, trainer.metrics['best/step']);
    };
    const evaluate = async (): Promise<Record<string, number>> => {
      if (prompts.evaluation.length === 0) return {};
      const episodes = await answer(prompts.evaluation, prompts.evaluation.map((_, i) => -1 - i)); // biome-ignore format: short
      const answers = episodes.map(answered);
      const scores = await reward.score(answers);
      const held = { ...evaluationMetrics(episodes, scores) };
      if (gold) held['eval/gold'] = mean(answers.map(({ prompt, response, ended }) => gold(prompt, response, ended).total));
      if (reward.outside) held['eval/outside'] = await reward.outside(answers);
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

    // 6. Learn.
    const goesOn = () => trainer.step < totalSteps && !trainer.stopped;
    while (goesOn() && !signal.aborted) {
      // 6.1 Roll out: the policy answers the next prompts; policy, reference and critic say what they make of each token.
      const update = trainer.step;
      const numbers = Array.from({ length: config.batch_size }, (_, i) => update * config.batch_size + i);
      const episodes = await answer(numbers.map((number) => promptAt(config, prompts.train, number)), numbers); // biome-ignore format: short

      // 6.2 Score the texts as their readers see them; one that was cut gets a low score.
      const shaping = { clip: config.score_clip, missingEosPenalty: config.missing_eos_penalty };
      const scores = (await reward.score(episodes.map(answered))).map((score, i) => shapedScore(score, episodes[i].ended, shaping));

      // 6.3 Rewards of tokens: −β·KL at each, the score at the last.
      //     The sampler's own log-probabilities, but for bf16, where they are another pass's by more than rounding.
      const oldLogProbs = episodes.map(({ sampled, logProbs }) => (config.precision === 'bf16' ? logProbs : Float32Array.from(sampled)));
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

      // 6.5 Optimise both by epochs × minibatches; the critic alone at first.
      const rate = learningRate(schedule, update, totalSteps);
      const criticRate = (rate * config.critic_learning_rate) / config.learning_rate;
      const rates = { policy: update < config.critic_warmup_steps ? undefined : rate, critic: criticRate };
      const steps = await optimise(config, step, lessons, prompts.shape, rates, update, text);

      // 6.6 Adapt β to the divergence of this rollout.
      const kl = mean(episodes.map(({ refLogProbs }, i) => klEstimates(oldLogProbs[i], refLogProbs).k1));
      const beta = trainer.beta;
      if (config.kl_target !== undefined) {
        const adaptation = { target: config.kl_target, horizon: config.kl_horizon!, episodes: config.batch_size };
        trainer.beta = adaptedBeta(beta, kl, adaptation);
      }
      const tokens = episodes.reduce((sum, { response }) => sum + response.length, 0);
      Object.assign(trainer, { step: update + 1, tokens: trainer.tokens + tokens });
      Object.assign(trainer, {
        policySteps: policy.step,
        criticSteps: critic.step,
        stopped: kl > (config.kl_stop ?? Number.POSITIVE_INFINITY),
      });
      if (trainer.stopped)
        progress.note(`update ${update + 1}: an answer diverges by ${kl.toFixed(2)} nats, more than kl_stop; the run ends`);

      // 6.7 Measure.
      const record: Record<string, number> = {};
      if (trainer.step % config.logging_steps === 0 || !goesOn()) {
        Object.assign(record, stepMetrics(steps, rates.policy !== undefined), rolloutMetrics(episodes, oldLogProbs, scores, beta));
        record['val/explained_variance'] = explainedVariance(lessons.map(({ returns }) => returns as Float64Array), episodes.map(({ values }) => values)); // biome-ignore format: short
        const measured = speed.measure(trainer.tokens);
        Object.assign(record, { lr: rate, episode: trainer.step * config.batch_size, tokens: trainer.tokens, ...measured });
        warn(config, record, (warning) => progress.note(`update ${trainer.step}: ${warning}`));
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
        if (trainer.step % config.save_steps === 0 || isBest || !goesOn()) await saveStep();
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
    for (const one of [step, panel, reward, ...reference.parameters.values()]) one.dispose();
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
  /** Of batches that hold the longest prompt with the longest answer. */
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

/** Updates of the whole run. */
export function ppoSteps({ max_steps, epochs, batch_size }: PpoConfig, prompts: number): number {
  return max_steps ?? Math.max(1, Math.floor((epochs! * prompts) / batch_size));
}

export function ppoStepOptions(config: PpoConfig, { contextLength }: Pick<Base, 'contextLength'>): PpoStepOptions {
  return {
    policy: updaterOptions(config),
    critic: updaterOptions(config),
    temperature: config.temperature,
    clip: config.cliprange,
    valueClip: config.cliprange_value,
    dualClip: config.dual_clip,
    entropy: config.entropy_coefficient,
    ptx: config.ptx && { B: config.ptx.batch_size, T: contextLength, coefficient: config.ptx.coefficient },
  };
}

/** Pretraining text in rows as long as the context. */
async function openText(
  { ptx, seed }: PpoConfig,
  { checkpoint, contextLength }: Base,
  directory: RunDirectory,
  say: (text: string) => void,
  signal: AbortSignal,
): Promise<Loader | undefined> {
  if (ptx === undefined) return undefined;
  const options = { checkpoint, reuse: directory.resumeFrom !== undefined, say, signal };
  const tokens = await preparedText({ path: ptx.path, evalFraction: 0.01, seed }, path.join(directory.path, 'tokens'), options);
  return openLoader({ directory: tokens, contextLength, batchSize: ptx.batch_size, packing: 'segments', sampling: 'epoch', seed });
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
    return { policy, critic: criticFrom(from.config, await loadOptimizer(resumeFrom!.path), trainer.criticSteps), trainer };
  }
  const begun = { step: 0, tokens: 0, metrics: {}, beta: config.kl_coef, policySteps: 0, criticSteps: 0, stopped: false };
  return {
    policy: trainState(base.config, await baseParameters(base)),
    critic: await newCritic(from),
    trainer: { stage: 'ppo', tokenizer, ...begun },
  };
}

/** What the critic is made of. */
export interface CriticBase {
  checkpoint: string;
  config: ModelConfig;
}

/** @throws UserError for a reward model that cannot judge a text token by token. */
export function criticBase({ critic, reward: source }: PpoConfig, base: Base, { model }: RewardFunction): CriticBase {
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
export async function newCritic({ checkpoint, config }: CriticBase): Promise<TrainState> {
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

/** An episode as what gives scores sees it. */
export function answered({ of, text, ended }: Episode): Answered {
  return { prompt: of.prompt, reference: of.reference, response: text, ended };
}

/** Means over the steps of an update, by TRL's names; of the policy none where the critic learnt alone. */
function stepMetrics(steps: readonly PpoStepResult[], policyLearns: boolean): Record<string, number> {
  const over = (of: (step: PpoStepResult) => number) => mean(steps.map(of));
  const ratios = steps.map(({ ratio }) => ratio);
  const text = steps.flatMap(({ ptx }) => ptx ?? []);
  return {
    loss: over(({ policyLoss, valueLoss }) => policyLoss + valueLoss),
    grad_norm: over(({ gradNorm }) => gradNorm),
    critic_grad_norm: over(({ criticGradNorm }) => criticGradNorm),
    'loss/value_avg': over(({ valueLoss }) => valueLoss),
    'val/clipfrac_avg': over(({ valueClipFraction }) => valueClipFraction),
    ...(policyLearns && {
      'loss/policy_avg': over(({ policyLoss }) => policyLoss),
      'policy/approxkl_avg': over(({ approxKl }) => approxKl),
      'policy/clipfrac_avg': over(({ clipFraction }) => clipFraction),
      'val/ratio': mean(ratios),
      'val/ratio_var': sum(ratios.map((ratio) => (ratio - mean(ratios)) ** 2)) / Math.max(1, ratios.length - 1),
      'val/ratio_first': ratios[0],
      'val/ratio_max': Math.max(...steps.map(({ largestRatio }) => largestRatio)),
    }),
    ...(text.length > 0 && {
      'ptx/loss': mean(text.map(({ loss }) => loss)),
      'ptx/grad_norm': mean(text.map(({ gradNorm }) => gradNorm)),
      'ptx/policy_grad_norm': mean(text.map(({ policyGradNorm }) => policyGradNorm)),
    }),
  };
}

/** What a rollout says, by TRL's names where it has one: sums over each response, means over the responses. */
function rolloutMetrics(
  episodes: readonly Judged[],
  logProbs: readonly Float32Array[],
  scores: readonly number[],
  beta: number,
): Record<string, number> {
  const kl = episodes.map(({ refLogProbs }, i) => klEstimates(logProbs[i], refLogProbs));
  const penalty = -beta * mean(kl.map(({ k1 }) => k1));
  const ended = episodes.filter((episode) => episode.ended).length;
  return {
    'objective/kl': mean(kl.map(({ k1 }) => k1)),
    'objective/kl_k2': mean(kl.map(({ k2 }) => k2)),
    'objective/kl_k3': mean(kl.map(({ k3 }) => k3)),
    'objective/kl_exact': mean(episodes.map(({ divergence }) => sum(divergence))),
    'objective/entropy': mean(logProbs.map((own) => -sum(own))),
    'objective/non_score_reward': penalty,
    'objective/rlhf_reward': penalty + mean(scores),
    'objective/scores': mean(scores),
    'policy/entropy_avg': sum(episodes.map(({ entropy }) => sum(entropy))) / sum(episodes.map(({ entropy }) => entropy.length)),
    'val/num_eos_tokens': ended,
    eos_rate: ended / episodes.length,
    response_length: mean(episodes.map(({ response }) => response.length)),
    kl_coef: beta,
    'sampler/drift': Math.max(
      ...episodes.map(({ sampled, logProbs }) => Math.max(...sampled.map((own, t) => Math.abs(own - logProbs[t])))),
    ),
  };
}

function evaluationMetrics(episodes: readonly Judged[], scores: readonly number[]): Record<string, number> {
  const { distinct1, distinct2, selfBleu } = diversity(episodes.map(({ response }) => response));
  return {
    'eval/score': mean(scores),
    'eval/kl': mean(episodes.map(({ logProbs, refLogProbs }) => klEstimates(logProbs, refLogProbs).k1)),
    'eval/kl_exact': mean(episodes.map(({ divergence }) => sum(divergence))),
    'eval/entropy': sum(episodes.map(({ entropy }) => sum(entropy))) / sum(episodes.map(({ entropy }) => entropy.length)),
    'eval/distinct_1': distinct1,
    'eval/distinct_2': distinct2,
    'eval/self_bleu': selfBleu,
    'eval/response_length': mean(episodes.map(({ response }) => response.length)),
    'eval/eos_rate': episodes.filter(({ ended }) => ended).length / episodes.length,
  };
}

/** What should make a person look: a first ratio that is not 1 means that sampler and training pass do not agree. */
function warn({ precision }: PpoConfig, record: Readonly<Record<string, number>>, say: (warning: string) => void): void {
  const { 'val/ratio_first': first = 1, 'sampler/drift': drift } = record;
  if (Math.abs(first - 1) > 1e-4)
    say(`warning: the ratio at the first minibatch is ${first.toFixed(5)}, and should be 1 (val/ratio_first)`);
  if (precision === 'fp32' && drift > 1e-4)
    say(`warning: the sampler's log-probabilities differ from the training pass's by up to ${drift.toExponential(1)} (sampler/drift)`);
}

/** How a policy collapses, beside what it began as: by the metric that has fallen. */
function collapse(held: Readonly<Record<string, number>>, metrics: Readonly<Record<string, number>>): [key: string, warning: string][] {
  const fallen = [
    { key: 'eval/entropy', share: 0.3, what: 'it says with ever more certainty what it says' },
    { key: 'eval/distinct_2', share: 0.5, what: 'its answers resemble each other' },
    { key: 'eval/eos_rate', share: 0.5, what: 'its answers no longer end' },
  ];
  return fallen.flatMap(({ key, share, what }): [string, string][] => {
    const [now, start] = [held[key], metrics[`start/${key}`]];
    if (!(now < share * start)) return [];
    const fall = `${key} ${start.toFixed(3)} → ${now.toFixed(3)}`;
    return [[key, `warning: the policy collapses: ${what} (${fall}); raise kl_coef or lower learning_rate`]];
  });
}

const sum = (values: ArrayLike<number>) => Array.from(values).reduce((a, b) => a + b, 0);
const mean = (values: ArrayLike<number>) => sum(values) / values.length;

function describeEvaluation(held: Readonly<Record<string, number>>): string {
  const gold = held['eval/gold'] === undefined ? '' : `, gold ${held['eval/gold'].toFixed(3)}`;
  return `eval score ${held['eval/score'].toFixed(3)}${gold}, KL ${held['eval/kl'].toFixed(2)}, entropy ${held['eval/entropy'].toFixed(2)}, ${held['eval/response_length'].toFixed(0)} tokens`;
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
    `${policy.architecture}: ${count(parameterCount(policy))} parameters; critic from the ${config.critic === 'reward' ? 'reward model' : 'policy'}, ${count(parameterCount(critic))}`,
    `${count(train.length)} prompts, ${count(evaluation.length)} to evaluate on; ${count(steps)} updates of ${config.batch_size} answers, batches of ${shape.B} × ${shape.T} tokens`,
    onDevice(device),
  ].join('\n');
}
