import { z } from 'zod';

/** What a key says of itself. Error messages and docs/configuration.md are made of this. */
export interface Notes {
  meaning: string;
  /** The default where it is computed from other keys; a fixed one stands in the schema. */
  computed?: string;
  /** A value to show where a required key is missing. */
  example?: string;
  /** Where the default comes from. */
  source?: string;
}

/** One key of a configuration, as found in its schema. */
export interface Field extends Notes {
  /** Dotted, as on the command line: `model.hidden_size`. */
  key: string;
  default?: unknown;
  /** The words to choose from. */
  choices?: readonly string[];
  kind: 'number' | 'boolean' | 'text' | 'texts' | 'weights' | 'section' | 'sections';
}

/** A whole number from `min` up. */
export function whole(min: number, notes: Notes) {
  const error = `must be a whole number, ${min} or more`;
  return z
    .int({ error })
    .min(min, { error })
    .meta({ ...notes });
}

/** A number for which `test` holds; `rule` says in words when it does, after "must be". */
export function number(rule: string, test: (value: number) => boolean, notes: Notes) {
  const error = `must be ${rule}`;
  return z
    .number({ error })
    .refine(test, { error })
    .meta({ ...notes });
}

export function positive(notes: Notes) {
  return number('a number above 0', (value) => value > 0, notes);
}

/** A probability that must not be 1. */
export function fraction(notes: Notes) {
  return number('a number from 0 to below 1', (value) => value >= 0 && value < 1, notes);
}

export function choice<const T extends readonly string[]>(values: T, notes: Notes) {
  return z.enum(values, { error: `must be one of ${values.join(', ')}` }).meta({ ...notes });
}

export function flag(notes: Notes) {
  return z.boolean({ error: 'must be true or false' }).meta({ ...notes });
}

/** Text that is not empty: a path or a name. */
export function text(notes: Notes) {
  const error = 'must be text that is not empty';
  return z
    .string({ error })
    .min(1, { error })
    .meta({ ...notes });
}

export function texts(notes: Notes) {
  return z.array(z.string({ error: 'must be text' }), { error: 'must be a list of texts' }).meta({ ...notes });
}

/**
 * One or more of some words, each once, in the order given.
 * @param refusals words that are none of them, with what is to be said of them.
 */
export function choices<const T extends readonly string[]>(values: T, notes: Notes, refusals: ReadonlyMap<unknown, string> = new Map()) {
  const error = `must be a list of ${values.join(', ')}`;
  const word = z.enum(values, { error: ({ input }) => refusals.get(input) ?? `must be one of ${values.join(', ')}` });
  return z
    .array(word, { error })
    .min(1, { error })
    .refine((words) => new Set(words).size === words.length, { error: 'must name each once' })
    .meta({ ...notes });
}

/** One path or several, as a list. */
export function pathOrPaths(notes: Notes) {
  const error = 'must be a path or a list of paths';
  const path = z.string({ error }).min(1, { error });
  return z
    .union([path, z.array(path, { error }).min(1, { error })], { error })
    .transform((value) => (typeof value === 'string' ? [value] : value))
    .meta({ ...notes });
}

/** A number for each name. */
export function weights(notes: Notes) {
  const error = 'must be a number, 0 or more';
  return z
    .record(z.string(), z.number({ error }).min(0, { error }), { error: 'must be a section of names, each with a weight' })
    .meta({ ...notes });
}

/** A group of keys. A missing one is an empty one, so that its required keys are reported by name. */
export function section<S extends z.ZodRawShape>(shape: S, notes: Notes) {
  return z.strictObject(shape, { error: 'must be a section of keys' }).meta({ ...notes });
}

/** Sections of the same keys, each under a name of the user's own. In the keys of `fieldsOf` the name is `NAME`; see `underNames`. */
export function named<S extends z.ZodObject>(keys: S, notes: Notes) {
  const name = z.string().regex(/^[\w-]+$/);
  const error = ({ code }: { code?: string }) =>
    code === 'invalid_key' ? 'must have a name of letters, digits, - and _' : 'must be a section of names, each with its keys';
  return z.record(name, keys, { error }).meta({ ...notes });
}

/** A key with `NAME` in it as the keys of the names that a configuration has there: `models.NAME.path` → `models.sft.path`, …; another key as it is. */
export function underNames(key: string, at: (path: readonly string[]) => unknown): string[] {
  const [before, after] = key.split('.NAME.');
  if (after === undefined) return [key];
  const found = at(before.split('.'));
  const names = typeof found === 'object' && found !== null && !Array.isArray(found) ? Object.keys(found) : [];
  return names.map((name) => `${before}.${name}.${after}`);
}

/** Every key of a schema by its dotted name, in the schema's order. */
export function fieldsOf(schema: z.ZodObject, prefix = ''): Map<string, Field> {
  const fields = new Map<string, Field>();
  for (const [name, wrapped] of Object.entries(schema.shape as Record<string, z.ZodType>)) {
    const key = prefix + name;
    const { inner, fallback } = unwrap(wrapped);
    fields.set(key, {
      ...(inner.meta() as unknown as Notes),
      key,
      default: fallback,
      choices: choicesOf(inner),
      kind: kindOf(inner),
    });
    const [sections, under] = inner instanceof z.ZodRecord ? [inner.valueType, `${key}.NAME.`] : [inner, `${key}.`];
    if (sections instanceof z.ZodObject) for (const [below, field] of fieldsOf(sections, under)) fields.set(below, field);
  }
  return fields;
}

function choicesOf(type: z.ZodType): readonly string[] | undefined {
  if (type instanceof z.ZodArray) return choicesOf(type.element as z.ZodType);
  return type instanceof z.ZodEnum ? (type.options as string[]) : undefined;
}

function kindOf(type: z.ZodType): Field['kind'] {
  if (type instanceof z.ZodObject) return 'section';
  if (type instanceof z.ZodNumber) return 'number';
  if (type instanceof z.ZodBoolean) return 'boolean';
  if (type instanceof z.ZodRecord) return type.valueType instanceof z.ZodObject ? 'sections' : 'weights';
  return type instanceof z.ZodArray ? 'texts' : 'text';
}

function unwrap(type: z.ZodType): { inner: z.ZodType; fallback?: unknown } {
  if (type instanceof z.ZodOptional) return unwrap(type.unwrap() as z.ZodType);
  if (type instanceof z.ZodPrefault) return unwrap(type.unwrap() as z.ZodType);
  if (type instanceof z.ZodDefault) return { inner: unwrap(type.unwrap() as z.ZodType).inner, fallback: type.def.defaultValue };
  return { inner: type };
}
