/**
 * The directory of one stage's run: config.yaml, environment.json, metrics.jsonl, samples.jsonl, summary.json, tensorboard/,
 * checkpoints/step-000500/ …, final/. What depends on clock, machine or path stands in environment.json alone (and in TensorBoard's files).
 */
import fs from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { DeviceDescription } from '../backends/device.js';
import { type LatestCheckpoint, latestCheckpoint } from '../checkpoints/load.js';
import { verifyCheckpoint } from '../checkpoints/manifest.js';
import { stepName, stepOf } from '../checkpoints/save.js';
import { UserError } from '../util/errors.js';
import { cleanLeftovers, exists, makeFolder, writeFileAtomic } from '../util/files.js';
import { JsonLinesWriter, MetricsWriter } from './metrics.js';
import { lockRun } from './run-lock.js';

export interface OpenRunOptions {
  /** `auto`: from the newest whole checkpoint, from the start if there is none yet. A path: from that checkpoint. */
  resume?: 'auto' | (string & {});
}

/** What a run has been computed with. */
export interface Environment {
  device: string;
  /** Instruction set of the native device. */
  isa?: string;
  threads?: number;
  [fact: string]: unknown;
}

/** What a finished stage reports: its summary.json. */
export interface StageResult {
  stage: string;
  /** Directory of the finished model. */
  checkpoint: string;
  steps: number;
  tokens: number;
  seconds: number;
  tokens_per_second: number;
  peak_memory_bytes: number;
  device: DeviceDescription;
  /** Last and best values. */
  metrics: Record<string, number>;
}

export interface RunDirectory {
  readonly path: string;
  /** The checkpoint to go on from; absent when the run begins. */
  readonly resumeFrom?: { path: string; step: number };
  /** Corrupt checkpoints that were passed over, and why: to be told to the user. */
  readonly skipped: LatestCheckpoint['skipped'];
  /** What the run was computed with before it was resumed. */
  readonly environment?: Environment;
  /** Cut back to the step of `resumeFrom`. */
  readonly metrics: MetricsWriter;
  readonly samples: JsonLinesWriter;
  /** Holds the checkpoints `step-…`. */
  readonly checkpoints: string;
  /** Where the finished model goes. */
  readonly final: string;
  checkpoint(step: number): string;
  writeConfig(yaml: string): Promise<void>;
  writeEnvironment(environment: Environment): Promise<void>;
  writeSummary(summary: StageResult): Promise<void>;
  /** Closes the files and lets go of the directory. */
  close(): Promise<void>;
}

/**
 * Opens a run's directory for the one process that writes it.
 * @throws UserError when it holds a run and resuming was not asked for, when another process writes it, or when there is nothing whole to resume from.
 */
export async function openRunDirectory(path: string, options: OpenRunOptions = {}): Promise<RunDirectory> {
  const checkpoints = join(path, 'checkpoints');
  const final = join(path, 'final');
  await makeFolder(checkpoints);
  const unlock = await lockRun(join(path, 'run.lock'));
  try {
    await cleanLeftovers(path);
    await cleanLeftovers(checkpoints);
    const { resumeFrom, skipped } = await startingPoint(path, options.resume);
    await setAsideAfter(checkpoints, resumeFrom?.step ?? -1);
    const environment = await readEnvironment(join(path, 'environment.json'));
    const keepThrough = resumeFrom?.step ?? -1;
    const metrics = await MetricsWriter.open(
      join(path, 'metrics.jsonl'),
      join(path, 'tensorboard', 'events.out.tfevents.fourfold'),
      keepThrough,
    );
    const samples = await JsonLinesWriter.open(join(path, 'samples.jsonl'), keepThrough);
    const writeJson = (name: string, value: object) => writeFileAtomic(join(path, name), `${JSON.stringify(value, null, 2)}\n`);
    return {
      path,
      resumeFrom,
      skipped,
      environment: resumeFrom && environment,
      metrics,
      samples,
      checkpoints,
      final,
      checkpoint: (step) => join(checkpoints, stepName(step)),
      writeConfig: (yaml) => writeFileAtomic(join(path, 'config.yaml'), yaml),
      writeEnvironment: (now) => writeJson('environment.json', described(now, resumeFrom ? environment : undefined, resumeFrom?.step)),
      writeSummary: (summary) => writeJson('summary.json', summary),
      close: async () => {
        metrics.close();
        samples.close();
        await unlock();
      },
    };
  } catch (error) {
    await unlock();
    throw error;
  }
}

async function startingPoint(path: string, resume: string | undefined): Promise<Pick<RunDirectory, 'resumeFrom' | 'skipped'>> {
  if (resume === 'auto') {
    const latest = await latestCheckpoint(join(path, 'checkpoints'));
    if (latest.path) return { resumeFrom: { path: latest.path, step: latest.step! }, skipped: latest.skipped };
    if (latest.skipped.length === 0) return { skipped: [] };
    const reasons = latest.skipped.map((one) => `\n  ${one.path}: ${one.reasons.join('; ')}`);
    throw new UserError(
      `resuming ${path}: a whole checkpoint is needed; all are damaged. Start anew in another output_dir${reasons.join('')}`,
    );
  }
  const held = await contentsOfRun(path);
  if (resume === undefined) {
    if (!held) return { skipped: [] };
    throw new UserError(
      `opening the run ${path}: a new run needs a directory without one; it holds ${held}. Go on with it (--resume auto) or choose another output_dir`,
    );
  }
  const ours = [resolve(path), resolve(path, 'checkpoints')].includes(dirname(resolve(resume)));
  if (held && !ours) {
    throw new UserError(
      `resuming from ${resume}: the checkpoint must be one of the run in ${path}, which holds ${held}. Choose another output_dir to go on from this one`,
    );
  }
  const problems = await verifyCheckpoint(resume);
  if (problems.length > 0) {
    throw new UserError(
      `resuming from ${resume}: the checkpoint must be whole; ${problems.join('; ')}. --resume auto takes the newest whole one`,
    );
  }
  return { resumeFrom: { path: resume, step: stepOf(basename(resolve(resume))) ?? (await savedStep(resume)) }, skipped: [] };
}

/** What of a run lies in `path`, in words. */
async function contentsOfRun(path: string): Promise<string | undefined> {
  const steps = (await fs.readdir(join(path, 'checkpoints'))).filter((name) => stepOf(name) !== undefined);
  if (steps.length > 0) return `${steps.length} checkpoint${steps.length > 1 ? 's' : ''}`;
  if (await exists(join(path, 'final'))) return 'a finished model';
  const metrics = await fs.stat(join(path, 'metrics.jsonl')).catch(() => undefined);
  return metrics && metrics.size > 0 ? 'metrics' : undefined;
}

async function savedStep(checkpoint: string): Promise<number> {
  const state = JSON.parse(await fs.readFile(join(checkpoint, 'trainer_state.json'), 'utf8').catch(() => '{}')) as { step?: unknown };
  if (typeof state.step === 'number') return state.step;
  throw new UserError(
    `resuming from ${checkpoint}: its trainer_state.json must say the step. To train on from its weights, use init_from=${checkpoint}`,
  );
}

/** Checkpoints after `step` belong to a course that the run no longer takes; they stay, under a name that nothing takes for a checkpoint. */
async function setAsideAfter(checkpoints: string, step: number): Promise<void> {
  for (const name of await fs.readdir(checkpoints)) {
    if ((stepOf(name) ?? -1) <= step) continue;
    const aside = join(checkpoints, `${name}.set-aside`);
    await fs.rm(aside, { recursive: true, force: true });
    await fs.rename(join(checkpoints, name), aside);
  }
}

async function readEnvironment(file: string): Promise<Environment | undefined> {
  try {
    return JSON.parse(await fs.readFile(file, 'utf8')) as Environment;
  } catch {
    return undefined; // it informs; a run goes on without it
  }
}

/** The contents of environment.json: the present, and under `earlier` what was before each resumption. */
function described(environment: Environment, before: Environment | undefined, resumedAt: number | undefined): object {
  const { earlier = [], ...last }: Partial<Environment> = before ?? {};
  return {
    ...environment,
    node: process.version,
    platform: process.platform,
    arch: process.arch,
    started: new Date().toISOString(),
    argv: process.argv.slice(2),
    resumed_at_step: resumedAt,
    earlier: before ? [...(earlier as object[]), last] : [],
  };
}
