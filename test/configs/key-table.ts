import { type Field, fieldsOf } from '../../configs/fields.js';
import { pretrainKeys } from '../../configs/keys.js';

/** One row of the table in docs/configuration.md: key, default, meaning, source. */
export function row(field: Field): string {
  const fixed = Array.isArray(field.default) ? JSON.stringify(field.default) : field.default;
  const usual = field.computed ?? (fixed === undefined ? 'required' : `\`${fixed}\``);
  const choices = field.choices ? `${field.choices.map((word) => `\`${word}\``).join(', ')}. ` : '';
  const meaning = (choices + field.meaning).replaceAll('|', '\\|');
  return `| \`${field.key}\` | ${usual} | ${meaning} | ${field.source ?? ''} |`;
}

/** Every key of a pretraining configuration, sections without their own rows. */
export function rows(): string[] {
  return [...fieldsOf(pretrainKeys).values()].filter((field) => field.kind !== 'section').map(row);
}
