import * as tf from '@tensorflow/tfjs';
import type { NamedArray, StoredTensor } from '../checkpoints/safetensors.js';
import type { ModelConfig } from '../model/config.js';
import { type DiskTensor, toDisk } from '../model/layout.js';
import type { Parameters } from '../model/parameters.js';
import { UserError } from '../util/errors.js';

/** Everything that a step changes: parameters and AdamW's moments, by name, on the device. `step` counts the updates made. */
export interface TrainState {
  config: ModelConfig;
  parameters: Parameters;
  moment1: ReadonlyMap<string, tf.Variable>;
  moment2: ReadonlyMap<string, tf.Variable>;
  step: number;
  /** In fp16: see loss-scale.ts. */
  lossScale?: tf.Variable;
}

/** A state about to make its first step, or, with `moments`, its next one. */
export function trainState(
  config: ModelConfig,
  parameters: Parameters,
  resumed?: {
    step: number;
    moment1: ReadonlyMap<string, Float32Array>;
    moment2: ReadonlyMap<string, Float32Array>;
    lossScale?: Float32Array;
  },
): TrainState {
  const moments = (values?: ReadonlyMap<string, Float32Array>) => {
    return new Map([...parameters].map(([name, { shape }]) => [name, variableOf(values?.get(name), shape)]));
  };
  const lossScale = resumed?.lossScale && variableOf(resumed.lossScale, [resumed.lossScale.length]);
  return {
    ...{ config, parameters, moment1: moments(resumed?.moment1), moment2: moments(resumed?.moment2), step: resumed?.step ?? 0 },
    ...(lossScale && { lossScale }),
  };
}

/** A variable that no tape trains, of these values or of zeros. */
export function variableOf(values: Float32Array | undefined, shape: number[]): tf.Variable {
  return constant(values ? tf.tensor(values, shape) : tf.zeros(shape));
}

/** A variable that no tape trains, in place of `tensor`. */
export function constant(tensor: tf.Tensor): tf.Variable {
  const variable = tf.variable(tensor, false);
  tensor.dispose();
  return variable;
}

/** Frees everything that the state holds. */
export function disposeState(state: TrainState): void {
  for (const map of [state.parameters, state.moment1, state.moment2]) {
    for (const variable of map.values()) variable.dispose();
  }
  state.lossScale?.dispose();
}

/** The parameters as `model.safetensors` holds them, read from the device one by one. */
export async function storedWeights(config: ModelConfig, parameters: Parameters): Promise<NamedArray[]> {
  const tensors: DiskTensor[] = toDisk(config, async (name) => (await parameters.get(name)!.data()) as Float32Array);
  const stored: NamedArray[] = [];
  for (const { name, shape, data } of tensors) stored.push({ name, dtype: 'F32', shape, data: await data() });
  return stored;
}

/** AdamW's moments as `optimizer.safetensors` holds them: `moment1.` or `moment2.` and the parameter's name in memory; and `loss_scale`, in fp16. */
export async function storedMoments(state: TrainState): Promise<NamedArray[]> {
  const stored: NamedArray[] = [];
  for (const moment of ['moment1', 'moment2'] as const) {
    for (const [name, variable] of state[moment]) {
      stored.push({ name: `${moment}.${name}`, dtype: 'F32', shape: variable.shape, data: (await variable.data()) as Float32Array });
    }
  }
  const { lossScale } = state;
  if (lossScale) stored.push({ name: LOSS_SCALE, dtype: 'F32', shape: lossScale.shape, data: (await lossScale.data()) as Float32Array });
  return stored;
}

/** Its name in `optimizer.safetensors`. */
export const LOSS_SCALE = 'loss_scale';

/**
 * The moments of the parameters of these names back from `optimizer.safetensors`.
 * @throws UserError when one is missing.
 */
export function momentsFrom(
  names: Iterable<string>,
  stored: ReadonlyMap<string, StoredTensor>,
  moment: 'moment1' | 'moment2',
): Map<string, Float32Array> {
  return new Map(
    [...names].map((name) => {
      const tensor = stored.get(`${moment}.${name}`);
      if (!tensor)
        throw new UserError(`resuming: optimizer.safetensors must hold ${moment}.${name}; it does not. Resume from another checkpoint`);
      return [name, tensor.data as Float32Array];
    }),
  );
}
