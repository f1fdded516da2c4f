import type { z } from 'zod';
import { checkSft } from './rules.js';
import { type SftKeys, sftKeys } from './sft-keys.js';

export type { SftInput } from './sft-keys.js';

function resolve(config: SftKeys) {
  const { replay } = config.data;
  return {
    ...config,
    data: { ...config.data, replay: replay.path === undefined ? undefined : { path: replay.path, fraction: replay.fraction ?? 0.1 } },
    epochs: config.max_steps === undefined ? (config.epochs ?? 3) : undefined,
    min_lr_ratio: config.min_lr_ratio ?? 0,
    decay_fraction: config.decay_fraction ?? 0.2,
  };
}

/** Reads, checks and completes a configuration of supervised fine-tuning. */
export const sftSchema = sftKeys.superRefine(checkSft, { when: () => true }).transform(resolve);

/** A complete configuration of supervised fine-tuning; what depends on data or checkpoint is still open. */
export type SftConfig = z.output<typeof sftSchema>;
