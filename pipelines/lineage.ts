import { createHash } from 'node:crypto';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { glob } from 'tinyglobby';
import { physicalCores } from '../backends/device.js';
import { resolveCheckpoint } from '../checkpoints/load.js';
import { inputsOf } from '../configs/check.js';
import { exists, sha256File, writeFileAtomic } from '../util/files.js';
import { packageRoot, packageVersion } from '../util/package-root.js';
import type { Artifact } from './kinds.js';
import type { Plan, Step } from './step.js';

/** What a step was made of, and what it made. */
export interface StepRecord {
  name: string;
  kind: string;
  /** Within the run. */
  directory: string;
  /** SHA-256 of the kind, the configuration, the contents of the inputs and the code: equal for equal work. */
  key: string;
  seed?: number;
  config: unknown;
  /** SHA-256 of the contents of its inputs, by path. */
  inputs: Record<string, string>;
  outputs: Record<string, { path: string; type: Artifact; sha256: string }>;
  /** `stopped`: it has begun, and is not finished. */
  state: 'waiting' | 'stopped' | 'failed' | 'done';
  started?: string;
  seconds?: number;
  peak_memory_bytes?: number;
  error?: string;
  /** The process that is at it. */
  pid?: number;
}

export interface Lineage {
  pipeline: string;
  environment: Record<string, string | number>;
  steps: StepRecord[];
}

/** What depends on the clock or the machine, and is no part of what a step makes. */
const VOLATILE = new Set(['step.json', 'log.txt', 'environment.json', 'metrics.jsonl', 'summary.json', 'tensorboard', 'run.lock']);

/** The folders of the code that makes anything. */
const CODE = ['backends', 'checkpoints', 'configs', 'datasets', 'evaluation', 'model', 'ops', 'pipelines', 'sampler', 'stages', 'tokenizer', 'training', 'util']; // biome-ignore format: one list

/** SHA-256 of a file, or of a directory's files and their names. What depends on the clock in a run's directory is left out. */
export async function contentsHash(target: string): Promise<string> {
  if (!(await fs.stat(target)).isDirectory()) return sha256File(target);
  const hash = createHash('sha256');
  for (const name of (await fs.readdir(target)).sort()) {
    if (!VOLATILE.has(name)) hash.update(`${name}\0${await contentsHash(path.join(target, name))}\n`);
  }
  return hash.digest('hex');
}

/** SHA-256 of the code that this is: its version, its sources and those of the engine. */
export async function codeHash(): Promise<string> {
  const root = packageRoot();
  const compiled = path.join(root, 'dist');
  const here = path.extname(import.meta.url) === '.ts' ? root : compiled;
  const hash = createHash('sha256').update(await fs.readFile(path.join(root, 'package-lock.json')).catch(() => ''));
  const files = await glob(CODE.map((folder) => `${folder}/**/*.{ts,js}`), { cwd: here, ignore: ['**/*.d.ts', 'evaluation/report/**'] }); // biome-ignore format: one call
  const engine = await glob(['backends/native/cpp/**'], { cwd: root });
  for (const [folder, names] of [[here, files], [root, engine]] as const) {
    for (const name of [...names].sort()) hash.update(`${name}\0${await contentsHash(path.join(folder, name))}\n`);
  } // biome-ignore format: two lists
  return hash.digest('hex');
}

/** Contents of all that a step reads, by path: what other steps made, and what its configuration names. @param made hashes of outputs, by path. */
export async function inputHashes(
  { kind, config, references }: Step,
  steps: readonly Step[],
  made: ReadonlyMap<string, string>,
): Promise<Record<string, string>> {
  const inputs: Record<string, string> = {};
  for (const { step: name, output } of references) {
    const file = steps.find((other) => other.name === name)!.outputs[output].path;
    inputs[file] = made.get(file)!;
  }
  for (const { value } of inputsOf(kind, config)) {
    if (inputs[value] !== undefined) continue;
    const found = (await exists(value)) ? [await resolveCheckpoint(value).catch(() => value)] : await glob(value, { dot: false });
    const hashes = await Promise.all(found.sort().map(contentsHash));
    inputs[value] = hashes.length === 1 ? hashes[0] : createHash('sha256').update(hashes.join('\n')).digest('hex');
  }
  return inputs;
}

/** What makes a step's work equal to other work: what it is, what it reads, and the code; not where it writes, nor with how many threads. */
export function keyOf({ kind, config }: Step, inputs: Readonly<Record<string, string>>, code: string): string {
  const files = Object.keys(inputs).sort((a, b) => b.length - a.length); // `a/b` before `a`
  const text = JSON.stringify(config, (name, value: unknown) => {
    if (name === 'output_dir' || name === 'threads') return undefined;
    return typeof value === 'string' ? files.reduce((text, file) => text.replaceAll(file, inputs[file]), value) : value;
  });
  return createHash('sha256').update(`${kind.name}\n${text}\n${code}`).digest('hex');
}

/** What is written of a step, where it has begun. */
export async function readRecord(directory: string): Promise<StepRecord | undefined> {
  try {
    return JSON.parse(await fs.readFile(path.join(directory, 'step.json'), 'utf8')) as StepRecord;
  } catch {
    return undefined; // it has not
  }
}

export async function writeRecord(directory: string, record: StepRecord): Promise<void> {
  await writeFileAtomic(path.join(directory, 'step.json'), `${JSON.stringify(record, null, 2)}\n`);
}

/** Writes lineage.json: of each step how far it is and what it was made of. */
export async function writeLineage(plan: Plan, code: string): Promise<void> {
  const steps: StepRecord[] = [];
  for (const { name, kind, directory, config } of plan.steps) {
    const record = await readRecord(directory);
    const waiting = {
      name,
      kind: kind.name,
      directory: path.basename(directory),
      key: '',
      config,
      inputs: {},
      outputs: {},
      state: 'waiting' as const,
    };
    steps.push(record ?? waiting);
  }
  const environment = {
    ...{ fourfold: packageVersion(), code_sha256: code, node: process.version, platform: process.platform, arch: process.arch },
    ...{ processor: os.cpus()[0]?.model.trim() ?? 'unknown', device: plan.device, threads: plan.threads ?? physicalCores() },
  };
  const lineage: Lineage = { pipeline: plan.name, environment, steps };
  await writeFileAtomic(path.join(plan.output_dir, 'lineage.json'), `${JSON.stringify(lineage, null, 2)}\n`);
}
