import type * as tf from '@tensorflow/tfjs';
import { overwrite } from '../backends/recording.js';
import type { PretrainConfig } from '../configs/schema.js';
import { type AdamwSettings, adamw } from '../ops/adamw.js';
import { precision } from '../ops/precision.js';
import { UserError } from '../util/errors.js';
import { FIRST_LOSS_SCALE, lossScaleArray, lossScaleOf, nextLossScale } from './loss-scale.js';
import { type TrainState, variableOf } from './state.js';

/** Gradients of a model's parameters and what makes an update of them: what the training steps of all stages share. */
export interface Updater {
  /** By name; a frozen parameter has none. */
  gradients: ReadonlyMap<string, tf.Variable>;
  /** In fp16, what the loss is to be multiplied by: for `accumulateGradients`. */
  lossScale?: tf.Variable;
  /**
   * One update from the accumulated gradients: clip, AdamW, gradients 0 again. Weight decay acts on matrices only.
   * @param loss of the step; where it is not finite, nothing is applied.
   * In fp16 a step whose gradients overflow is left out, and the next one has half the loss scale.
   * @returns the norm of the gradients before clipping; Infinity of a step that was left out.
   * @throws UserError when the loss or a gradient is not finite; nothing is changed then.
   */
  update(loss: number, learningRate: number): Promise<number>;
  dispose(): void;
}

export interface UpdaterOptions extends Omit<AdamwSettings, 'learningRate' | 'step'> {
  weightDecay: number;
  /** Names in memory of parameters that do not move; see `frozenParameters`. They have no part in the gradient norm. */
  frozen?: ReadonlySet<string>;
}

export type OptimizerKeys = Pick<PretrainConfig, 'adam_beta1' | 'adam_beta2' | 'adam_epsilon' | 'weight_decay' | 'max_grad_norm' | 'seed'>;

/** What a stage's configuration says to the optimizer. */
export function updaterOptions(config: Omit<OptimizerKeys, 'seed'>): UpdaterOptions {
  return {
    beta1: config.adam_beta1,
    beta2: config.adam_beta2,
    epsilon: config.adam_epsilon,
    weightDecay: config.weight_decay,
    maxGradNorm: config.max_grad_norm,
  };
}

export function updater(state: TrainState, options: UpdaterOptions): Updater {
  const trained = [...state.parameters].filter(([name]) => !options.frozen?.has(name));
  const gradients = new Map(trained.map(([name, { shape }]) => [name, variableOf(undefined, shape)]));
  const items = trained.map(([name, parameter]) => ({
    name,
    parameter,
    gradient: gradients.get(name)!,
    moment1: state.moment1.get(name)!,
    moment2: state.moment2.get(name)!,
    weightDecay: parameter.rank === 2 ? options.weightDecay : 0,
  }));
  if (precision() === 'fp16') state.lossScale ??= variableOf(lossScaleArray(FIRST_LOSS_SCALE), [3]);
  const { lossScale } = state;
  const forget = () => {
    for (const gradient of gradients.values()) overwrite(gradient, new Float32Array(gradient.size));
  };
  return {
    gradients,
    lossScale,
    async update(loss, learningRate) {
      if (!Number.isFinite(loss)) {
        forget();
        throw new UserError(`step ${state.step + 1}: the loss is ${loss}; nothing was applied. Lower learning_rate, or raise warmup_steps`);
      }
      const scaling = lossScale && lossScaleOf((await lossScale.data()) as Float32Array);
      const { gradNorm, nonFinite } = await adamw(items, {
        ...options,
        learningRate,
        step: state.step + 1 - (scaling?.skipped ?? 0),
        gradientScale: 1 / (scaling?.scale ?? 1),
      });
      if (scaling) overwrite(lossScale, lossScaleArray(nextLossScale(scaling, nonFinite === undefined)));
      if (scaling && scaling.scale > 1 && nonFinite !== undefined) {
        forget();
        state.step++;
        return Number.POSITIVE_INFINITY;
      }
      if (nonFinite !== undefined) {
        throw new UserError(
          `step ${state.step + 1}: the gradient of ${nonFinite} is not finite; nothing was applied. Lower learning_rate, or set max_grad_norm`,
        );
      }
      state.step++;
      return gradNorm;
    },
    dispose() {
      for (const gradient of gradients.values()) gradient.dispose();
    },
  };
}
