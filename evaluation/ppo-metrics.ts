/** What `ppo` measures of an update and of its evaluations, and what should make a person look. */
import type { PpoConfig } from '../configs/ppo-schema.js';
import { klEstimates } from '../training/ppo.js';
import type { PpoStepResult } from '../training/ppo-step.js';
import { diversity } from './diversity.js';
import type { Compared, Judged } from './rollout.js';

/** Means over the steps of an update, by TRL's names; of the policy none where the critic learnt alone. */
export function stepMetrics(steps: readonly PpoStepResult[], policyLearns: boolean): Record<string, number> {
  const over = (of: (step: PpoStepResult) => number) => mean(steps.map(of));
  const own = steps.flatMap(({ criticGradNorm }) => criticGradNorm ?? []);
  const ratios = steps.map(({ ratio }) => ratio);
  const text = steps.flatMap(({ ptx }) => ptx ?? []);
  return {
    loss: over(({ policyLoss, valueLoss }) => policyLoss + valueLoss),
    grad_norm: over(({ gradNorm }) => gradNorm),
    ...(own.length > 0 && { critic_grad_norm: mean(own) }),
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
export function rolloutMetrics(
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

/** What the answers to the evaluation prompts say: means over the answers, and how different they are. */
export function evaluationMetrics(episodes: readonly Compared[], scores: readonly number[]): Record<string, number> {
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
export function warn(
  { precision }: Pick<PpoConfig, 'precision'>,
  record: Readonly<Record<string, number>>,
  say: (warning: string) => void,
): void {
  const { 'val/ratio_first': first = 1, 'sampler/drift': drift } = record;
  if (Math.abs(first - 1) > 1e-4)
    say(`warning: the ratio at the first minibatch is ${first.toFixed(5)}, and should be 1 (val/ratio_first)`);
  if (precision === 'fp32' && drift > 1e-4)
    say(`warning: the sampler's log-probabilities differ from the training pass's by up to ${drift.toExponential(1)} (sampler/drift)`);
}

/** How a policy collapses, beside what it began as: by the metric that has fallen. */
export function collapse(
  held: Readonly<Record<string, number>>,
  metrics: Readonly<Record<string, number>>,
): [key: string, warning: string][] {
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
