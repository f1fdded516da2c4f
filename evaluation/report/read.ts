import { readdir, readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { parse } from 'yaml';
import type { z } from 'zod';
import { UserError } from '../../util/errors.js';
import { errorCode, exists } from '../../util/files.js';
import * as shapes from './shapes.js';

/** One line of metrics.jsonl or samples.jsonl. */
export type Line = Readonly<Record<string, unknown>>;

/** A step of a pipeline, or a stage that was run by itself, with what lies in its directory. */
export interface RunStep {
  name: string;
  /** What it does: world, tokenizer, pretrain, sft, reward, ppo, eval, verdict, …. */
  kind: string;
  directory: string;
  /** Its entry of the lineage; absent for a stage run by itself. */
  record?: shapes.StepRecord;
  /** The resolved configuration. */
  config: Readonly<Record<string, unknown>>;
  metrics: Line[];
  samples: Line[];
  /** Of a reward model that is an ensemble; the metrics are its first member's. */
  members?: number;
  summary?: shapes.Summary;
  environment: Readonly<Record<string, unknown>>;
  evaluations: shapes.Evaluation[];
  verdict?: shapes.Verdict;
}

/** Everything that a report says of a run. */
export interface Run {
  path: string;
  name: string;
  /** A pipeline's, or a stage that was run by itself. */
  whole: boolean;
  environment: Readonly<Record<string, unknown>>;
  steps: RunStep[];
  /** Files that are there and cannot be read, and why. */
  damaged: string[];
}

/**
 * Reads the directory of a pipeline, or of one stage or step. What is missing in it is missing in the result.
 * @throws UserError where the directory is neither.
 */
export async function readRun(path: string): Promise<Run> {
  const names = await readdir(path).catch((cause) => {
    throw new UserError(`report: a run is a directory; received ${path} (${errorCode(cause) ?? cause}). Name one, such as runs/tiny`, 1, {
      cause,
    });
  });
  const damaged: string[] = [];
  const name = basename(resolve(path));
  const lineage = await readJson(join(path, 'lineage.json'), shapes.lineage, damaged);
  const folders = names.filter((folder) => /^\d+-/.test(folder)).sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10));
  if (lineage || (folders.length > 0 && !names.includes('metrics.jsonl'))) {
    const recorded = (lineage?.steps ?? []).flatMap(({ directory }) => (directory === undefined ? [] : [directory]));
    const directories = [...recorded, ...folders.filter((folder) => !recorded.includes(folder))];
    const steps: RunStep[] = [];
    for (const [i, directory] of directories.entries()) {
      const own = await readJson(join(path, directory, 'step.json'), shapes.stepRecord, damaged);
      steps.push(await readStep(join(path, directory), damaged, lineage?.steps.find((step) => step.directory === directory) ?? own, i));
    }
    return { path, name: lineage?.pipeline ?? name, whole: true, environment: lineage?.environment ?? {}, steps, damaged };
  }
  const step = await readStep(path, damaged);
  if (step.kind === UNKNOWN) {
    throw new UserError(
      `report: a run is what fourfold run or a stage has written (lineage.json, or metrics.jsonl and config.yaml); ${path} holds neither. Name another`,
    );
  }
  return { path, name, whole: false, environment: step.environment, steps: [step], damaged };
}

const UNKNOWN = 'unknown';

async function readStep(directory: string, damaged: string[], record?: shapes.StepRecord, place = 0): Promise<RunStep> {
  const members = (await readdir(directory).catch(() => [])).filter((name) => /^member-\d+$/.test(name)).length;
  const log = members > 0 ? join(directory, 'member-0') : directory;
  const json = <T extends z.ZodType>(folder: string, file: string, shape: T) => readJson(join(folder, file), shape, damaged);
  const written = await readConfig(join(log, 'config.yaml'), damaged);
  const summary = await json(directory, 'summary.json', shapes.summary);
  const evaluations = await json(directory, 'evaluation.json', shapes.evaluations);
  const verdict = await json(directory, 'verdict.json', shapes.verdict);
  const stage = typeof written?.['stage'] === 'string' ? written['stage'] : summary?.stage;
  const kind = record?.kind ?? stage ?? (verdict ? 'verdict' : evaluations ? 'eval' : UNKNOWN);
  return {
    name: record?.name ?? (record ? `step ${place + 1}` : kind),
    ...{ kind, directory, record, summary, verdict },
    config: written ?? record?.config ?? {},
    metrics: await readLines(join(log, 'metrics.jsonl')),
    samples: await readLines(join(log, 'samples.jsonl')),
    ...(members > 0 && { members }),
    environment: (await json(log, 'environment.json', shapes.environment)) ?? {},
    evaluations: evaluations ?? [],
  };
}

/** A file's JSON in its shape; undefined where there is none. What is no JSON is told in `damaged`. */
async function readJson<T extends z.ZodType>(path: string, shape: T, damaged: string[]): Promise<z.output<T> | undefined> {
  if (!(await exists(path))) return undefined;
  try {
    const { success, data, error } = shape.safeParse(JSON.parse(await readFile(path, 'utf8')));
    if (success) return data;
    damaged.push(`${path}: ${error.issues[0]?.message}`);
  } catch (error) {
    damaged.push(`${path}: ${error instanceof Error ? error.message : error}`);
  }
  return undefined;
}

async function readConfig(path: string, damaged: string[]): Promise<Record<string, unknown> | undefined> {
  if (!(await exists(path))) return undefined;
  try {
    const config: unknown = parse(await readFile(path, 'utf8'));
    if (isRecord(config)) return config;
    damaged.push(`${path}: no keys`);
  } catch (error) {
    damaged.push(`${path}: ${error instanceof Error ? error.message : error}`);
  }
  return undefined;
}

/** JSON lines; a line that is cut off, the last one of a process that was killed, is passed over. */
async function readLines(path: string): Promise<Line[]> {
  if (!(await exists(path))) return [];
  return (await readFile(path, 'utf8')).split('\n').flatMap((line) => {
    try {
      const value: unknown = JSON.parse(line);
      return isRecord(value) ? [value] : [];
    } catch {
      return [];
    }
  });
}

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Steps of a kind, in order. */
export const stepsOf = ({ steps }: Run, ...kinds: string[]): RunStep[] => steps.filter(({ kind }) => kinds.includes(kind));

/** The verdict of a run: its last one that has a model. */
export const verdictOf = ({ steps }: Run): shapes.Verdict | undefined =>
  steps.findLast(({ verdict }) => verdict !== undefined && Object.keys(verdict.models).length > 0)?.verdict;
