import type { z } from 'zod';
import { type RewardKeys, rewardKeys } from './reward-keys.js';
import { checkReward } from './rules.js';

export type { RewardInput } from './reward-keys.js';

function resolve(config: RewardKeys) {
  return {
    ...config,
    ties: config.ties ?? (config.loss === 'plackett_luce' ? ('ignore' as const) : ('half' as const)),
    center_rewards_coefficient: config.center_rewards_coefficient ?? (config.head === 'pair' ? 0 : 0.01),
    epochs: config.max_steps === undefined ? (config.epochs ?? 1) : undefined,
    min_lr_ratio: config.min_lr_ratio ?? 0,
    decay_fraction: config.decay_fraction ?? 0.2,
  };
}

/** Reads, checks and completes a configuration of a reward model. */
export const rewardSchema = rewardKeys.superRefine(checkReward, { when: () => true }).transform(resolve);

/** A complete configuration of a reward model; what depends on data or checkpoint is still open. */
export type RewardConfig = z.output<typeof rewardSchema>;
