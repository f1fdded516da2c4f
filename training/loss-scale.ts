/**
 * Dynamic loss scaling, for `precision: fp16`: the loss is multiplied by a scale before the backward pass, so that small gradients do not become 0
 * when they are rounded to fp16, and the gradients are divided by it before the update. A step whose gradients overflow is left out, and the scale
 * halved; after many that did not it is doubled.
 * Source: Micikevicius et al. 2018, "Mixed precision training", section 3.2; the numbers are those of torch.amp.GradScaler.
 */

import type { TrainState } from './state.js';

/** What a state's `lossScale` holds. */
export interface LossScale {
  scale: number;
  /** Steps since it last changed. */
  good: number;
  /** Steps that were left out. */
  skipped: number;
}

const GROWTH_STEPS = 2000;

export const FIRST_LOSS_SCALE: LossScale = { scale: 2 ** 16, good: 0, skipped: 0 };

/** The scale after a step. @param finite whether its gradients were. */
export function nextLossScale({ scale, good, skipped }: LossScale, finite: boolean): LossScale {
  if (!finite) return { scale: scale / 2, good: 0, skipped: skipped + 1 };
  return good + 1 === GROWTH_STEPS ? { scale: scale * 2, good: 0, skipped } : { scale, good: good + 1, skipped };
}

/** What metrics say of it: the scale, and the steps that were left out; nothing but in fp16. */
export async function lossScaleMetrics({ lossScale }: Pick<TrainState, 'lossScale'>): Promise<Record<string, number>> {
  if (!lossScale) return {};
  const { scale, skipped } = lossScaleOf((await lossScale.data()) as Float32Array);
  return { loss_scale: scale, skipped_steps: skipped };
}

export function lossScaleOf([scale, good, skipped]: Float32Array): LossScale {
  return { scale, good, skipped };
}

export function lossScaleArray({ scale, good, skipped }: LossScale): Float32Array {
  return Float32Array.of(scale, good, skipped);
}
