/** The learning rate of each step: a linear warm-up, then the schedule down to `min_lr_ratio` of the peak. */

export interface ScheduleConfig {
  /** The peak. */
  learning_rate: number;
  lr_scheduler_type: 'cosine' | 'linear' | 'wsd' | 'constant';
  warmup_steps: number;
  /** The end, as a part of the peak; not for constant. */
  min_lr_ratio?: number;
  /** wsd: the part of all steps in which the rate decays. */
  decay_fraction?: number;
}

/**
 * The learning rate of `step` (from 0) in a run of `totalSteps`.
 * Sources: warm-up and cosine as nanoGPT's `get_lr`; wsd (warm-up, stable, decay): Hu et al. 2024 (MiniCPM), with a linear decay.
 */
export function learningRate(config: ScheduleConfig, step: number, totalSteps: number): number {
  const { learning_rate: peak, warmup_steps: warmup, lr_scheduler_type: type } = config;
  if (step < warmup) return (peak * (step + 1)) / (warmup + 1);
  if (type === 'constant') return peak;
  const end = peak * (config.min_lr_ratio ?? 0);
  if (step >= totalSteps) return end;
  const start = type === 'wsd' ? Math.max(warmup, Math.floor(totalSteps * (1 - (config.decay_fraction ?? 1)))) : warmup;
  const progress = Math.max(0, (step - start) / (totalSteps - start)); // 0 while stable, 1 at the end
  const height = type === 'cosine' ? 0.5 * (1 + Math.cos(Math.PI * progress)) : 1 - progress;
  return end + height * (peak - end);
}
