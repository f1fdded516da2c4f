import * as tf from '@tensorflow/tfjs';
import { hasKernel, runKernel } from './fused.js';

/** A parameter with its gradient buffer and moments, all of one shape. */
export interface AdamwItem {
  name: string;
  parameter: tf.Variable;
  gradient: tf.Variable;
  moment1: tf.Variable;
  moment2: tf.Variable;
  weightDecay: number;
}

export interface AdamwSettings {
  learningRate: number;
  beta1: number;
  beta2: number;
  epsilon: number;
  /** This step's number, from 1. */
  step: number;
  /** Gradients are scaled down to this norm, taken over all of them; 0 for no clipping. */
  maxGradNorm: number;
  /** What gradients are multiplied by before anything else: 1 / loss scale; default 1. */
  gradientScale?: number;
}

export interface AdamwResult {
  /** Norm of all gradients, scaled, before clipping. */
  gradNorm: number;
  /** The first parameter whose gradient is not finite; then nothing was changed. */
  nonFinite?: string;
}

/**
 * One step of AdamW with global-norm clipping, in place; afterwards every gradient is 0.
 * Order of operations as torch.optim.AdamW and torch.nn.utils.clip_grad_norm_.
 * Source: Loshchilov and Hutter 2019, "Decoupled weight decay regularization".
 */
export async function adamw(items: readonly AdamwItem[], settings: AdamwSettings): Promise<AdamwResult> {
  const fused = hasKernel('FourfoldAdamw');
  const { gradientScale = 1 } = settings;
  const norms = fused
    ? fusedStep(items, settings)
    : tf.tidy(() => tf.stack(items.map(({ gradient }) => tf.sum(tf.square(tf.mul(gradient, gradientScale))))));
  const squares = [...(await norms.data())];
  norms.dispose();
  const gradNorm = Math.sqrt(squares.reduce((a, b) => a + b, 0));
  if (!Number.isFinite(gradNorm))
    return {
      gradNorm,
      nonFinite:
        items[
          Math.max(
            0,
            squares.findIndex((square) => !Number.isFinite(square)),
          )
        ].name,
    };
  if (!fused) composedStep(items, settings, gradNorm);
  return { gradNorm };
}

function fusedStep(items: readonly AdamwItem[], settings: AdamwSettings): tf.Tensor {
  const inputs: Record<string, tf.Tensor> = {};
  items.forEach(({ parameter, gradient, moment1, moment2 }, i) => {
    Object.assign(inputs, { [`parameter${i}`]: parameter, [`gradient${i}`]: gradient, [`moment1${i}`]: moment1, [`moment2${i}`]: moment2 });
  });
  return runKernel('FourfoldAdamw', inputs, { gradientScale: 1, ...settings, weightDecay: items.map(({ weightDecay }) => weightDecay) })[0];
}

function composedStep(items: readonly AdamwItem[], settings: AdamwSettings, gradNorm: number): void {
  const { learningRate, beta1, beta2, epsilon, step, maxGradNorm, gradientScale = 1 } = settings;
  const clip = maxGradNorm > 0 && gradNorm > maxGradNorm ? maxGradNorm / (gradNorm + 1e-6) : 1;
  const scale = clip * gradientScale;
  const stepSize = learningRate / (1 - beta1 ** step);
  const root2 = Math.sqrt(1 - beta2 ** step);
  for (const { parameter, gradient, moment1, moment2, weightDecay } of items) {
    tf.tidy(() => {
      const g = tf.mul(gradient, scale);
      const first = tf.add(moment1, tf.mul(tf.sub(g, moment1), 1 - beta1));
      const second = tf.add(tf.mul(moment2, beta2), tf.mul(tf.square(g), 1 - beta2));
      const divisor = tf.add(tf.div(tf.sqrt(second), root2), epsilon);
      parameter.assign(tf.sub(tf.mul(parameter, 1 - learningRate * weightDecay), tf.mul(tf.div(first, divisor), stepSize)));
      moment1.assign(first);
      moment2.assign(second);
      gradient.assign(tf.zerosLike(gradient));
    });
  }
}
