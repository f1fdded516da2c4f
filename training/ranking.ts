// Legend: N answers, P comparisons of two answers, M answers that something is chosen from.
import * as tf from '@tensorflow/tfjs';

/** Two answers to one prompt, by their places among its answers. */
export interface Comparison {
  better: number;
  worse: number;
  /** Whether both have the same rank. */
  tie: boolean;
  /** How much higher `better` is to score. */
  margin: number;
}

/**
 * All pairs of a prompt's answers: K·(K−1)/2, or, where ties count nothing, those of different ranks.
 * @param ranks   one an answer: lower is better, equal is a tie.
 * @param margins one an answer: the margin of a pair is the difference of its two; a tie has none.
 * Source: Ouyang et al. 2022, section 3.4.
 */
export function comparisonsOf(
  ranks: readonly number[],
  { margins, ties }: { margins?: readonly number[]; ties: 'half' | 'ignore' },
): Comparison[] {
  const pairs: Comparison[] = [];
  for (let i = 0; i < ranks.length; i++) {
    for (let j = i + 1; j < ranks.length; j++) {
      const tie = ranks[i] === ranks[j];
      if (tie && ties === 'ignore') continue;
      const [better, worse] = ranks[j] < ranks[i] ? [j, i] : [i, j];
      pairs.push({ better, worse, tie, margin: tie || !margins ? 0 : margins[better] - margins[worse] });
    }
  }
  return pairs;
}

/**
 * Bradley-Terry: Σ weight · (−target·log σ(x) − (1 − target)·log σ(−x)), x = difference − margin.
 * @param differences [P] float32: the better answer's score less the worse one's.
 * @param targets     [P]: probability that the better one is better: 1, ½ for a tie, less than 1 with label smoothing.
 * @param weights     [P]; 0 = no comparison stands here.
 * @returns the sum, a scalar. Where each comparison weighs 1/P and targets are 1, TRL's loss.
 * Source: Bradley and Terry 1952; Stiennon et al. 2020, section 3.4; margins: Touvron et al. 2023, eq. 2; ties as ½ and label smoothing: cross-entropy.
 */
export function bradleyTerry(differences: tf.Tensor1D, targets: tf.Tensor1D, weights: tf.Tensor1D, margins: tf.Tensor1D): tf.Scalar {
  return tf.tidy(() => {
    const x = tf.sub(differences, margins); // [P]
    const losses = tf.sub(tf.softplus(x), tf.mul(targets, x)); // −t·log σ(x) − (1 − t)·log σ(−x) = softplus(x) − t·x
    return tf.sum(tf.mul(losses, weights)) as tf.Scalar;
  });
}

/**
 * Plackett-Luce: a ranking is made by choosing the best of all answers, then the best of the others, and so on. Σ weight · (log Σ exp(score) over what
 * was left − score of the chosen one).
 * @param scores  [N].
 * @param chosen  [M, N]: 1 = this answer is chosen here.
 * @param left    [M, N]: 1 = this answer is among what is left, the chosen one included.
 * @param weights [M]; 0 = no choice stands here; then a row of `left` may be zeros.
 * Source: Plackett 1975; Luce 1959; as a loss: Cao et al. 2007 (ListNet), Xia et al. 2008 (ListMLE).
 */
export function plackettLuce(scores: tf.Tensor1D, chosen: tf.Tensor2D, left: tf.Tensor2D, weights: tf.Tensor1D): tf.Scalar {
  return tf.tidy(() => {
    const [M, N] = left.shape;
    const absent = tf.mul(tf.sub(1, left), -1e9); // [M, N]; exp gives 0 there
    const among = tf.add(tf.mul(left, tf.reshape(scores, [1, N])), absent); // [M, N]
    const highest = tf.max(among, 1, true); // [M, 1]
    const logSum = tf.add(tf.log(tf.sum(tf.exp(tf.sub(among, highest)), 1)), tf.reshape(highest, [M])); // [M]
    const own = tf.reshape(tf.matMul(chosen, tf.reshape(scores, [N, 1])), [M]);
    const losses = tf.where(tf.greater(weights, 0), tf.sub(logSum, own), tf.zerosLike(weights));
    return tf.sum(tf.mul(losses, weights)) as tf.Scalar;
  });
}

/**
 * Σ weight · (score + score)² over the comparisons' two answers: keeps scores around 0, which differences alone leave open.
 * @param sums [P]: the sum of the two scores.
 * Source: Eisenstein et al. 2023, eq. 2; TRL's `center_rewards_coefficient`.
 */
export function centering(sums: tf.Tensor1D, weights: tf.Tensor1D): tf.Scalar {
  return tf.tidy(() => tf.sum(tf.mul(tf.square(sums), weights)) as tf.Scalar);
}
