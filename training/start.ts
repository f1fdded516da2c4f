import type { DeviceDescription } from '../backends/device.js';
import { DEVICES, type Device } from '../backends/device-names.js';
import { overwrite } from '../backends/recording.js';
import { loadCheckpoint, loadOptimizer } from '../checkpoints/load.js';
import type { LoaderState } from '../datasets/loader.js';
import { parameterShapes } from '../model/config.js';
import { type Parameters, parametersFrom } from '../model/parameters.js';
import { isUserError, UserError } from '../util/errors.js';
import { type Machine, takeDevice } from './device.js';
import type { RunDirectory } from './run-directory.js';
import { LOSS_SCALE, momentsFrom, type TrainState, trainState } from './state.js';

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
  const device = (await sameAsBefore(config, before?.device, say)) ?? (await takeDevice(config, say));
  if (before && (before.device !== device.device || before.isa !== device.isa)) {
    say(
      `This run began on ${before.device} ${before.isa ?? ''} and goes on on ${device.device} ${device.isa ?? ''}: the numbers will differ in their last bits.`,
    );
  }
  await directory.writeEnvironment({ ...device, precision: config.precision });
  return device;
}

/** `auto` goes on on the device that the run began on, where that is still there. */
async function sameAsBefore(
  config: Machine,
  before: string | undefined,
  say: (text: string) => void,
): Promise<DeviceDescription | undefined> {
  if (config.device !== 'auto' || !DEVICES.includes(before as Device)) return undefined;
  try {
    return await takeDevice({ ...config, device: before as Device }, say);
  } catch (error) {
    if (!isUserError(error)) throw error;
    say(`This run began on ${before}, which cannot be had now: ${error.message}`);
    return undefined;
  }
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
    lossScale: optimizer.get(LOSS_SCALE)?.data as Float32Array | undefined,
  };
  return { state: trainState(config, parametersFrom(config, weights), moments), trainer };
}

/** Puts the parameters of another checkpoint of the run in place of these, where they lie: recorded passes go on reading them. */
export async function restoreParameters(parameters: Parameters, checkpoint: string): Promise<void> {
  const { weights } = await loadCheckpoint(checkpoint);
  for (const [name, parameter] of parameters) overwrite(parameter, weights.get(name)!);
}
