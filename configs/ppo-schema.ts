import type { z } from 'zod';
import { type PpoKeys, ppoKeys } from './ppo-keys.js';
import { checkPpo } from './ppo-rules.js';

export type { PpoInput } from './ppo-keys.js';

/** What gives an answer its score. */
export type RewardSource =
  | { model: string; combine: 'mean' | 'min' | 'mean_minus_std'; world?: string }
  | { function: 'gold'; world: string }
  | { function: string; world?: undefined };

/** `batch_size` is missing where the text is not learnt from. */
function resolvePtx({ path, coefficient = 0.3, batch_size = 2, eval_fraction }: PpoKeys['ptx']) {
  if (path === undefined) return undefined;
  return { path, coefficient, batch_size: coefficient > 0 ? batch_size : undefined, eval_fraction };
}

function resolve(config: PpoKeys) {
  const { reward, ptx, data } = config;
  const shared = config.critic === 'shared';
  const source = reward.model === undefined ? reward : { ...reward, combine: reward.combine ?? 'mean' };
  return {
    ...config,
    critic: config.critic ?? (reward.model === undefined ? ('policy' as const) : ('reward' as const)),
    data: { ...data, eval_fraction: data.eval_path === undefined ? (data.eval_fraction ?? 0.1) : undefined },
    reward: source as RewardSource, // which the rules have seen to
    ptx: resolvePtx(ptx),
    epochs: config.max_steps === undefined ? (config.epochs ?? 1) : undefined,
    critic_learning_rate: shared ? undefined : (config.critic_learning_rate ?? 3 * config.learning_rate),
    value_coefficient: shared ? (config.value_coefficient ?? 0.1) : undefined,
    min_lr_ratio: config.min_lr_ratio ?? 0,
    decay_fraction: config.decay_fraction ?? 0.2,
    kl_stop_action: config.kl_stop === undefined ? undefined : (config.kl_stop_action ?? 'stop'),
    kl_horizon: config.kl_target === undefined ? undefined : (config.kl_horizon ?? 10_000),
  };
}

/** Reads, checks and completes a configuration of PPO. */
export const ppoSchema = ppoKeys.superRefine(checkPpo, { when: () => true }).transform(resolve);

/** A complete configuration of PPO; what depends on data or checkpoints is still open. */
export type PpoConfig = z.output<typeof ppoSchema>;
