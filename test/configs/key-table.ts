import type { z } from 'zod';
import { type Field, fieldsOf } from '../../configs/fields.js';
import { pretrainKeys } from '../../configs/keys.js';
import { ppoKeys } from '../../configs/ppo-keys.js';
import { rewardKeys } from '../../configs/reward-keys.js';
import { sftKeys } from '../../configs/sft-keys.js';

/** One row of a table in docs/configuration.md: key, default, meaning, source. */
export function row(field: Field): string {
  const fixed = Array.isArray(field.default) ? JSON.stringify(field.default) : field.default;
  const usual = field.computed ?? (fixed === undefined ? 'required' : `\`${fixed}\``);
  const choices = field.choices ? `${field.choices.map((word) => `\`${word}\``).join(', ')}. ` : '';
  const meaning = (choices + field.meaning).replaceAll('|', '\\|');
  return `| \`${field.key}\` | ${usual} | ${meaning} | ${field.source ?? ''} |`;
}

/** Every key of a schema, sections without their own rows. */
export function rowsOf(keys: z.ZodObject): string[] {
  return [...fieldsOf(keys).values()].filter((field) => field.kind !== 'section').map(row);
}

/** Every key of the configurations of a stage. */
export function rows(stage: 'pretrain' | 'sft' | 'reward' | 'ppo'): string[] {
  return rowsOf({ pretrain: pretrainKeys, sft: sftKeys, reward: rewardKeys, ppo: ppoKeys }[stage]);
}
