export interface CrossEntropyCase {
  M: number;
  C: number;
  V: number;
  targets: ArrayLike<number>;
  weights?: ArrayLike<number>;
  smoothing: number;
}

/** Of each row weight · (−Σ_v q log p), with p = softmax(hidden · tableᵀ) and q = (1 − smoothing) at the target + smoothing / V everywhere; [M]. */
export function crossEntropyOracle(shape: CrossEntropyCase, hidden: Float64Array, table: Float64Array): Float64Array {
  return Float64Array.from({ length: shape.M }, (_, m) => {
    if (shape.targets[m] < 0) return 0;
    const logP = logProbsOf(shape, m, hidden, table);
    return -(shape.weights?.[m] ?? 1) * logP.reduce((sum, l, v) => sum + wanted(shape, m, v) * l, 0);
  });
}

/** Gradients of Σ dy·value for hidden and table; dy [M]. */
export function crossEntropyGradientOracle(
  shape: CrossEntropyCase,
  hidden: Float64Array,
  table: Float64Array,
  dy: ArrayLike<number>,
): Float64Array[] {
  const { M, C, V, targets, weights } = shape;
  const dhidden = new Float64Array(M * C);
  const dtable = new Float64Array(V * C);
  for (let m = 0; m < M; m++) {
    if (targets[m] < 0) continue;
    const logP = logProbsOf(shape, m, hidden, table);
    for (let v = 0; v < V; v++) {
      const d = dy[m] * (weights?.[m] ?? 1) * (Math.exp(logP[v]) - wanted(shape, m, v));
      for (let c = 0; c < C; c++) {
        dhidden[m * C + c] += d * table[v * C + c];
        dtable[v * C + c] += d * hidden[m * C + c];
      }
    }
  }
  return [dhidden, dtable];
}

function wanted({ V, targets, smoothing }: CrossEntropyCase, m: number, v: number): number {
  return (v === targets[m] ? 1 - smoothing : 0) + smoothing / V;
}

function logProbsOf({ C, V }: CrossEntropyCase, m: number, hidden: Float64Array, table: Float64Array): Float64Array {
  const logits = Float64Array.from({ length: V }, (_, v) => {
    let sum = 0;
    for (let c = 0; c < C; c++) sum += hidden[m * C + c] * table[v * C + c];
    return sum;
  });
  const top = logits.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const logSum = top + Math.log(logits.reduce((sum, l) => sum + Math.exp(l - top), 0));
  return logits.map((l) => l - logSum);
}
