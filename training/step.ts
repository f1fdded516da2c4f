// Legend: B batch, T tokens.
import * as tf from '@tensorflow/tfjs';
import { inputVariable, overwrite, type Recorded, recorded } from '../backends/recording.js';
import type { HostBatch } from '../datasets/loader.js';
import { segmentLengths } from '../datasets/packing.js';
import { languageModelLoss } from '../model/heads.js';
import { type Batch, forward } from '../model/transformer.js';
import { type AdamwSettings, adamw } from '../ops/adamw.js';
import { accumulateGradients } from '../ops/gradients.js';
import { UserError } from '../util/errors.js';
import { constant, type TrainState, variableOf } from './state.js';

/** A batch's place on the device: the same tensors for every batch, so that a recorded pass finds them. */
export interface Inputs {
  batch: Required<Batch>;
  write(host: HostBatch): void;
  dispose(): void;
}

export function inputs(B: number, T: number): Inputs {
  const tokens = () => inputVariable([B, T]) as tf.Tensor as tf.Tensor2D;
  const batch = { ids: tokens(), positions: tokens(), segments: tokens(), targets: tokens() };
  const fields = Object.keys(batch) as (keyof typeof batch)[];
  return {
    batch,
    write(host) {
      for (const field of fields) overwrite(batch[field] as tf.Tensor as tf.Variable, host[field]);
    },
    dispose() {
      for (const field of fields) batch[field].dispose();
    },
  };
}

export interface StepOptions extends Omit<AdamwSettings, 'learningRate' | 'step'> {
  weightDecay: number;
  /** Dropout's and noise's key; draws are functions of (seed, step, micro-step, row, site). */
  seed: number;
  /** Part of each target that is spread over the vocabulary. */
  labelSmoothing?: number;
  /** NEFTune's α: noise of α/√(tokens of the segment · C) at most on the embeddings; 0 is none. Source: Jain et al. 2023, Algorithm 1. */
  neftuneNoiseAlpha?: number;
  /** Names of parameters that stay as they are: no gradient is computed for them, and none counts in the norm. */
  frozen?: ReadonlySet<string>;
}

export interface StepResult {
  /** Mean over the supervised tokens of the whole accumulated batch, each by its weight. */
  loss: number;
  /** Before clipping. */
  gradNorm: number;
  tokens: number;
}

export interface Stepper {
  /**
   * One update from micro-batches of equal shape: the loss, times each token's weight, is summed and divided by the sum of the weights of all
   * of them (where nothing has a weight, by the supervised tokens).
   * @throws UserError when the loss or a gradient is not finite; nothing is changed then.
   */
  step(batches: readonly HostBatch[], learningRate: number): Promise<StepResult>;
  /** Why passes are not replayed, or undefined when they are. */
  readonly notReplayed: string | undefined;
  dispose(): void;
}

/** The training step of a language model: forward, backward, clip, AdamW. Weight decay acts on matrices only. */
export function stepper(state: TrainState, B: number, T: number, options: StepOptions): Stepper {
  const { config, parameters } = state;
  const { labelSmoothing = 0, neftuneNoiseAlpha: alpha = 0, frozen = new Set() } = options;
  const trained = [...parameters].filter(([name]) => !frozen.has(name));
  const gradients = new Map(trained.map(([name, { shape }]) => [name, variableOf(undefined, shape)]));
  const input = inputs(B, T);
  const scale = constant(tf.scalar(1));
  const key = inputVariable([4]) as tf.Tensor as tf.Tensor1D;
  const noiseScale = alpha > 0 ? (constant(tf.zeros([B, T])) as tf.Tensor as tf.Tensor2D) : undefined;
  let weights: tf.Variable | undefined; // [B, T]; from the first weighted batch on
  const pass: Recorded = recorded(() => {
    const loss = accumulateGradients(parameters, gradients, () => {
      const hidden = forward(parameters, config, input.batch, {
        ...(config.dropout > 0 && { dropoutKey: key }),
        ...(noiseScale && { embeddingNoise: { key, scale: noiseScale } }),
      });
      const counted = { weights: weights as tf.Tensor as tf.Tensor2D | undefined, labelSmoothing };
      return tf.mul(languageModelLoss(parameters, config, hidden, input.batch.targets, counted), scale);
    });
    return [loss];
  });
  const items = trained.map(([name, parameter]) => ({
    name,
    parameter,
    gradient: gradients.get(name)!,
    moment1: state.moment1.get(name)!,
    moment2: state.moment2.get(name)!,
    weightDecay: parameter.rank === 2 ? options.weightDecay : 0,
  }));

  return {
    get notReplayed() {
      return pass.notReplayed;
    },
    async step(batches, learningRate) {
      const tokens = batches.reduce((sum, batch) => sum + batch.supervised, 0);
      const weight = batches.reduce((sum, batch) => sum + batch.weight, 0);
      if (!(weight > 0)) throw new Error('stepper: a step must have a supervised token; its batches have none');
      overwrite(scale, Float32Array.of(1 / weight));
      if (weights === undefined && batches.some((batch) => batch.weights)) {
        weights = constant(tf.zeros([B, T]));
        pass.dispose(); // what was recorded knows no weights
      }
      let loss = 0;
      for (const [micro, batch] of batches.entries()) {
        input.write(batch);
        if (weights) overwrite(weights, batch.weights ?? Float32Array.from(batch.targets, (target) => Number(target >= 0)));
        if (noiseScale) overwrite(noiseScale as tf.Tensor as tf.Variable, noiseScales(batch, alpha, config.hidden_size));
        overwrite(key as tf.Tensor as tf.Variable, Int32Array.of(options.seed | 0, Math.floor(options.seed / 2 ** 32), state.step, micro));
        loss += (await pass.run()[0].data())[0];
      }
      if (!Number.isFinite(loss)) {
        for (const gradient of gradients.values()) overwrite(gradient, new Float32Array(gradient.size));
        throw new UserError(`step ${state.step + 1}: the loss is ${loss}; nothing was applied. Lower learning_rate, or raise warmup_steps`);
      }
      const { gradNorm, nonFinite } = await adamw(items, { ...options, learningRate, step: state.step + 1 });
      if (nonFinite !== undefined) {
        throw new UserError(
          `step ${state.step + 1}: the gradient of ${nonFinite} is not finite; nothing was applied. Lower learning_rate, or set max_grad_norm`,
        );
      }
      state.step++;
      return { loss, gradNorm, tokens };
    },
    dispose() {
      pass.dispose();
      input.dispose();
      for (const tensor of [scale, key, noiseScale, weights, ...gradients.values()]) tensor?.dispose();
    },
  };
}

/** NEFTune's α/√(L·C) of each token, [B·T], with L the tokens of its segment; 0 on padding. */
function noiseScales(batch: HostBatch, alpha: number, C: number): Float32Array {
  return Float32Array.from(segmentLengths(batch), (L) => (L > 0 ? alpha / Math.sqrt(L * C) : 0));
}
