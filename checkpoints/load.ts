/** Finding and loading checkpoints: ours, or any Llama or GPT-2 checkpoint in the Hugging Face layout. */
import fs from 'node:fs/promises';
import { join } from 'node:path';
import type { ModelConfig } from '../model/config.js';
import { fromDisk } from '../model/layout.js';
import { loadTokenizer, type Tokenizer } from '../tokenizer/index.js';
import { UserError } from '../util/errors.js';
import { errorCode, exists, settledDirectory } from '../util/files.js';
import { parseConfigJson } from './hugging-face.js';
import { verifyCheckpoint } from './manifest.js';
import { readSafetensors, type StoredTensor } from './safetensors.js';
import { stepOf } from './save.js';

/** A checkpoint but for its tensors. */
export interface CheckpointFiles {
  directory: string;
  config: ModelConfig;
  /** Contents of tokenizer.json and the other files, where the checkpoint has them. */
  tokenizer?: object;
  tokenizerConfig?: object;
  generationConfig?: object;
  trainerState?: object;
}

export interface LoadedCheckpoint extends CheckpointFiles {
  /** By their names in memory, in the order of `parameterShapes`. */
  weights: Map<string, Float32Array>;
}

export interface LatestCheckpoint {
  /** The newest whole checkpoint, if there is one. */
  path?: string;
  step?: number;
  /** Newer ones that were passed over, and why. */
  skipped: { path: string; reasons: string[] }[];
}

/**
 * Loads configuration and tokenizer from a checkpoint directory.
 * @throws UserError when config.json is missing or a file cannot be read.
 */
export async function readCheckpointFiles(path: string): Promise<CheckpointFiles> {
  const directory = await settledDirectory(path);
  const configPath = join(directory, 'config.json');
  const configObject = await readJson(configPath);
  if (!configObject) {
    throw new UserError(`loading a checkpoint: ${path} must be a directory with config.json and model.safetensors; it has no config.json`);
  }
  return {
    directory,
    config: parseConfigJson(configObject, configPath),
    tokenizer: await readJson(join(directory, 'tokenizer.json')),
    tokenizerConfig: await readJson(join(directory, 'tokenizer_config.json')),
    generationConfig: await readJson(join(directory, 'generation_config.json')),
    trainerState: await readJson(join(directory, 'trainer_state.json')),
  };
}

/**
 * Loads configuration, weights and tokenizer from a checkpoint directory.
 * @throws UserError when files are missing or do not fit together.
 */
export async function loadCheckpoint(path: string): Promise<LoadedCheckpoint> {
  const files = await readCheckpointFiles(path);
  const { directory, config } = files;
  const weightsPath = join(directory, 'model.safetensors');
  const floats = new Map<string, { shape: number[]; data: Float32Array }>();
  for (const [name, { shape, data }] of await readSafetensors(weightsPath)) {
    if (data instanceof Float32Array) floats.set(name, { shape, data }); // masks that old files store are U8
  }
  let weights: Map<string, Float32Array>;
  try {
    weights = fromDisk(config, floats);
  } catch (error) {
    throw error instanceof UserError ? new UserError(`${weightsPath}: ${error.message}`, 1, { cause: error }) : error;
  }
  return { ...files, weights };
}

/**
 * The tokenizer of a checkpoint.
 * @throws UserError when it has none, or one of another model.
 */
export function checkpointTokenizer({ directory, config, tokenizer: json, tokenizerConfig }: CheckpointFiles): Tokenizer {
  if (!json)
    throw new UserError(
      `loading ${directory}: a model that is to write text needs tokenizer.json; there is none. Put the tokenizer's beside config.json`,
    );
  const tokenizer = loadTokenizer(json, tokenizerConfig);
  if (tokenizer.vocabSize <= config.vocab_size) return tokenizer;
  throw new UserError(
    `loading ${directory}: the tokenizer's ids must be in the model's vocabulary of ${config.vocab_size}; it has ${tokenizer.vocabSize}. Put the model's own tokenizer.json there`,
  );
}

/** The tensors that the optimizer had saved. */
export async function loadOptimizer(path: string): Promise<Map<string, StoredTensor>> {
  const file = join(await settledDirectory(path), 'optimizer.safetensors');
  if (!(await exists(file))) {
    throw new UserError(
      `resuming: ${path} must hold optimizer.safetensors; it does not. To train on from its weights, use init_from=${path}`,
    );
  }
  return readSafetensors(file);
}

/** The newest checkpoint `step-…` in `directory` whose manifest verifies. Interrupted writes are ignored, corrupt ones reported. */
export async function latestCheckpoint(directory: string): Promise<LatestCheckpoint> {
  const skipped: LatestCheckpoint['skipped'] = [];
  for (const step of await checkpointSteps(directory)) {
    const reasons = await verifyCheckpoint(join(directory, step.name));
    const path = join(directory, step.name);
    if (reasons.length === 0) return { path, step: step.number, skipped };
    skipped.push({ path, reasons });
  }
  return { skipped };
}

/**
 * The checkpoint that a user means: `path` itself, or for a run's directory its `final`, else the newest of its `checkpoints`.
 * @throws UserError when there is none.
 */
export async function resolveCheckpoint(path: string): Promise<string> {
  for (const candidate of [path, join(path, 'final')]) {
    const directory = await settledDirectory(candidate);
    if (await exists(join(directory, 'config.json'))) return directory;
  }
  const latest = await latestCheckpoint(join(path, 'checkpoints'));
  const found = latest.path ?? (await latestCheckpoint(path)).path;
  if (found) return found;
  const reasons = latest.skipped.map((one) => `\n  ${one.path}: ${one.reasons.join('; ')}`).join('');
  throw new UserError(
    `loading a checkpoint: ${path} must be a checkpoint or the directory of a run that has saved one; none found${reasons}`,
  );
}

/** Newest first; the step as a number and the directory's name. */
async function checkpointSteps(directory: string): Promise<{ name: string; number: number }[]> {
  const names = await fs.readdir(directory).catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return [];
    throw error;
  });
  const steps = names.map((name) => ({ name, number: stepOf(name.replace(/^\.(step-\d+)\.old$/, '$1')) })); // .old: a replacement was interrupted
  return steps
    .filter((step): step is { name: string; number: number } => step.number !== undefined)
    .sort((a, b) => b.number - a.number || a.name.length - b.name.length);
}

/** A JSON file's object; undefined when there is no such file. */
async function readJson(path: string): Promise<object | undefined> {
  let text: string;
  try {
    text = await fs.readFile(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return undefined;
    throw error;
  }
  try {
    return JSON.parse(text) as object;
  } catch (error) {
    throw new UserError(`reading ${path}: it must be JSON; ${(error as Error).message}`, 1, { cause: error });
  }
}
