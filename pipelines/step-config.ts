import { existsSync } from 'node:fs';
import type { z } from 'zod';
import { checked } from '../configs/check.js';
import { readConfig } from '../configs/load.js';
import type { PipelineKeys, stepKeys } from '../configs/pipeline-keys.js';
import { presetNames, presetPath } from '../configs/presets.js';
import { show } from '../configs/problems.js';
import { overlaid, type Placed, type Problem, Source, within } from '../configs/source.js';
import { closest } from '../configs/suggest.js';
import { KINDS, type Kind } from './kinds.js';
import { isPlaceOf, type Reference, replaceReferences } from './references.js';
import type { Step } from './step.js';

/** Says what is wrong in a step, `below` its place. @param key: with the name there, not its value. */
export type Report = (below: readonly PropertyKey[], text: string, key?: boolean) => void;

/** A step's configuration as written, and where. */
interface Written {
  name: string;
  kind: Kind;
  values: Placed;
}

/** Keys that a step has of the pipeline where it says nothing itself. */
const SHARED = ['seed', 'device', 'threads', 'precision'] as const;

/** The kind of a step: what it says, or else its name. */
export function kindOf(name: string, given: string | undefined, report: Report): Kind | undefined {
  const wanted = given ?? name;
  if (Object.hasOwn(KINDS, wanted)) return KINDS[wanted];
  const near = closest(wanted, Object.keys(KINDS));
  const wayOut = near === undefined ? `the kinds are ${Object.keys(KINDS).join(', ')}` : `did you mean ${near}?`;
  if (given === undefined) report([], `is the name of no kind, so kind is required; received nothing; ${wayOut}`, true);
  else report(['kind'], `there is no such kind of step; received ${show(given)}; ${wayOut}`);
  return undefined;
}

/** What a step says of its configuration: `config` over `config_file`. */
export async function valuesOf(
  step: Placed,
  { config_file: file }: z.output<typeof stepKeys>,
  report: Report,
): Promise<Placed | undefined> {
  const own = within(step, ['config'], step.at(['config']) ?? {});
  if (typeof own.value !== 'object' || Array.isArray(own.value)) {
    report(['config'], `must be a section of keys; received ${show(own.value)}; a file is named by config_file`);
    return undefined;
  }
  if (file === undefined) return overlaid(within(step, ['config'], {}), own);
  const found = presetPath(file) ?? file;
  if (!existsSync(found)) {
    const wayOut = `name a YAML file or a ready configuration: ${presetNames().join(', ')}`;
    report(['config_file'], `there is no such file; received ${show(file)}; ${wayOut}`);
    return undefined;
  }
  const base = new Source(found, await readConfig(found));
  for (const { place, text } of base.problems) report(['config_file'], `${place}: ${text}`);
  return base.valid ? overlaid(base, own) : undefined;
}

/**
 * Puts paths in the place of references.
 * @param steps those before that are known; @param before the names of all that stand before: what is wrong with the others is said there.
 */
export function connect({ name, kind, values }: Written, steps: readonly Step[], before: readonly string[]) {
  const problems: Problem[] = [];
  const references: Reference[] = [];
  const value = replaceReferences(values.value, (reference) => {
    const { path: at, step: other, output } = reference;
    const refuse = (rule: string, wayOut: string, received = '') => {
      const written = `\${${other}${output === '' ? '' : `.${output}`}}${received}`;
      problems.push({ ...values.place(at), text: `${[name, 'config', ...at].join('.')}: ${rule}; received ${written}; ${wayOut}` });
    };
    const step = steps.find((one) => one.name === other);
    if (step === undefined) {
      const near = closest(other, before);
      if (!before.includes(other))
        refuse(
          'must name a step that stands before it',
          near === undefined ? `those are ${before.join(', ') || 'none'}` : `did you mean ${near}?`,
        );
      return undefined;
    }
    const made = step.outputs[output];
    if (made === undefined) {
      refuse(`${other} makes ${Object.keys(step.outputs).join(', ')}`, 'name one of those');
      return undefined;
    }
    const taken = Object.entries(kind.takes).find(([place]) => isPlaceOf(at, place))?.[1] ?? [];
    if (taken.length === 0) refuse('takes nothing that a step makes', 'write what is meant', `, ${made.type}`);
    else if (!taken.includes(made.type) && made.type !== 'table')
      refuse(`takes ${taken.filter((type) => type !== 'table').join(' or ')}`, 'name another', `, ${made.type}`);
    references.push(reference);
    return made.path;
  });
  return { value, references, problems };
}

interface Surroundings {
  shared: Omit<PipelineKeys, 'steps'>;
  /** Where the step writes. */
  directory: string;
  /** Whether a file need not be there yet. */
  isMade(file: string): boolean;
}

/** Adds what a step has of the pipeline, and checks its configuration. */
export function complete(
  { name, kind, values }: Written,
  { shared, directory, isMade }: Surroundings,
): { config?: unknown; placed: Placed; problems: Problem[] } {
  const keys = Object.keys(kind.keys.shape);
  const own: Record<string, unknown> = { ...(values.value as object) };
  const problems: Problem[] = [];
  const refuse = (key: string, rule: string, wayOut: string) =>
    problems.push({ ...values.place([key], true), text: `${name}.config.${key}: ${rule}; received ${show(own[key])}; ${wayOut}` });
  if (own.output_dir !== undefined) refuse('output_dir', `a step writes to ${directory}`, 'set the output_dir of the pipeline');
  const foreign = keys.includes('stage') && own.stage !== undefined && own.stage !== kind.name;
  if (foreign) refuse('stage', `must be ${kind.name}`, 'name another config_file, or another kind');
  delete own.output_dir;
  for (const key of SHARED) if (keys.includes(key) && own[key] === undefined && shared[key] !== undefined) own[key] = shared[key];
  if (keys.includes('output_dir')) own.output_dir = directory;
  const placed = within(values, [], own);
  if (foreign) return { placed, problems };
  const result = checked(kind, placed, { files: (file) => !isMade(file) });
  problems.push(...result.problems.map((problem) => ({ ...problem, text: `${name}.${problem.text}` })));
  return { config: result.config, placed, problems };
}
