// Legend: B batch, T tokens.
import * as tf from '@tensorflow/tfjs';
import { inputVariable, overwrite, type Recorded, recorded } from '../backends/recording.js';
import { type HostBatch, segmentLengths } from '../datasets/packing.js';
import { languageModelLoss } from '../model/heads.js';
import { type Batch, forward } from '../model/transformer.js';
import { accumulateGradients } from '../ops/gradients.js';
import { constant, type TrainState, variableOf } from './state.js';
import { type OptimizerKeys, type UpdaterOptions, updater, updaterOptions } from './update.js';

/** A batch's place on the device: the same tensors for every batch, so that a recorded pass finds them. */
export interface Inputs {
  batch: Required<Batch>;
  /** [B, T] float32: what each target counts, where asked for. */
  weights?: tf.Tensor2D;
  /** [B, T] float32: how far NEFTune's noise goes, where asked for. */
  noiseScale?: tf.Tensor2D;
  write(host: HostBatch): void;
  dispose(): void;
}

export interface InputOptions {
  /** Weights are carried; those of a batch without any are 1. */
  weighted?: boolean;
  /** NEFTune's α for a model of this width. */
  noise?: { alpha: number; hiddenSize: number };
}

export function inputs(B: number, T: number, { weighted, noise }: InputOptions = {}): Inputs {
  const tokens = () => inputVariable([B, T]) as tf.Tensor as tf.Tensor2D;
  const numbers = () => variableOf(undefined, [B, T]) as tf.Tensor as tf.Tensor2D;
  const batch = { ids: tokens(), positions: tokens(), segments: tokens(), targets: tokens() };
  const weights = weighted ? numbers() : undefined;
  const noiseScale = noise ? numbers() : undefined;
  const fields = Object.keys(batch) as (keyof typeof batch)[];
  return {
    batch,
    weights,
    noiseScale,
    write(host) {
      for (const field of fields) overwrite(batch[field] as tf.Tensor as tf.Variable, host[field]);
      if (weights) overwrite(weights as tf.Tensor as tf.Variable, host.weights ?? new Float32Array(B * T).fill(1));
      if (noiseScale) overwrite(noiseScale as tf.Tensor as tf.Variable, noiseScales(host, noise!));
    },
    dispose() {
      for (const tensor of [...fields.map((field) => batch[field]), weights, noiseScale]) tensor?.dispose();
    },
  };
}

/** α/√(L·C) of each token, with L the tokens of its segment: what its sequence gets alone. 0 on padding. Source: Jain et al. 2023, Algorithm 1. */
function noiseScales(host: HostBatch, { alpha, hiddenSize }: NonNullable<InputOptions['noise']>): Float32Array {
  return Float32Array.from(segmentLengths(host), (length) => (length === 0 ? 0 : alpha / Math.sqrt(length * hiddenSize)));
}

export interface StepOptions extends UpdaterOptions {
  /** Dropout's key; the mask is a function of (seed, step, micro-step, row, site). NEFTune's noise is drawn with it, too. */
  seed: number;
  /** See `crossEntropy`; default 0. */
  labelSmoothing?: number;
  /** NEFTune's α; 0, the default, is no noise. */
  neftuneNoiseAlpha?: number;
  /** Many tokens have no target: the last layer does without them. */
  fewTargets?: boolean;
}

/** What a stage's configuration says to the optimizer, and the seed of its dropout. */
export function stepOptions(config: OptimizerKeys): UpdaterOptions & { seed: number } {
  return { ...updaterOptions(config), seed: config.seed };
}

export interface StepResult {
  /** Mean over the supervised tokens of the whole accumulated batch, each counting its weight. */
  loss: number;
  /** Of the parameters that are trained, before clipping. */
  gradNorm: number;
  /** Supervised ones. */
  tokens: number;
}

export interface Stepper {
  /**
   * One update from micro-batches of equal shape: the loss, each token's times its weight, is summed over tokens and divided by the weights of all
   * of them. A micro-batch without a supervised token adds nothing.
   * @throws UserError when the loss or a gradient is not finite; nothing is changed then.
   * @throws Error when no token of the whole step is supervised: whoever gives the batches must not let that happen.
   */
  step(batches: readonly HostBatch[], learningRate: number): Promise<StepResult>;
  /** Why passes are not replayed, or undefined when they are. */
  readonly notReplayed: string | undefined;
  dispose(): void;
}

/** The training step of a language model: forward, backward, update. */
export function stepper(state: TrainState, B: number, T: number, options: StepOptions): Stepper {
  const { config, parameters } = state;
  const { labelSmoothing, neftuneNoiseAlpha = 0 } = options;
  const { gradients, lossScale, update, dispose } = updater(state, options);
  const scale = constant(tf.scalar(1));
  const key = inputVariable([4]);
  const noise = neftuneNoiseAlpha > 0 ? { alpha: neftuneNoiseAlpha, hiddenSize: config.hidden_size } : undefined;
  let weighted = false;
  let input = inputs(B, T, { noise });
  const makePass = (): Recorded => recorded(() => [accumulateGradients(parameters, gradients, loss, lossScale)]);
  const loss = (): tf.Scalar => {
    const { batch, weights, noiseScale } = input;
    const tensor = key as tf.Tensor as tf.Tensor1D;
    const hidden = forward(parameters, config, batch, {
      ...(options.fewTargets && { wanted: batch.targets }),
      ...(config.dropout > 0 && { dropoutKey: tensor }),
      ...(noiseScale && { embeddingNoise: { key: tensor, scale: noiseScale } }),
    });
    return tf.mul(languageModelLoss(parameters, config, hidden, batch.targets, { weights, labelSmoothing }), scale);
  };
  let pass = makePass();
  /** From the first batch with weights on, the pass takes them; without them it gives the bits that weights of 1 would. */
  const takeWeights = () => {
    pass.dispose();
    input.dispose();
    weighted = true;
    input = inputs(B, T, { noise, weighted });
    pass = makePass();
  };

  return {
    get notReplayed() {
      return pass.notReplayed;
    },
    async step(batches, learningRate) {
      const tokens = batches.reduce((sum, batch) => sum + batch.supervised, 0);
      const weight = batches.reduce((sum, batch) => sum + batch.weight, 0);
      if (!(weight > 0)) {
        throw new Error(
          `step ${state.step + 1}: no token of its ${batches.length} batches is supervised with a weight above 0; the loader gives none such`,
        );
      }
      if (!weighted && batches.some((batch) => batch.weights)) takeWeights();
      overwrite(scale, Float32Array.of(1 / weight));
      let loss = 0;
      for (const [micro, batch] of batches.entries()) {
        input.write(batch);
        overwrite(key, Int32Array.of(options.seed | 0, Math.floor(options.seed / 2 ** 32), state.step, micro));
        loss += (await pass.run()[0].data())[0];
      }
      const gradNorm = await update(loss, learningRate);
      return { loss, gradNorm, tokens };
    },
    dispose() {
      pass.dispose();
      input.dispose();
      for (const tensor of [scale, key]) tensor.dispose();
      dispose();
    },
  };
}
