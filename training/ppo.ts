// Legend: N tokens of a batch. What is ragged has one number for each token of a response, the mark that ends it included: there is no padding in it.
import * as tf from '@tensorflow/tfjs';

/**
 * What a response is worth to PPO, from the score that it was given.
 * @param ended             whether it came to its end; one that was cut gets −missingEosPenalty in the stead of its score.
 * @param clip              the score is kept within ±clip; 0: as it is.
 * @param missingEosPenalty 0: a response that was cut keeps its score.
 * Source: Ziegler et al. 2019, section 2.1 and their code (a fixed low score, not a deduction from the score).
 */
export function shapedScore(
  score: number,
  ended: boolean,
  { clip, missingEosPenalty }: { clip: number; missingEosPenalty: number },
): number {
  if (!ended && missingEosPenalty > 0) return -missingEosPenalty;
  return clip > 0 ? Math.min(clip, Math.max(-clip, score)) : score;
}

/**
 * The reward of each token of a response: −β·(log π − log π_ref), and the score at its last token.
 * @param logProbs    ragged: of the policy that sampled.
 * @param refLogProbs ragged: of the reference.
 * Source: Ziegler et al. 2019, eq. 2; the estimator is k1 of Schulman, "Approximating KL divergence".
 */
export function tokenRewards(score: number, logProbs: ArrayLike<number>, refLogProbs: ArrayLike<number>, beta: number): Float64Array {
  const rewards = Float64Array.from(logProbs, (own, t) => -beta * (own - refLogProbs[t]));
  rewards[rewards.length - 1] += score;
  return rewards;
}

export interface Advantages {
  /** Ragged. */
  advantages: Float64Array;
  /** Ragged: what the critic is to learn, advantage + value. */
  returns: Float64Array;
}

/**
 * Generalised advantage estimation over one response, whose end is the end of the episode: the value after it is 0.
 * @param values ragged: V of the text before each token.
 * Source: Schulman et al. 2016, eq. 16: δ_t = r_t + γ·V_{t+1} − V_t, A_t = δ_t + γλ·A_{t+1}.
 */
export function generalisedAdvantages(
  rewards: ArrayLike<number>,
  values: ArrayLike<number>,
  { gamma, lambda }: { gamma: number; lambda: number },
): Advantages {
  const advantages = new Float64Array(rewards.length);
  let [advantage, nextValue] = [0, 0];
  for (let t = rewards.length - 1; t >= 0; t--) {
    advantage = rewards[t] + gamma * nextValue - values[t] + gamma * lambda * advantage;
    advantages[t] = advantage;
    nextValue = values[t];
  }
  return { advantages, returns: advantages.map((own, t) => own + values[t]) };
}

export interface WhitenOptions {
  /** False: the mean is left where it is. Default true. */
  shiftMean?: boolean;
  /** Divide the sum of squares by n − 1, as TRL does, in the stead of n. Default false. */
  unbiased?: boolean;
}

/**
 * Brings all numbers of a rollout to variance 1, and to mean 0 unless it is not to be shifted.
 * @param rows ragged, at least one number in all.
 * Source: Huang et al. 2024, "The N implementation details of RLHF with PPO", details 14 and 15.
 */
export function whitened(rows: readonly Float64Array[], { shiftMean = true, unbiased = false }: WhitenOptions = {}): Float64Array[] {
  const all = rows.reduce((count, row) => count + row.length, 0);
  const total = (of: (value: number) => number) => rows.reduce((sum, row) => row.reduce((own, value) => own + of(value), sum), 0);
  const mean = total((value) => value) / all;
  const variance = total((value) => (value - mean) ** 2) / (unbiased ? Math.max(1, all - 1) : all);
  const scale = 1 / Math.sqrt(variance + 1e-8);
  return rows.map((row) => row.map((value) => (value - mean) * scale + (shiftMean ? 0 : mean)));
}

export interface KlEstimates {
  k1: number;
  k2: number;
  k3: number;
}

/**
 * Three estimates of KL(π ‖ π_ref) from tokens that π sampled, each summed over a response: k1 = log π/π_ref, k2 = ½·k1², k3 = e^−k1 − 1 + k1.
 * k1 and k3 are unbiased; k2 and k3 are never negative.
 * Source: Schulman 2020, "Approximating KL divergence".
 */
export function klEstimates(logProbs: ArrayLike<number>, refLogProbs: ArrayLike<number>): KlEstimates {
  const sum = { k1: 0, k2: 0, k3: 0 };
  for (let t = 0; t < logProbs.length; t++) {
    const difference = logProbs[t] - refLogProbs[t];
    sum.k1 += difference;
    sum.k2 += difference ** 2 / 2;
    sum.k3 += Math.expm1(-difference) + difference;
  }
  return sum;
}

/**
 * β after an update: β · (1 + clip(KL/target − 1, ±.2) · episodes / horizon).
 * @param kl of a response, in nats, the mean over the update's.
 * Source: Ziegler et al. 2019, section 2.2, with the sign and scale of their code.
 */
export function adaptedBeta(
  beta: number,
  kl: number,
  { target, horizon, episodes }: { target: number; horizon: number; episodes: number },
): number {
  const error = Math.min(0.2, Math.max(-0.2, kl / target - 1));
  return beta * (1 + (error * episodes) / horizon);
}

/** 1 − Var(returns − values) / Var(returns): 1 is a perfect critic, 0 one that knows the mean only; a new one begins below 0. */
export function explainedVariance(returns: readonly Float64Array[], values: readonly ArrayLike<number>[]): number {
  const errors = returns.flatMap((row, i) => Array.from(row, (own, t) => own - values[i][t]));
  return 1 - variance(errors) / variance(returns.flatMap((row) => [...row]));
}

function variance(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
}

/** Sums over tokens of weight · what is named; with weights of 1/tokens they are means. */
export interface PolicyLoss {
  loss: tf.Scalar;
  /** Where the clip binds. */
  clipFraction: tf.Scalar;
  /** k2 of the policy that sampled and the policy now. */
  approxKl: tf.Scalar;
  /** π / π_old. */
  ratio: tf.Scalar;
  /** The largest ratio, not a sum; 0 where no token counts. */
  largestRatio: tf.Scalar;
}

/**
 * PPO's clipped surrogate: Σ weight · max(−A·r, −A·clip(r, 1 ± ε)), r = π / π_old.
 * @param logProbs [N] of the policy now, oldLogProbs [N] of the policy that sampled.
 * @param weights  [N]; 0 = padding or no token of a response: what stands there has no effect.
 * @param dualClip where A < 0, the loss is no more than dualClip · |A|; 0: no such bound.
 * Source: Schulman et al. 2017, eq. 7; Ye et al. 2020, eq. 5 (dual clip).
 */
export function policyLoss(
  logProbs: tf.Tensor1D,
  oldLogProbs: tf.Tensor1D,
  advantages: tf.Tensor1D,
  weights: tf.Tensor1D,
  { clip, dualClip = 0 }: { clip: number; dualClip?: number },
): PolicyLoss {
  const mask = tf.cast(tf.greater(weights, 0), 'float32');
  const logRatio = tf.mul(tf.sub(logProbs, oldLogProbs), mask); // 0 on padding before exp, so that inf · 0 cannot arise
  const ratio = tf.exp(logRatio);
  const gains = tf.neg(advantages);
  const unclipped = tf.mul(ratio, gains);
  const clipped = tf.mul(tf.clipByValue(ratio, 1 - clip, 1 + clip), gains);
  const highest = tf.maximum(unclipped, clipped);
  const losses = dualClip > 0 ? tf.where(tf.less(advantages, 0), tf.minimum(highest, tf.mul(dualClip, gains)), highest) : highest;
  return {
    loss: weighted(losses, weights),
    clipFraction: weighted(tf.cast(tf.greater(clipped, unclipped), 'float32'), weights),
    approxKl: weighted(tf.mul(tf.square(logRatio), 0.5), weights),
    ratio: weighted(ratio, weights),
    largestRatio: tf.max(tf.mul(ratio, mask)),
  };
}

/** Sums over tokens, as those of `PolicyLoss`. */
export interface ValueLoss {
  loss: tf.Scalar;
  clipFraction: tf.Scalar;
}

/**
 * The critic's loss: ½ · Σ weight · max((V − R)², (V_old + clip(V − V_old, ±ε) − R)²).
 * @param values [N] of the critic now, oldValues [N] of the critic that judged the rollout, returns [N], weights [N] as for `policyLoss`.
 * Source: Schulman et al. 2017, eq. 9, with the clipping of Ziegler et al. 2019 and Huang et al. 2024.
 */
export function valueLoss(
  values: tf.Tensor1D,
  oldValues: tf.Tensor1D,
  returns: tf.Tensor1D,
  weights: tf.Tensor1D,
  { clip }: { clip: number },
): ValueLoss {
  const near = tf.add(oldValues, tf.clipByValue(tf.sub(values, oldValues), -clip, clip));
  const unclipped = tf.square(tf.sub(values, returns));
  const clipped = tf.square(tf.sub(near, returns));
  return {
    loss: tf.mul(weighted(tf.maximum(unclipped, clipped), weights), 0.5),
    clipFraction: weighted(tf.cast(tf.greater(clipped, unclipped), 'float32'), weights),
  };
}

function weighted(values: tf.Tensor, weights: tf.Tensor1D): tf.Scalar {
  return tf.sum(tf.mul(values, weights)) as tf.Scalar;
}
