import path from 'node:path';
import { isDynamicPattern } from 'tinyglobby';
import { type ConfigKind, checked, listed } from '../configs/check.js';
import { readConfig } from '../configs/load.js';
import { type PipelineKeys, pipelineKeys } from '../configs/pipeline-keys.js';
import { readyNames, readyPath } from '../configs/presets.js';
import { type Problem, Source, within } from '../configs/source.js';
import { UserError } from '../util/errors.js';
import { type Facts, factsOnDisk, fits } from './fits.js';
import type { Plan, Step } from './step.js';
import { complete, connect, kindOf, type Report, valuesOf } from './step-config.js';

const PIPELINE: ConfigKind<PipelineKeys> = { name: 'pipeline', keys: pipelineKeys, schema: pipelineKeys, inputs: {} };
const TOP_KEYS = Object.keys(pipelineKeys.shape);

/**
 * Reads a pipeline and checks it as a whole: its steps' configurations, what they take from each other, tokenizers and context lengths. Nothing is run.
 * @param overrides `key=value` of the pipeline (`seed=2`) or of a step (`pretrain.max_steps=100`).
 * @throws UserError that lists everything that is wrong, each with its place.
 */
export async function loadPlan(file: string, overrides: readonly string[] = []): Promise<Plan> {
  const found = pipelinePath(file) ?? file;
  return parsePlan(await readConfig(found, `name a YAML file or a ready pipeline: ${pipelineNames().join(', ')}`), found, overrides);
}

/** `loadPlan` for text that is already in memory. */
export async function parsePlan(text: string, file: string, overrides: readonly string[] = []): Promise<Plan> {
  const source = new Source(file, text, overrides, ([first, ...rest]) =>
    TOP_KEYS.includes(first) ? [first, ...rest] : ['steps', first, 'config', ...rest],
  );
  const fail = (problems: readonly Problem[]) => new UserError(`Read the pipeline ${file}: ${listed(problems)}`);
  if (source.problems.length > 0) throw fail(source.problems);
  const name = path.basename(file, path.extname(file));
  const top = checked(PIPELINE, source, { defaults: { output_dir: `runs/${name}` } });
  if (top.config === undefined) throw fail(top.problems); // what the steps are is not known
  const { steps: written, ...shared } = top.config;
  const names = Object.keys(written);
  const problems: Problem[] = [];
  const steps: Step[] = [];
  const facts = new Map<string, Facts>(); // by the path of an output
  for (const [i, name] of names.entries()) {
    const directory = path.join(shared.output_dir, `${i + 1}-${name}`);
    const report: Report = (below, text, key = false) =>
      problems.push({ ...source.place(['steps', name, ...below], key), text: `${[name, ...below].join('.')}: ${text}` });
    const kind = kindOf(name, written[name].kind, report);
    const values = kind && (await valuesOf(within(source, ['steps', name]), written[name], report));
    if (kind === undefined || values === undefined) continue;
    const connected = connect({ name, kind, values }, steps, names.slice(0, i));
    const completed = complete(
      { name, kind, values: within(values, [], connected.value) },
      { shared, directory, isMade: (file) => isOf(steps, file) },
    );
    problems.push(...connected.problems, ...completed.problems);
    const known = await fits(
      { name, kind: kind.name, config: completed.placed },
      async (file) => (typeof file === 'string' && facts.get(file)) || factsOnDisk(file),
      (key, rule, received, wayOut) => report(['config', ...key.split('.')], `${rule}; received ${received}; ${wayOut}`),
    );
    const outputs = Object.fromEntries(
      Object.entries(kind.makes()).map(([key, { type, path: below }]) => [key, { type, path: path.join(directory, below) }]),
    );
    for (const output of Object.values(outputs)) facts.set(output.path, known);
    steps.push({
      name,
      kind,
      directory,
      config: completed.config,
      references: connected.references,
      outputs,
      seconds: written[name].seconds,
    });
  }
  if (problems.length > 0) throw fail(problems);
  return { name, ...shared, steps };
}

/** Whether a path is of what a step will have made, is a pattern, or cannot be known for what is wrong before. */
function isOf(steps: readonly Step[], file: string): boolean {
  return file.includes('${') || isDynamicPattern(file) || steps.some(({ directory }) => file.startsWith(directory + path.sep));
}

/** The file of a ready pipeline, `tiny` for example, where no file of that name lies here. */
export function pipelinePath(name: string): string | undefined {
  return readyPath('pipelines', name);
}

export function pipelineNames(): string[] {
  return readyNames('pipelines');
}
