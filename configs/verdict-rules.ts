import type { z } from 'zod';
import { checkPrecision, isSection, partOf, reporter } from './rules.js';

/** The rules that hold between the keys of a verdict, as `checkPretrain` has those of pretraining. */
export function checkVerdict(value: unknown, context: z.core.$RefinementCtx): void {
  const report = reporter(context);
  if (!isSection(value)) return;
  const config = value;
  const models = partOf(config.models);
  const names = Object.keys(models);
  if (isSection(config.models) && names.length === 0) report('models', 'must name at least one model', 'for example models.sft.checkpoint: runs/sft/final', 'none'); // biome-ignore format: short
  for (const name of names) {
    if (partOf(models[name]).best_of !== undefined && config.reward === undefined)
      report(`models.${name}.best_of`, 'needs reward, a model to choose by', 'name one, or remove it');
  }
  if (typeof config.reference === 'string' && !names.includes(config.reference))
    report('reference', `must be the name of a model: ${names.join(', ')}`, 'name one of them');
  if (config.reference === undefined && names.length > 0 && !names.includes('sft'))
    report('reference', 'is required where no model has the name sft', `for example reference: ${names[0]}`);
  if (config.eval_fraction !== undefined && config.conversations === undefined)
    report('eval_fraction', 'is for conversations, which names none', 'name a table, or remove it');
  if (config.eval_fraction === 0) report('eval_fraction', 'must leave something held out', 'for example eval_fraction: 0.03');
  checkPrecision(config, report);
}
