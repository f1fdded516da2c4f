export interface NormShape {
  M: number;
  C: number;
  eps: number;
  /** LayerNorm, which subtracts the mean; RMSNorm does not. */
  centred: boolean;
}

/** LayerNorm or RMSNorm as plain loops in double precision: x [M·C], weight [C], bias [C] or none. */
export function normOracle({ M, C, eps, centred }: NormShape, x: Float64Array, weight: Float64Array, bias?: Float64Array): Float64Array {
  const y = new Float64Array(M * C);
  for (let m = 0; m < M; m++) {
    const { mean, scale } = statistics(x.subarray(m * C, m * C + C), eps, centred);
    for (let c = 0; c < C; c++) y[m * C + c] = (x[m * C + c] - mean) * scale * weight[c] + (bias?.[c] ?? 0);
  }
  return y;
}

/** Gradients of Σ dy·y for x, weight and bias. */
export function normGradientOracle(
  { M, C, eps, centred }: NormShape,
  x: Float64Array,
  weight: Float64Array,
  dy: Float64Array,
): Float64Array[] {
  const dx = new Float64Array(M * C);
  const dweight = new Float64Array(C);
  const dbias = new Float64Array(C);
  for (let m = 0; m < M; m++) {
    const { mean, scale } = statistics(x.subarray(m * C, m * C + C), eps, centred);
    let slope = 0;
    let tilt = 0;
    for (let c = 0; c < C; c++) {
      const i = m * C + c;
      const normed = (x[i] - mean) * scale;
      dweight[c] += dy[i] * normed;
      dbias[c] += dy[i];
      slope += centred ? (dy[i] * weight[c]) / C : 0;
      tilt += (dy[i] * weight[c] * normed) / C;
    }
    for (let c = 0; c < C; c++) {
      const i = m * C + c;
      dx[i] = scale * (dy[i] * weight[c] - slope - (x[i] - mean) * scale * tilt);
    }
  }
  return [dx, dweight, dbias];
}

function statistics(row: Float64Array, eps: number, centred: boolean): { mean: number; scale: number } {
  const mean = centred ? row.reduce((a, b) => a + b, 0) / row.length : 0;
  const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / row.length;
  return { mean, scale: 1 / Math.sqrt(variance + eps) };
}
