/** Saving a checkpoint: a directory that appears complete or not at all. Equal contents give equal bytes. */
import fs from 'node:fs/promises';
import { join } from 'node:path';
import type { ModelConfig } from '../model/config.js';
import { UserError } from '../util/errors.js';
import { atomicDirectory, errorCode, removeDirectory } from '../util/files.js';
import { configJson } from './hugging-face.js';
import { writeManifest } from './manifest.js';
import { type NamedArray, writeSafetensors } from './safetensors.js';

export interface CheckpointContents {
  config: ModelConfig;
  /** The contents of tokenizer.json. */
  tokenizer: object;
  /** The contents of tokenizer_config.json. */
  tokenizerConfig: object;
  /** The contents of generation_config.json; its ids of bos, eos and pad go into config.json too. */
  generationConfig: object;
  /** README.md. */
  modelCard: string;
  /** By their names on disk: `toDisk(config, …)` of model/layout.ts. */
  weights: Iterable<NamedArray>;
  /** Of a reward model: where it was trained; see `Boundary`. */
  boundary?: Iterable<NamedArray>;
  /** For resuming, by any names; the moments go by their parameters' names in memory. */
  optimizer?: Iterable<NamedArray>;
  /** For resuming: plain JSON without clock time, path or host. */
  trainerState?: object;
}

/** Where the checkpoint of a step lies: `step-000500`. */
export function stepName(step: number): string {
  return `step-${String(step).padStart(6, '0')}`;
}

/** The step in a checkpoint's directory name, if it is one. */
export function stepOf(name: string): number | undefined {
  const digits = /^step-(\d{6,})$/.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** Writes a checkpoint to `directory`, in place of one that is there. */
export async function saveCheckpoint(directory: string, contents: CheckpointContents): Promise<void> {
  const ids = contents.generationConfig as Record<string, number | undefined>;
  const special = { bos: ids['bos_token_id'] ?? null, eos: ids['eos_token_id'] ?? null, pad: ids['pad_token_id'] ?? null };
  try {
    await atomicDirectory(directory, async (temporary) => {
      const json = (name: string, value: object) => fs.writeFile(join(temporary, name), `${JSON.stringify(value, null, 2)}\n`);
      await json('config.json', configJson(contents.config, special));
      await json('tokenizer.json', contents.tokenizer);
      await json('tokenizer_config.json', contents.tokenizerConfig);
      await json('generation_config.json', contents.generationConfig);
      await fs.writeFile(join(temporary, 'README.md'), contents.modelCard);
      await writeSafetensors(join(temporary, 'model.safetensors'), contents.weights);
      if (contents.boundary) await writeSafetensors(join(temporary, 'boundary.safetensors'), contents.boundary);
      if (contents.optimizer) await writeSafetensors(join(temporary, 'optimizer.safetensors'), contents.optimizer);
      if (contents.trainerState) await json('trainer_state.json', contents.trainerState);
      await writeManifest(temporary);
    });
  } catch (error) {
    const code = errorCode(error);
    const way = {
      ENOSPC: 'free some space',
      EDQUOT: 'free some space',
      EACCES: 'check its permissions',
      EROFS: 'choose another output_dir',
    }[code ?? ''];
    if (!way) throw error;
    throw new UserError(`saving the checkpoint ${directory}: ${(error as Error).message}; ${way}. Earlier checkpoints are untouched`, 1, {
      cause: error,
    });
  }
}

/** Removes all checkpoints `step-…` in `directory` but the last `keep` and those of the steps `others`. */
export async function pruneCheckpoints(directory: string, keep: number, ...others: readonly (number | undefined)[]): Promise<void> {
  const steps = (await fs.readdir(directory)).map(stepOf).filter((step) => step !== undefined);
  steps.sort((a, b) => b - a);
  for (const step of steps.slice(Math.max(keep, 1))) if (!others.includes(step)) await removeDirectory(join(directory, stepName(step)));
}
