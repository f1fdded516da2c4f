import type { z } from 'zod';
import type { Field } from './fields.js';
import { dotted, type Path, type Placed, type Problem, short } from './source.js';
import { closest, suggestKey } from './suggest.js';

/**
 * What a schema found wrong, in words: `PLACE: KEY: RULE; received VALUE; WAY OUT`.
 * @param refusals keys that are none on purpose, each with what is to be said of it.
 */
export function problemsOf(
  issues: readonly z.core.$ZodIssue[],
  source: Placed,
  fields: ReadonlyMap<string, Field>,
  refusals: ReadonlyMap<string, string> = new Map(),
): Problem[] {
  return issues.flatMap((issue) => {
    if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey([...issue.path, key], source, fields, refusals));
    const value = source.at(issue.path);
    const custom = issue.code === 'custom' ? issue.params : undefined;
    const text = [
      value === undefined && !custom ? 'is required' : issue.message,
      `received ${custom?.received ?? show(value)}`,
      custom?.wayOut ?? wayOut(value, dotted(issue.path.filter((part) => typeof part === 'string')), fields),
    ].join('; ');
    return [{ ...source.place(issue.path), text: issue.path.length === 0 ? text : `${short(dotted(issue.path))}: ${text}` }];
  });
}

function unknownKey(path: Path, source: Placed, fields: ReadonlyMap<string, Field>, refusals: ReadonlyMap<string, string>): Problem {
  const key = dotted(path);
  const meant = suggestKey(key, [...fields.keys()]);
  const section = dotted(path.slice(0, -1));
  const refusal = refusals.get(key);
  const hint = refusal
    ? refusal
    : meant
      ? `did you mean ${meant}?`
      : section
        ? `the keys of ${section} are ${keysOf(section, fields)}`
        : 'see docs/configuration.md';
  return { ...source.place(path, true), text: `${short(key)}: there is no such key; received ${show(source.at(path))}; ${hint}` };
}

function wayOut(value: unknown, key: string, fields: ReadonlyMap<string, Field>): string {
  const section = key.slice(0, key.lastIndexOf('.'));
  const field = fields.get(key) ?? fields.get(section); // the names in a section of weights are no keys
  if (!field) return 'begin with a line such as max_steps: 2000';
  if (field.kind === 'section') return `its keys are ${keysOf(key, fields)}`;
  return repair(value, field) ?? fallback(field);
}

/** The names of the keys of a section. */
function keysOf(section: string, fields: ReadonlyMap<string, Field>): string {
  const names = [...fields.keys()].filter((key) => key.startsWith(`${section}.`)).map((key) => key.slice(section.length + 1));
  return names.filter((name) => !name.includes('.')).join(', ');
}

/** What the value was probably meant to be. */
function repair(value: unknown, field: Field): string | undefined {
  if (typeof value !== 'string') return undefined;
  if (field.kind === 'boolean' && /^(yes|on|y|true|no|off|n|false)$/i.test(value)) return `write ${/^(yes|on|y|true)$/i.test(value)}`;
  if (field.choices) {
    const near = closest(value, field.choices);
    return near && `did you mean ${near}?`;
  }
  const number = Number(value.replace(/[_, ]/g, ''));
  return field.kind === 'number' && value.trim() !== '' && Number.isFinite(number)
    ? `write ${number}, without quotes or separators`
    : undefined;
}

function fallback(field: Field): string {
  if (field.example) return `for example ${field.key}: ${field.example}`;
  const usual = field.default === undefined ? field.computed : JSON.stringify(field.default);
  return `leave it out for the default: ${usual}`;
}

/** A value as a person wrote it, or nearly. */
export function show(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (typeof value === 'number') return String(value);
  return short(JSON.stringify(value));
}
