import type { NamedArray, StoredTensor } from '../checkpoints/safetensors.js';
import { type ModelConfig, parameterShapes } from '../model/config.js';
import { parametersFrom } from '../model/parameters.js';
import { UserError } from '../util/errors.js';
import { momentsFrom, storedMoments, type TrainState, trainState } from './state.js';

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
  const own = new Map([...stored].flatMap(([name, tensor]) => (name.startsWith(PREFIX) ? [[name.slice(PREFIX.length), tensor]] : [])));
  const weights = new Map(
    [...parameterShapes(config)].map(([name, shape]) => {
      const tensor = own.get(name);
      if (tensor?.data.length === shape.reduce((a, b) => a * b, 1)) return [name, tensor.data as Float32Array];
      throw new UserError(
        `resuming: optimizer.safetensors must hold the critic's ${name} [${shape.join(', ')}]; it does not. Resume with the configuration of the run`,
      );
    }),
  );
  const moments = { step, moment1: momentsFrom(config, own, 'moment1'), moment2: momentsFrom(config, own, 'moment2') };
  return trainState(config, parametersFrom(config, weights), moments);
}
