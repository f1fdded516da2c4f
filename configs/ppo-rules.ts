import type { z } from 'zod';
import {
  checkPrecision,
  checkSchedule,
  checkStepsOrEpochs,
  count,
  isSection,
  partOf,
  type Report,
  reporter,
  type Unchecked,
} from './rules.js';

/** The rules that hold between the keys of PPO; see `checkPretrain`. */
export function checkPpo(value: unknown, context: z.core.$RefinementCtx): void {
  const report = reporter(context);
  if (!isSection(value)) return;
  const config = value;
  const [data, ptx] = [partOf(config.data), partOf(config.ptx)];
  checkStepsOrEpochs(config, report);
  checkSchedule(config, undefined, report);
  checkPrecision(config, report);
  checkRewardSource(config, report);
  checkParts(config, report);
  if (data.eval_path !== undefined && data.eval_fraction !== undefined) {
    report('data.eval_fraction', 'is not with data.eval_path, which says what to evaluate on', 'remove one');
  }
  for (const key of ['coefficient', 'batch_size', 'eval_fraction']) {
    if (ptx[key] !== undefined && ptx.path === undefined)
      report(`ptx.${key}`, 'is for ptx.path, which names no text', 'name the text, or remove it');
  }
  if (ptx.coefficient === 0) checkMeasuredText(ptx, data, report);
  if (config.kl_horizon !== undefined && config.kl_target === undefined) {
    report('kl_horizon', 'is for kl_target: without one β stays as it is', 'remove it, or set kl_target');
  }
  if (config.kl_stop_action !== undefined && config.kl_stop === undefined) {
    report('kl_stop_action', 'is for kl_stop: without one no divergence is too large', 'remove it, or set kl_stop');
  }
  checkKeep(config, data, report);
}

/** Text that is not learnt from. */
function checkMeasuredText(ptx: Unchecked, data: Unchecked, report: Report): void {
  if (ptx.batch_size !== undefined) report('ptx.batch_size', 'is for text that is learnt from, and ptx.coefficient is 0', 'remove it');
  if (data.eval_prompts === 0) {
    report('ptx.coefficient', '0 only measures, and data.eval_prompts: 0 leaves no evaluations', 'raise one of the two');
  }
}

/** Top-k and its like would draw from another distribution than the one whose log-probabilities are learnt from. */
export const SAMPLING_REFUSALS: ReadonlyMap<string, string> = new Map(
  ['top_k', 'top_p', 'min_p', 'repetition_penalty'].map((key) => [
    key,
    "a rollout draws from the policy's whole distribution, so that what is learnt from is what was drawn; remove it (temperature may be set)",
  ]),
);

const BUILT_IN = ['gold', 'random_walks'];

function checkRewardSource(config: Unchecked, report: Report): void {
  const reward = partOf(config.reward);
  const { model, function: given, world, combine } = reward;
  if ((model === undefined) === (given === undefined)) {
    const what = model === undefined ? 'neither' : 'both';
    report('reward', 'must name one of model and function', 'for example reward.model: runs/rm/final', what);
  }
  if (given === 'gold' && world === undefined) {
    report('reward.world', 'is required with function: gold', 'name the directory that fourfold data world wrote');
  }
  if (given !== undefined && given !== 'gold' && world !== undefined) {
    report('reward.world', 'is for function: gold, or for a reward model', 'remove it');
  }
  if (typeof given === 'string' && !BUILT_IN.includes(given) && !/^\.{0,2}\/.*\.[mc]?[jt]s$/.test(given)) {
    report('reward.function', 'must be gold, random_walks or a module by its path (./own.js)', 'for example reward.function: ./own.js');
  }
  if (combine !== undefined && model === undefined) report('reward.combine', 'is for reward.model', 'remove it');
  if (config.critic === 'reward' && model === undefined) {
    report('critic', 'reward is for a reward model, and reward.model names none', 'set critic: policy');
  }
  if (config.critic === 'shared' && config.critic_learning_rate !== undefined) {
    const rule = 'is for a critic of its own; with critic: shared one optimizer moves both';
    report('critic_learning_rate', rule, 'remove it (value_coefficient weighs the value loss)');
  }
  if (config.critic !== 'shared' && config.value_coefficient !== undefined) {
    report('value_coefficient', 'is for critic: shared; a critic of its own has critic_learning_rate', 'remove it or set critic: shared');
  }
}

function checkParts(config: Unchecked, report: Report): void {
  const [batch, parts, steps, warmup] = [config.batch_size, config.num_mini_batches, config.max_steps, config.critic_warmup_steps].map(
    count,
  );
  if (batch && parts && batch % parts !== 0) {
    report('num_mini_batches', `must divide batch_size (${batch})`, 'for example num_mini_batches: 1');
  }
  if (steps && warmup && warmup >= steps) {
    report('critic_warmup_steps', `must leave updates for the policy: there are ${steps}`, 'lower it or raise max_steps');
  }
}

function checkKeep(config: Unchecked, data: Unchecked, report: Report): void {
  if (config.keep === 'best' && config.kl_cap === undefined) {
    const wayOut = 'for example kl_cap: 3, or keep: last';
    report('kl_cap', 'is required with keep: best: by score alone the over-optimised model is kept', wayOut);
  }
  if (config.keep === 'best' && data.eval_prompts === 0) {
    report('keep', 'best needs evaluations, and data.eval_prompts is 0', 'raise it, or set keep: last');
  }
  if (config.keep !== 'best' && config.kl_cap !== undefined) report('kl_cap', 'is for keep: best', 'remove it or set keep: best');
}
