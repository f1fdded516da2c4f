/** What it is worth to draw n answers and to take the one that a reward model likes best. */
export interface BestOfN {
  n: number;
  /** Mean over the prompts of the chosen answer's gold reward, and of its score. */
  gold: number;
  proxy: number;
  /** Of the best of n by the gold reward itself: more is not to be had. */
  oracle: number;
  /** Nats by which the choice departs from the model that gave the answers: log n − (n − 1)/n. Source: Stiennon et al. 2020; Gao et al. 2022. */
  kl: number;
}

/**
 * Best-of-n for n = 1, 2, 4, … up to 64 and the fewest answers of a prompt: the mean over all choices of n of a prompt's answers, computed, not drawn.
 * @param rows of each prompt the answers' scores by the reward model and by gold.
 * Source: the unbiased estimator of Nakano et al. 2021 (WebGPT), appendix I.
 */
export function bestOfN(rows: readonly { proxy: ArrayLike<number>; gold: readonly number[] }[]): BestOfN[] {
  const fewest = rows.reduce((least, { gold }) => Math.min(least, gold.length), 64);
  const found: BestOfN[] = [];
  for (let n = 1; n <= fewest; n *= 2) {
    const sum = { gold: 0, proxy: 0, oracle: 0 };
    for (const { proxy, gold } of rows) {
      const byProxy = expectedBest(proxy, n);
      sum.gold += weighed(gold, byProxy);
      sum.proxy += weighed(proxy, byProxy);
      sum.oracle += weighed(gold, expectedBest(gold, n));
    }
    const mean = Object.fromEntries(Object.entries(sum).map(([key, total]) => [key, total / rows.length])) as typeof sum;
    found.push({ n, ...mean, kl: bestOfNDivergence(n) });
  }
  return found;
}

/** Nats by which the best of n differs from one answer as it is drawn: log n − (n − 1)/n. */
export function bestOfNDivergence(n: number): number {
  return Math.log(n) - (n - 1) / n;
}

/** The probability of each item to be the best by its score among n drawn of all, without putting back; of equal ones the later. */
function expectedBest(scores: ArrayLike<number>, n: number): Float64Array {
  const K = scores.length;
  const order = Array.from({ length: K }, (_, i) => i).sort((a, b) => scores[a] - scores[b] || a - b);
  const chances = new Float64Array(K);
  // The item with i lower ones is the best of n with C(i, n − 1) / C(K, n); from the highest down each is the one above times (i − n + 2) / (i + 1).
  let chance = n / K;
  for (let i = K - 1; i >= n - 1; i--) {
    chances[order[i]] = chance;
    chance *= (i - n + 1) / i;
  }
  return chances;
}

function weighed(values: ArrayLike<number>, weights: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] * weights[i];
  return sum;
}
