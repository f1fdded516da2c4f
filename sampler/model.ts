import type * as tf from '@tensorflow/tfjs';
import { checkPrecision, type DEVICES, type DeviceDescription, useDevice } from '../backends/device.js';
import { loadCheckpoint, resolveCheckpoint } from '../checkpoints/load.js';
import type { ModelConfig } from '../model/config.js';
import { parametersFrom } from '../model/parameters.js';
import { type Precision, setPrecision } from '../ops/precision.js';
import { loadTokenizer, type Tokenizer } from '../tokenizer/index.js';
import { UserError } from '../util/errors.js';

/** A model that reads and writes text. */
export interface TextModel {
  config: ModelConfig;
  parameters: ReadonlyMap<string, tf.Variable>;
  tokenizer: Tokenizer;
}

export interface LoadedModel extends TextModel {
  /** Where the checkpoint lies; `readChatTemplate` finds its template there. */
  directory: string;
  /** Frees the parameters. */
  dispose(): void;
}

/**
 * Loads a checkpoint, or the newest of a run's directory, onto the device in use.
 * @throws UserError when files are missing or do not fit together.
 */
export async function loadModel(path: string): Promise<LoadedModel> {
  const { config, weights, tokenizer: json, tokenizerConfig, directory } = await loadCheckpoint(await resolveCheckpoint(path));
  if (!json)
    throw new UserError(
      `loading ${directory}: a model that is to write text needs tokenizer.json; there is none. Put the tokenizer's beside config.json`,
    );
  const tokenizer = loadTokenizer(json, tokenizerConfig);
  if (tokenizer.vocabSize > config.vocab_size) {
    throw new UserError(
      `loading ${directory}: the tokenizer's ids must be in the model's vocabulary of ${config.vocab_size}; it has ${tokenizer.vocabSize}. Put the model's own tokenizer.json there`,
    );
  }
  const parameters = parametersFrom(config, weights);
  return {
    config,
    parameters,
    tokenizer,
    directory,
    dispose() {
      for (const parameter of parameters.values()) parameter.dispose();
    },
  };
}

export interface ModelOptions {
  device: (typeof DEVICES)[number];
  threads?: number;
  /** `bf16` halves the weights that are read for each token. */
  precision?: Precision;
}

/**
 * Takes a device and a precision in use, and loads a checkpoint there.
 * @throws UserError when they are not there, or as `loadModel`.
 */
export async function openModel(
  checkpoint: string,
  { device, threads, precision = 'fp32' }: ModelOptions,
): Promise<LoadedModel & { on: DeviceDescription }> {
  const on = await useDevice(device, { threads, warn: (text) => console.error(text) });
  checkPrecision(precision);
  setPrecision(precision);
  return { ...(await loadModel(checkpoint)), on };
}
