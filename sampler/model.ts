import type * as tf from '@tensorflow/tfjs';
import type { DEVICES, DeviceDescription } from '../backends/device.js';
import { checkpointTokenizer, loadCheckpoint, resolveCheckpoint } from '../checkpoints/load.js';
import type { ModelConfig } from '../model/config.js';
import { parametersFrom } from '../model/parameters.js';
import type { Precision } from '../ops/precision.js';
import type { Tokenizer } from '../tokenizer/index.js';
import { takeDevice } from '../training/device.js';
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
  const checkpoint = await loadCheckpoint(await resolveCheckpoint(path));
  const { config, weights, directory } = checkpoint;
  if (config.head !== undefined) {
    throw new UserError(
      `loading ${directory}: it must be a language model, which writes; it is a reward model. fourfold score and eval are for those`,
    );
  }
  const tokenizer = checkpointTokenizer(checkpoint);
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
export async function openModel(checkpoint: string, options: ModelOptions): Promise<LoadedModel & { on: DeviceDescription }> {
  const on = await takeDevice(options, (text) => console.error(text));
  return { ...(await loadModel(checkpoint)), on };
}
