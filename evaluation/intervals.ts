const Z95 = 1.959963984540054; // the normal distribution's 97.5 % point

/** The 95 % interval of a share of which `hits` of `n` were seen. Source: Wilson 1927. NaN where n is 0. */
export function wilson(hits: number, n: number, z = Z95): [low: number, high: number] {
  const p = hits / n;
  const centre = (p + z ** 2 / (2 * n)) / (1 + z ** 2 / n);
  const half = (z / (1 + z ** 2 / n)) * Math.sqrt((p * (1 - p)) / n + z ** 2 / (4 * n ** 2));
  return [centre - half, centre + half];
}

/** A mean with its 95 % interval, of `n` independent values. */
export interface Interval {
  mean: number;
  ci95: [low: number, high: number];
  n: number;
}

/**
 * The mean of independent values: mean ± 1.96 · s/√n, with s their standard deviation (n − 1).
 * @param values at least one, one a prompt; of several answers to a prompt their mean, as answers to one prompt are not independent. Of a single value
 * no deviation is known, and the interval is the value.
 */
export function meanInterval(values: readonly number[]): Interval {
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const half = n > 1 ? Z95 * Math.sqrt(squares / (n - 1) / n) : 0;
  return { mean, ci95: [mean - half, mean + half], n };
}
