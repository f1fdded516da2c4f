import type { z } from 'zod';
import { type SelectKeys, selectKeys, strategyKeys } from './select-keys.js';
import { checkSelect } from './select-rules.js';

export type { StrategyName } from './select-keys.js';

function resolve(config: SelectKeys) {
  return {
    ...config,
    near_duplicates: config.near_duplicates ?? strategyKeys.near_duplicates.parse({}),
    length: config.length ?? strategyKeys.length.parse({}),
    repetition: config.repetition ?? strategyKeys.repetition.parse({}),
    language: config.language ?? strategyKeys.language.parse({}),
    perplexity: config.perplexity ?? strategyKeys.perplexity.parse({}),
    ifd: config.ifd ?? strategyKeys.ifd.parse({}),
    reward: config.reward ?? strategyKeys.reward.parse({}),
  };
}

/** Reads, checks and completes a configuration of `data select`. */
export const selectSchema = selectKeys.superRefine(checkSelect, { when: () => true }).transform(resolve);

/** A complete configuration of `data select`: every strategy has its parameters, whether or not it is run. */
export type SelectConfig = z.output<typeof selectSchema>;
