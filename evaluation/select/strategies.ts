import { MODEL_STRATEGIES } from '../../configs/select-rules.js';
import type { SelectConfig, StrategyName } from '../../configs/select-schema.js';
import { diversity } from './diversity.js';
import type { Encoder, Judge, Measurer } from './encoded.js';
import { ifd } from './ifd.js';
import { language } from './language.js';
import { length } from './length.js';
import { nearDuplicates } from './near-duplicates.js';
import { perplexity } from './perplexity.js';
import { repetition } from './repetition.js';
import { reward } from './reward.js';
import type { Strategy } from './strategy.js';

export function needsModel(name: StrategyName): boolean {
  return MODEL_STRATEGIES.includes(name);
}

/**
 * The strategy of a name, and what it was told.
 * @param tools there as far as the strategies of the configuration need them.
 */
export function strategyNamed(
  name: StrategyName,
  config: SelectConfig,
  { encoder, measurer, judge }: { encoder?: Encoder; measurer?: Measurer; judge?: Judge },
): { parameters: object; strategy: Strategy } {
  switch (name) {
    case 'near_duplicates':
      return { parameters: config.near_duplicates, strategy: nearDuplicates(config.near_duplicates) };
    case 'length': {
      const limits = { ...config.length, max_tokens: config.length.max_tokens ?? encoder!.contextLength };
      return { parameters: limits, strategy: length(limits, encoder!) };
    }
    case 'repetition':
      return { parameters: config.repetition, strategy: repetition(config.repetition) };
    case 'language':
      return { parameters: config.language, strategy: language(config.language) };
    case 'perplexity':
      return { parameters: config.perplexity, strategy: perplexity(config.perplexity, measurer!) };
    case 'ifd':
      return { parameters: config.ifd, strategy: ifd(config.ifd, measurer!) };
    case 'reward': {
      const { model, ...rules } = config.reward;
      return { parameters: { model: model!, ...rules }, strategy: reward(rules, judge!) };
    }
    case 'diversity':
      return { parameters: {}, strategy: diversity(config.budget!, measurer!) };
  }
}
