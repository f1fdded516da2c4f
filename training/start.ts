import type { DeviceDescription } from '../backends/device.js';
import { overwrite } from '../backends/recording.js';
import { loadCheckpoint, loadOptimizer } from '../checkpoints/load.js';
import type { LoaderState } from '../datasets/loader.js';
import { parameterShapes } from '../model/config.js';
import { type Parameters, parametersFrom } from '../model/parameters.js';
import { UserError } from '../util/errors.js';
import { type Machine, takeDevice } from './device.js';
import type { RunDirectory } from './run-directory.js';
import { momentsFrom, type TrainState, trainState } from './state.js';

/** What a run is besides its tensors: all that resuming needs. No clock time, path or host. */
export interface TrainerState {
  stage: string;
  step: number;
  tokens: number;
  /** Place in the data, where the step does not tell it. */
  loader?: LoaderState;
  /** Hash of the tokenizer. */
  tokenizer: string;
  /** The latest evaluation's values and the best step's. */
  metrics: Record<string, number>;
}

/** Chooses the device of a run, and writes down which; says what was passed over in the run's directory, and where the device is another than before. */
export async function startDevice(
  config: Required<Pick<Machine, 'precision'>> & Machine,
  directory: RunDirectory,
  say: (text: string) => void,
): Promise<DeviceDescription> {
  for (const { path: skipped, reasons } of directory.skipped) say(`passed over ${skipped}: ${reasons.join('; ')}`);
  const { environment: before } = directory;
  const chosen = config.device === 'auto' && before?.device === 'wasm' ? 'wasm' : config.device;
  const device = await takeDevice({ ...config, device: chosen }, say);
  if (before && (before.device !== device.device || before.isa !== device.isa)) {
    say(
      `This run began on ${before.device} ${before.isa ?? ''} and goes on on ${device.device} ${device.isa ?? ''}: the numbers will differ in their last bits.`,
    );
  }
  await directory.writeEnvironment({ ...device, precision: config.precision });
  return device;
}

/**
 * Model, optimizer and trainer's state where the run stopped; undefined where it begins.
 * @param tokenizer hash of the data's.
 * @throws UserError when the checkpoint is of another tokenizer.
 */
export async function resumedState<T extends TrainerState>(
  { resumeFrom }: RunDirectory,
  tokenizer: string,
): Promise<{ state: TrainState; trainer: T } | undefined> {
  if (resumeFrom === undefined) return undefined;
  const { path: from } = resumeFrom;
  const { config, weights, trainerState } = await loadCheckpoint(from);
  const trainer = trainerState as T;
  if (trainer.tokenizer !== tokenizer) {
    throw new UserError(
      `resuming ${from}: its tokenizer must be the data's; it is another. Did the text change? Start anew in another output_dir`,
    );
  }
  const optimizer = await loadOptimizer(from);
  const names = [...parameterShapes(config).keys()];
  const moments = {
    step: trainer.step,
    moment1: momentsFrom(names, optimizer, 'moment1'),
    moment2: momentsFrom(names, optimizer, 'moment2'),
  };
  return { state: trainState(config, parametersFrom(config, weights), moments), trainer };
}

/** Puts the parameters of another checkpoint of the run in place of these, where they lie: recorded passes go on reading them. */
export async function restoreParameters(parameters: Parameters, checkpoint: string): Promise<void> {
  const { weights } = await loadCheckpoint(checkpoint);
  for (const [name, parameter] of parameters) overwrite(parameter, weights.get(name)!);
}
