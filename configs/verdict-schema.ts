import type { z } from 'zod';
import { type VerdictKeys, verdictKeys } from './verdict-keys.js';
import { checkVerdict } from './verdict-rules.js';

export type { VerdictInput } from './verdict-keys.js';

function resolve(config: VerdictKeys) {
  const { conversations, reference = 'sft' } = config;
  return {
    ...config,
    reference, // which the rules have seen to
    eval_fraction: conversations === undefined ? undefined : (config.eval_fraction ?? 0.03),
  };
}

/** Reads, checks and completes a configuration of a verdict. */
export const verdictSchema = verdictKeys.superRefine(checkVerdict, { when: () => true }).transform(resolve);

/** A complete configuration of a verdict. */
export type VerdictConfig = z.output<typeof verdictSchema>;

/** How one of the models answers. */
export type VerdictEntry = VerdictConfig['models'][string];
