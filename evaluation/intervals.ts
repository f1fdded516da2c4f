const Z95 = 1.959963984540054; // the normal distribution's 97.5 % point

/** The 95 % interval of a share of which `hits` of `n` were seen. Source: Wilson 1927. NaN where n is 0. */
export function wilson(hits: number, n: number, z = Z95): [low: number, high: number] {
  const p = hits / n;
  const centre = (p + z ** 2 / (2 * n)) / (1 + z ** 2 / n);
  const half = (z / (1 + z ** 2 / n)) * Math.sqrt((p * (1 - p)) / n + z ** 2 / (4 * n ** 2));
  return [centre - half, centre + half];
}
