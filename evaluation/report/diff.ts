/** What differs between runs: keys of their configurations, and what their lineage recorded. */
import { resolve, sep } from 'node:path';
import { isRecord, type Run, type RunStep } from './read.js';

/** One thing that is not the same in all runs. */
export interface Difference {
  step: string;
  key: string;
  /** One a run; undefined where it has none. */
  values: (string | undefined)[];
}

/** The keys of the steps' configurations that differ, of steps that at least two runs have. Paths into a run count as the same in each. */
export function configDifferences(runs: readonly Run[]): Difference[] {
  return stepNames(runs).flatMap((step) => {
    const configs = runs.map((run) => {
      const own = stepOf(run, step);
      return own && flattened(own.config, (value) => withinRun(run, value));
    });
    if (configs.filter((config) => config !== undefined).length < 2) return [];
    return differing(step, configs);
  });
}

/** Steps that not every run has, and whose seed, inputs or outputs differ; and the environments. */
export function lineageDifferences(runs: readonly Run[]): Difference[] {
  const environments = differing(
    'environment',
    runs.map(({ environment }) => flattened(environment, String)),
  );
  const steps = stepNames(runs).flatMap((name) => {
    const own = runs.map((run) => stepOf(run, name));
    if (own.some((step) => step === undefined)) return [{ step: name, key: 'is there', values: own.map((step) => (step ? 'yes' : 'no')) }];
    return differing(name, own.map(lineageFacts));
  });
  return [...environments.filter(({ key }) => !PASSING.has(key)), ...steps];
}

/** Facts of an environment.json that differ between any two runs. */
const PASSING = new Set(['started', 'argv', 'earlier']);

function lineageFacts(step: RunStep | undefined): Map<string, string> {
  const { seed, inputs = {}, outputs = {}, state } = step?.record ?? {};
  const facts: [string, string | undefined][] = [
    ['state', state],
    ['seed', seed === undefined ? undefined : String(seed)],
    ...Object.entries(inputs).map(([key, sha]): [string, string] => [`in: ${key}`, sha]),
    ...Object.entries(outputs).map(([key, { sha256 }]): [string, string | undefined] => [`out: ${key}`, sha256]),
  ];
  return new Map(facts.filter((fact): fact is [string, string] => fact[1] !== undefined));
}

/** The keys that have not the same value in all. A run that lacks the step has no value and makes no difference. */
function differing(step: string, runs: readonly (ReadonlyMap<string, string> | undefined)[]): Difference[] {
  const keys = [...new Set(runs.flatMap((values) => [...(values?.keys() ?? [])]))];
  const present = runs.filter((values) => values !== undefined);
  return keys
    .filter((key) => new Set(present.map((values) => values.get(key))).size > 1)
    .map((key) => ({ step, key, values: runs.map((values) => values?.get(key)) }));
}

/** Names of all runs' steps, in the order in which they come up. */
export const stepNames = (runs: readonly Run[]): string[] => [...new Set(runs.flatMap(({ steps }) => steps.map(({ name }) => name)))];

export const stepOf = ({ steps }: Run, name: string): RunStep | undefined => steps.find((step) => step.name === name);

/** Nested keys with points between them; a list is one value. */
export function flattened(config: Readonly<Record<string, unknown>>, write: (value: string) => string, prefix = ''): Map<string, string> {
  const all = new Map<string, string>();
  for (const [key, value] of Object.entries(config)) {
    if (value === undefined || value === null) continue;
    if (isRecord(value)) for (const [below, text] of flattened(value, write, `${prefix}${key}.`)) all.set(below, text);
    else all.set(prefix + key, typeof value === 'string' ? write(value) : JSON.stringify(value));
  }
  return all;
}

/** A path into a run's directory, as seen from there. */
function withinRun({ path }: Run, value: string): string {
  if (!/[\\/]/.test(value) && resolve(value) !== resolve(path)) return value; // a word, no path
  const inside = `${resolve(value)}${sep}`.startsWith(`${resolve(path)}${sep}`);
  return inside ? `RUN${resolve(value).slice(resolve(path).length)}` : value;
}
