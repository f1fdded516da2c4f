import type { z } from 'zod';
import { text } from './fields.js';
import { pretrainKeys } from './keys.js';
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

const { device, threads, precision } = pretrainKeys.shape;

/** The keys of a selection as a step of a pipeline, which also says of what it is one. */
export const selectStepKeys = selectKeys.extend({
  data: text({ meaning: 'Conversations to select from.', example: '${world.conversations}' }),
  ...{ device, threads, precision },
});

/** Reads, checks and completes the configuration of such a step. */
export const selectStepSchema = selectStepKeys
  .superRefine(checkSelect, { when: () => true })
  .transform(({ data, device, threads, precision, ...config }) => ({ ...resolve(config), data, device, threads, precision }));
