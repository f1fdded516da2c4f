export interface LogitsShape {
  M: number;
  C: number;
  V: number;
  temperature: number;
}

/** Of softmax(hidden · tableᵀ / temperature): [log p(target), entropy, log-sum-exp], each [M], one after the other; 0 where the target is -1. */
export function logProbsOracle(shape: LogitsShape, targets: ArrayLike<number>, hidden: Float64Array, table: Float64Array): Float64Array {
  const { M } = shape;
  const out = new Float64Array(3 * M);
  for (let m = 0; m < M; m++) {
    if (targets[m] < 0) continue;
    const { logP, logSumExp } = distribution(shape, m, hidden, table);
    out[m] = logP[targets[m]];
    out[M + m] = -logP.reduce((sum, l) => sum + (l > -700 ? Math.exp(l) * l : 0), 0);
    out[2 * M + m] = logSumExp;
  }
  return out;
}

/** Gradients of Σ dy·value for hidden and table; dy [3·M]. */
export function logProbsGradientOracle(
  shape: LogitsShape,
  targets: ArrayLike<number>,
  hidden: Float64Array,
  table: Float64Array,
  dy: ArrayLike<number>,
): Float64Array[] {
  const { M, C, V, temperature } = shape;
  const dhidden = new Float64Array(M * C);
  const dtable = new Float64Array(V * C);
  for (let m = 0; m < M; m++) {
    if (targets[m] < 0) continue;
    const { logP } = distribution(shape, m, hidden, table);
    const entropy = -logP.reduce((sum, l) => sum + (l > -700 ? Math.exp(l) * l : 0), 0);
    for (let v = 0; v < V; v++) {
      const p = Math.exp(logP[v]);
      const surprise = p > 0 ? logP[v] + entropy : 0;
      const d = (dy[m] * ((v === targets[m] ? 1 : 0) - p) - dy[M + m] * p * surprise + dy[2 * M + m] * p) / temperature;
      for (let c = 0; c < C; c++) {
        dhidden[m * C + c] += d * table[v * C + c];
        dtable[v * C + c] += d * hidden[m * C + c];
      }
    }
  }
  return [dhidden, dtable];
}

function distribution({ C, V, temperature }: LogitsShape, m: number, hidden: Float64Array, table: Float64Array) {
  const logits = new Float64Array(V);
  for (let v = 0; v < V; v++) {
    for (let c = 0; c < C; c++) logits[v] += (hidden[m * C + c] * table[v * C + c]) / temperature;
  }
  const top = logits.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const logSumExp = top + Math.log(logits.reduce((sum, l) => sum + Math.exp(l - top), 0));
  return { logP: logits.map((l) => l - logSumExp), logSumExp };
}
