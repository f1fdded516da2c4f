import type { z } from 'zod';
import { isSection, partOf, type Report, reporter, type Unchecked } from './rules.js';
import { strategyKeys } from './select-keys.js';

/** Strategies that run a model. */
export const MODEL_STRATEGIES: readonly unknown[] = ['perplexity', 'ifd', 'diversity'];
/** Strategies that put conversations in an order, which a budget can cut. */
const RANKING: readonly unknown[] = ['perplexity', 'ifd', 'reward'];

/** The rules that hold between the keys of a selection, as `checkPretrain` has those of pretraining. */
export function checkSelect(value: unknown, context: z.core.$RefinementCtx): void {
  const report = reporter(context);
  if (!isSection(value)) return;
  const config = value;
  const strategies: readonly unknown[] = Array.isArray(config.strategies) ? config.strategies : [];
  checkOrder(config, strategies, report);
  checkModels(config, strategies, report);
  for (const name of Object.keys(strategyKeys)) {
    if (config[name] === undefined || strategies.includes(name)) continue;
    report(name, 'is not one of the strategies that are run', `add ${name} to strategies, or remove it`);
  }
  const { length, perplexity } = { length: partOf(config.length), perplexity: partOf(config.perplexity) };
  checkRange(length.min_tokens, length.max_tokens, 'length.min_tokens', 'length.max_tokens', report);
  checkRange(length.min_answer_tokens, length.max_answer_tokens, 'length.min_answer_tokens', 'length.max_answer_tokens', report);
  checkRange(perplexity.min, perplexity.max, 'perplexity.min', 'perplexity.max', report);
}

function checkOrder(config: Unchecked, strategies: readonly unknown[], report: Report): void {
  if (strategies.includes('diversity')) {
    if (config.budget === undefined) report('budget', 'is required by diversity, which chooses so many', 'for example budget: 1000');
    if (strategies.at(-1) !== 'diversity')
      report('strategies', 'diversity must be the last, as it takes the budget', 'move it to the end', strategies.join(', '));
  }
  const cut =
    config.budget !== undefined && !strategies.includes('diversity') ? strategies.findLast((s) => RANKING.includes(s)) : undefined;
  for (const [name, limits] of [
    ['perplexity', ['max', 'min', 'keep']],
    ['reward', ['min', 'keep']],
  ] as const) {
    const own = partOf(config[name]);
    if (!strategies.includes(name) || cut === name || limits.some((limit) => own[limit] !== undefined)) continue;
    report(name, 'would drop nothing', `give ${limits.map((limit) => `${name}.${limit}`).join(' or ')}`, 'no limit');
  }
}

function checkModels(config: Unchecked, strategies: readonly unknown[], report: Report): void {
  const needing = [...new Set(strategies)].filter((name) => MODEL_STRATEGIES.includes(name));
  const both = config.checkpoint !== undefined && config.tokenizer !== undefined;
  if (both)
    report('tokenizer', 'comes with the checkpoint, and only one of them is given', 'remove one of the two', 'checkpoint and tokenizer');
  if (strategies.includes('reward') && partOf(config.reward).model === undefined)
    report('reward.model', 'is required by reward', 'for example reward.model: runs/reward/final');
  if (needing.length > 0 && config.checkpoint === undefined)
    report('checkpoint', `is required by ${needing.join(', ')}`, 'for example checkpoint: runs/base/final');
  else if (strategies.includes('length') && config.checkpoint === undefined && config.tokenizer === undefined)
    report('tokenizer', 'is required by length, where no checkpoint is named', 'for example tokenizer: data/tokenizer.json');
}

function checkRange(min: unknown, max: unknown, minKey: string, maxKey: string, report: Report): void {
  if (typeof min === 'number' && typeof max === 'number' && min > max)
    report(minKey, `must be no more than ${maxKey} (${max})`, 'lower it, or raise the other');
}
