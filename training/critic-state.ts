import type * as tf from '@tensorflow/tfjs';
import { overwrite } from '../backends/recording.js';
import { loadCheckpoint, loadOptimizer } from '../checkpoints/load.js';
import type { NamedArray, StoredTensor } from '../checkpoints/safetensors.js';
import { type ModelConfig, parameterShapes, SCORE } from '../model/config.js';
import { parametersFrom } from '../model/parameters.js';
import { UserError } from '../util/errors.js';
import { restoreParameters } from './start.js';
import { LOSS_SCALE, momentsFrom, storedMoments, type TrainState, trainState, variableOf } from './state.js';

const PREFIX = 'critic.';

/** A critic as `optimizer.safetensors` holds it beside the policy's moments: its parameters by their names in memory and its moments, all behind `critic.`. */
export async function storedCritic(state: TrainState): Promise<NamedArray[]> {
  const parameters: NamedArray[] = [];
  for (const [name, variable] of state.parameters)
    parameters.push({ name, dtype: 'F32', shape: variable.shape, data: (await variable.data()) as Float32Array });
  return [...parameters, ...(await storedMoments(state))].map((tensor) => ({ ...tensor, name: PREFIX + tensor.name }));
}

/** The critic back from there. @throws UserError when a tensor is missing. */
export function criticFrom(config: ModelConfig, stored: ReadonlyMap<string, StoredTensor>, step: number): TrainState {
  const { weights, moments } = restored(parameterShapes(config), stored);
  return trainState(config, parametersFrom(config, weights), { step, ...moments });
}

/** A critic that is a head on the policy: its only parameter is the head, in a model of this `config`. */
export function headState(config: ModelConfig, head: Float32Array): TrainState {
  return trainState(config, headParameters(config, head));
}

/** Such a critic back from `optimizer.safetensors`. @throws UserError when a tensor is missing. */
export function headFrom(config: ModelConfig, stored: ReadonlyMap<string, StoredTensor>, step: number): TrainState {
  const { weights, moments } = restored(new Map([[SCORE, [1, config.hidden_size]]]), stored);
  return trainState(config, headParameters(config, weights.get(SCORE)!), { step, ...moments });
}

/** Puts policy and critic as a checkpoint of the run holds them, moments and all, in the place of these, where they lie: recorded passes go on reading them. */
export async function restoreStates(policy: TrainState, critic: TrainState, checkpoint: string): Promise<void> {
  const { trainerState } = await loadCheckpoint(checkpoint);
  const { policySteps, criticSteps } = trainerState as { policySteps: number; criticSteps: number };
  const stored = await loadOptimizer(checkpoint);
  const put = (variables: ReadonlyMap<string, tf.Variable>, prefix: string) => {
    for (const [name, variable] of variables) overwrite(variable, stored.get(prefix + name)!.data as Float32Array);
  };
  await restoreParameters(policy.parameters, checkpoint);
  put(critic.parameters, PREFIX);
  for (const moment of ['moment1', 'moment2'] as const) {
    put(policy[moment], `${moment}.`);
    put(critic[moment], `${PREFIX}${moment}.`);
  }
  for (const [state, prefix] of [
    [policy, ''],
    [critic, PREFIX],
  ] as const) {
    if (state.lossScale) overwrite(state.lossScale, stored.get(prefix + LOSS_SCALE)!.data as Float32Array);
  }
  [policy.step, critic.step] = [policySteps, criticSteps];
}

const headParameters = ({ hidden_size: C }: ModelConfig, head: Float32Array) => new Map([[SCORE, variableOf(head, [1, C])]]);

function restored(shapes: ReadonlyMap<string, number[]>, stored: ReadonlyMap<string, StoredTensor>) {
  const own = new Map([...stored].flatMap(([name, tensor]) => (name.startsWith(PREFIX) ? [[name.slice(PREFIX.length), tensor]] : [])));
  const weights = new Map(
    [...shapes].map(([name, shape]) => {
      const tensor = own.get(name);
      if (tensor?.data.length === shape.reduce((a, b) => a * b, 1)) return [name, tensor.data as Float32Array];
      throw new UserError(
        `resuming: optimizer.safetensors must hold the critic's ${name} [${shape.join(', ')}]; it does not. Resume with the configuration of the run`,
      );
    }),
  );
  const of = (moment: 'moment1' | 'moment2') => momentsFrom(shapes.keys(), own, moment);
  const lossScale = own.get(LOSS_SCALE)?.data as Float32Array | undefined;
  return { weights, moments: { moment1: of('moment1'), moment2: of('moment2'), lossScale } };
}
