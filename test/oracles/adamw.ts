export interface AdamwState {
  parameter: Float64Array;
  gradient: Float64Array;
  moment1: Float64Array;
  moment2: Float64Array;
  weightDecay: number;
}

export interface AdamwOptions {
  learningRate: number;
  beta1: number;
  beta2: number;
  epsilon: number;
  step: number;
  maxGradNorm: number;
}

/** One step of torch.optim.AdamW after torch.nn.utils.clip_grad_norm_, in place and in double precision; returns the norm before clipping. */
export function adamwOracle(
  items: readonly AdamwState[],
  { learningRate, beta1, beta2, epsilon, step, maxGradNorm }: AdamwOptions,
): number {
  const norm = Math.sqrt(items.flatMap(({ gradient }) => [...gradient]).reduce((sum, g) => sum + g * g, 0));
  const clip = maxGradNorm > 0 ? Math.min(1, maxGradNorm / (norm + 1e-6)) : 1;
  for (const { parameter, gradient, moment1, moment2, weightDecay } of items) {
    for (let i = 0; i < parameter.length; i++) {
      const g = gradient[i] * clip;
      moment1[i] = beta1 * moment1[i] + (1 - beta1) * g;
      moment2[i] = beta2 * moment2[i] + (1 - beta2) * g * g;
      const first = moment1[i] / (1 - beta1 ** step);
      const second = moment2[i] / (1 - beta2 ** step);
      parameter[i] -= learningRate * weightDecay * parameter[i] + (learningRate * first) / (Math.sqrt(second) + epsilon);
    }
  }
  return norm;
}
