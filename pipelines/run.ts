import { fork } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { stringify } from 'yaml';
import { type WrittenReport, writeReport } from '../evaluation/report/report.js';
import { duration } from '../training/progress.js';
import { lockRun } from '../training/run-lock.js';
import { UserError } from '../util/errors.js';
import { exists, isRunning, makeFolder, writeFileAtomic } from '../util/files.js';
import { besides } from '../util/workers.js';
import { Display } from './display.js';
import { codeHash, contentsHash, inputHashes, keyOf, readRecord, type StepRecord, writeLineage, writeRecord } from './lineage.js';
import type { Plan, Step } from './step.js';
import type { Order, Outcome } from './step-process.js';

export interface RunOptions {
  /** The first step that is looked at; what those before it made is taken as it is. */
  from?: string;
  /** The last one that is run. */
  until?: string;
  /** Run steps again although nothing has changed. */
  force?: boolean;
  /** Go on inside a step that was stopped; without it, it begins anew. */
  resume?: boolean;
  signal: AbortSignal;
  display?: Display;
}

const ORPHAN_MS = 60_000;

/**
 * Runs the steps of a pipeline in their order, each in a process of its own. A step whose inputs, configuration and code are what they were when it was
 * done is not run again. What a step has made for another configuration is set aside beside it, as DIRECTORY.before.
 * Writes pipeline.yaml, lineage.json, summary.json and the report into the run's directory.
 * @throws UserError when a step fails, with what it said; an AbortError when the signal stopped it.
 */
export async function runPipeline(plan: Plan, options: RunOptions): Promise<WrittenReport> {
  const display = options.display ?? new Display();
  const range = rangeOf(plan, options);
  await makeFolder(plan.output_dir);
  const code = await codeHash();
  const unlock = await lockRun(path.join(plan.output_dir, 'run.lock'));
  try {
    await writeFileAtomic(path.join(plan.output_dir, 'pipeline.yaml'), resolvedPipeline(plan));
    const made = new Map<string, string>(); // hashes of outputs, by path
    const pace: Pace = { expected: 0, took: 0 };
    for (const [i, step] of plan.steps.entries()) {
      if (i > range.last) break;
      const later = await secondsLeft(plan.steps.slice(i + 1, range.last + 1), pace);
      if (i < range.first) {
        await takeAsItIs(step, options.from!, made);
        continue;
      }
      const inputs = await inputHashes(step, plan.steps, made);
      const key = keyOf(step, inputs, code);
      const before = await readRecord(step.directory);
      if (!options.force && before !== undefined && (await isUnchanged(step, key, before, made))) {
        display.skip(i + 1, plan.steps.length, step.name, 'unchanged');
        continue;
      }
      const resume = options.resume === true && before?.key === key && before.state !== 'done';
      if (!resume) await setAside(step.directory);
      const record = freshRecord(step, key, inputs, resume ? before : undefined);
      display.begin(i + 1, plan.steps.length, step.name, resume ? 'going on' : step.kind.name, later);
      const began = Date.now();
      const earlier = record.seconds ?? 0;
      const write = (now: Partial<StepRecord>) =>
        writeRecord(step.directory, Object.assign(record, now, { seconds: earlier + (Date.now() - began) / 1000 }));
      const outcome = await runStep(step, resume, options.signal, display, (pid) => write({ state: 'stopped', pid }));
      const { peak_memory_bytes } = outcome;
      delete record.pid;
      if ('error' in outcome) {
        const { message, exitCode } = outcome.error;
        await write({ state: 'failed', error: message, peak_memory_bytes });
        display.end('failed');
        throw new UserError(`The step ${step.name} failed: ${message}\nIts output: ${path.join(step.directory, 'log.txt')}`, exitCode ?? 1);
      }
      if ('stopped' in outcome) {
        await write({ state: 'stopped', peak_memory_bytes });
        display.end('stopped');
        throw new DOMException('stopped', 'AbortError');
      }
      await write({ state: 'done', outputs: await hashedOutputs(step, plan, made), peak_memory_bytes });
      display.end(`done in ${duration(1000 * record.seconds!)}`);
      if (step.seconds !== undefined && !resume)
        Object.assign(pace, { expected: pace.expected + step.seconds, took: pace.took + record.seconds! });
    }
    await writeLineage(plan, code);
    await writeSummary(plan);
    return await writeReport(plan.output_dir);
  } catch (error) {
    await writeLineage(plan, code).catch(() => {});
    throw error;
  } finally {
    await unlock();
  }
}

function rangeOf({ steps }: Plan, { from, until }: RunOptions): { first: number; last: number } {
  const place = (name: string | undefined, flag: string, otherwise: number) => {
    if (name === undefined) return otherwise;
    const found = steps.findIndex((step) => step.name === name);
    if (found >= 0) return found;
    throw new UserError(`run: ${flag} must name a step; received ${name}; the steps are ${steps.map((step) => step.name).join(', ')}`);
  };
  const [first, last] = [place(from, '--from', 0), place(until, '--until', steps.length - 1)];
  if (first > last) throw new UserError(`run: --from must not be after --until; received ${from} and ${until}`);
  return { first, last };
}

/** What a step before `from` has made. */
async function takeAsItIs({ name, directory, outputs }: Step, from: string, made: Map<string, string>): Promise<void> {
  const record = await readRecord(directory);
  if (record?.state !== 'done')
    throw new UserError(`run: --from ${from} needs what the steps before it made; ${name} is not done. Leave --from out`);
  for (const [key, { path: file }] of Object.entries(outputs)) made.set(file, record.outputs[key]?.sha256 ?? (await contentsHash(file)));
}

/** Whether a step was done for the same work, and what it made is still what it was. Then its outputs are known. */
async function isUnchanged({ outputs }: Step, key: string, record: StepRecord, made: Map<string, string>): Promise<boolean> {
  if (record.state !== 'done' || record.key !== key) return false;
  for (const [name, { path: file }] of Object.entries(outputs)) {
    if (!(await exists(file))) return false;
    const hash = await contentsHash(file);
    if (hash !== record.outputs[name]?.sha256) return false;
    made.set(file, hash);
  }
  return true;
}

async function setAside(directory: string): Promise<void> {
  if (!(await exists(directory))) return;
  await fs.rm(`${directory}.before`, { recursive: true, force: true });
  await fs.rename(directory, `${directory}.before`);
}

function freshRecord(
  { name, kind, directory, config }: Step,
  key: string,
  inputs: Record<string, string>,
  before?: StepRecord,
): StepRecord {
  const seed = (config as { seed?: number }).seed;
  return {
    ...{
      name,
      kind: kind.name,
      directory: path.basename(directory),
      key,
      ...(seed !== undefined && { seed }),
      config,
      inputs,
      outputs: {},
    },
    ...{ state: 'stopped', started: before?.started ?? new Date().toISOString(), seconds: before?.seconds ?? 0 },
  };
}

/** The step in its own process. What it prints goes to log.txt, and to the display. */
async function runStep(
  step: Step,
  resume: boolean,
  signal: AbortSignal,
  display: Display,
  started: (pid: number) => Promise<void>,
): Promise<Outcome> {
  await makeFolder(step.directory);
  await orphanGone(step.directory);
  signal.throwIfAborted();
  const log = createWriteStream(path.join(step.directory, 'log.txt'), { flags: 'a' });
  const child = fork(besides(import.meta.url, './step-process'), [], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  const tell = (order: Order) => child.connected && child.send(order);
  const stop = () => tell({ stop: true });
  signal.addEventListener('abort', stop);
  try {
    await started(child.pid!);
    for (const output of [child.stdout!, child.stderr!]) {
      createInterface({ input: output }).on('line', (line) => {
        log.write(`${line}\n`);
        if (line.trim() !== '') display.line(line);
      });
    }
    let outcome: Outcome | undefined;
    child.on('message', (message) => {
      outcome = message as Outcome;
    });
    tell({ run: { kind: step.kind.name, config: step.config, directory: step.directory, resume } });
    const [code, killedBy] = await new Promise<[number | null, string | null]>((resolve) => child.on('close', (...how) => resolve(how)));
    const how =
      killedBy === null
        ? `it ended with exit code ${code}`
        : `it was killed by ${killedBy}${killedBy === 'SIGKILL' ? ', as a system does that runs out of memory' : ''}`;
    return outcome ?? { error: { message: how }, peak_memory_bytes: 0 };
  } finally {
    signal.removeEventListener('abort', stop);
    await new Promise((resolve) => log.end(resolve));
  }
}

/** A pipeline that was killed leaves its step's process, which ends as soon as it notices. */
async function orphanGone(directory: string): Promise<void> {
  const pid = (await readRecord(directory))?.pid;
  if (pid === undefined) return;
  for (const end = Date.now() + ORPHAN_MS; isRunning(pid); ) {
    if (Date.now() > end)
      throw new UserError(`run: one process at a time may write ${directory}; process ${pid} of an earlier run does. Stop it`);
    await setTimeout(50);
  }
}

async function hashedOutputs({ outputs }: Step, { output_dir }: Plan, made: Map<string, string>): Promise<StepRecord['outputs']> {
  const hashed: StepRecord['outputs'] = {};
  for (const [name, { path: file, type }] of Object.entries(outputs)) {
    const sha256 = await contentsHash(file);
    made.set(file, sha256);
    hashed[name] = { path: path.relative(output_dir, file), type, sha256 };
  }
  return hashed;
}

/** How long steps took, and how long the file says they would. */
interface Pace {
  expected: number;
  took: number;
}

/** Of steps to come: as long as they took the last time, else as the file says, at the pace of those before; undefined where neither is known. */
async function secondsLeft(steps: readonly Step[], { expected, took }: Pace): Promise<number | undefined> {
  let total = 0;
  for (const { directory, seconds } of steps) {
    const record = await readRecord(directory);
    const last = record?.state === 'done' ? record.seconds : undefined;
    if (last === undefined && seconds === undefined) return undefined;
    total += last ?? seconds! * (expected > 0 ? took / expected : 1);
  }
  return total;
}

/** The pipeline as it is run: references are paths, and each configuration is complete. */
function resolvedPipeline({ name, steps, ...shared }: Plan): string {
  return stringify({ name, ...shared, steps: steps.map(({ name, kind, config }) => ({ name, kind: kind.name, config })) });
}

/** summary.json: what each stage reports, and the verdict where a step gives one. */
async function writeSummary({ output_dir, steps }: Plan): Promise<void> {
  const read = async (file: string): Promise<unknown> => JSON.parse(await fs.readFile(file, 'utf8').catch(() => 'null'));
  const stages: object[] = [];
  let verdict: { models?: unknown } | undefined;
  for (const { name, kind, directory } of steps) {
    const summary = (await read(path.join(directory, 'summary.json'))) as object | null;
    if (summary !== null) stages.push({ name, ...summary });
    if (kind.name === 'verdict') verdict = ((await read(path.join(directory, 'verdict.json'))) as typeof verdict) ?? undefined;
  }
  await writeFileAtomic(path.join(output_dir, 'summary.json'), `${JSON.stringify({ stages, verdict: verdict?.models }, null, 2)}\n`);
}
