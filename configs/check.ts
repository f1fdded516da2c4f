import { existsSync } from 'node:fs';
import type { z } from 'zod';
import { type Field, fieldsOf, underNames } from './fields.js';
import { problemsOf, show } from './problems.js';
import { isSection } from './rules.js';
import { type Placed, type Problem, valueAt } from './source.js';

/** What the configurations of one kind have that others have not. */
export interface ConfigKind<Config> {
  name: string;
  keys: z.ZodObject;
  schema: z.ZodType<Config>;
  /** Keys whose value is a file or directory that must be there (or a list of them), and what to do where it is not. */
  inputs: Record<string, string>;
  /** Keys that are none on purpose, and why. */
  refusals?: ReadonlyMap<string, string>;
}

/**
 * Checks and completes a configuration.
 * @param defaults values of keys that are not given.
 * @param files whether the files that it names must be there: all, none, or those for which it holds.
 * @returns the configuration where nothing is wrong with it.
 */
export function checked<Config>(
  kind: ConfigKind<Config>,
  source: Placed,
  { defaults = {}, files = false }: { defaults?: object; files?: boolean | ((path: string) => boolean) } = {},
): { config?: Config; problems: Problem[] } {
  const needed = typeof files === 'function' ? files : () => files;
  const problems = missingFiles(kind, source, needed);
  const result = kind.schema.safeParse(isSection(source.value) ? { ...defaults, ...source.value } : source.value);
  if (result.success && problems.length === 0) return { config: result.data, problems };
  problems.push(...problemsOf(result.error?.issues ?? [], source, fieldsIn(kind, source), kind.refusals));
  return { problems };
}

/** All problems, a line each, in the order of their places. */
export function listed(problems: readonly Problem[]): string {
  const sorted = [...problems].sort((a, b) => a.order - b.order);
  const lines = new Set(sorted.map(({ place, text }) => `${place}: ${text}`));
  return `${lines.size === 1 ? 'one error' : `${lines.size} errors`}\n${[...lines].join('\n')}`;
}

/** The keys that there are, sections under the names that the configuration gives them. */
function fieldsIn<Config>({ keys }: ConfigKind<Config>, source: Placed): Map<string, Field> {
  const fields = [...fieldsOf(keys)].flatMap(([key, field]) =>
    underNames(key, (path) => source.at(path)).map((key): [string, Field] => [key, { ...field, key }]),
  );
  return new Map(fields);
}

/** What the inputs of a configuration say: each path, and where. */
export function inputsOf<Config>({ inputs }: ConfigKind<Config>, config: unknown): { path: string[]; value: string; wayOut: string }[] {
  return Object.entries(inputs).flatMap(([key, wayOut]) =>
    underNames(key, (path) => valueAt(config, path)).flatMap((key) => {
      const path = key.split('.');
      const values = [valueAt(config, path)].flat().filter((value) => typeof value === 'string' && value !== '');
      return values.map((value) => ({ path, value: value as string, wayOut }));
    }),
  );
}

function missingFiles<Config>(kind: ConfigKind<Config>, source: Placed, needed: (path: string) => boolean): Problem[] {
  return inputsOf(kind, source.value)
    .filter(({ value }) => needed(value) && !existsSync(value))
    .map(({ path, value, wayOut }) => {
      const text = `${path.join('.')}: there is no such file; received ${show(value)}; ${wayOut}`;
      return { ...source.place(path), text };
    });
}
