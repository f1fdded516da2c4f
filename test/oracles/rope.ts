/** Rotary positions as plain loops in double precision: x [M·W], positions [M]; the first `heads` heads of D elements turn, by `direction`·position·θ^(-2i/D). */
export function ropeOracle(
  shape: { M: number; W: number; heads: number; D: number; theta: number },
  positions: ArrayLike<number>,
  x: Float64Array,
  direction: 1 | -1 = 1,
): Float64Array {
  const { M, W, heads, D, theta } = shape;
  const y = x.slice();
  for (let m = 0; m < M; m++) {
    for (let h = 0; h < heads; h++) {
      for (let i = 0; i < D / 2; i++) {
        const angle = direction * positions[m] * theta ** ((-2 * i) / D);
        const at = m * W + h * D + i;
        y[at] = x[at] * Math.cos(angle) - x[at + D / 2] * Math.sin(angle);
        y[at + D / 2] = x[at + D / 2] * Math.cos(angle) + x[at] * Math.sin(angle);
      }
    }
  }
  return y;
}
