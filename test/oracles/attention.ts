// Attention as plain loops in double precision. Legend: B batch, T tokens, H query heads, KV key-value heads, D head size, W = (H + 2·KV)·D.

export interface AttentionCase {
  B: number;
  T: number;
  H: number;
  KV: number;
  D: number;
  mask: 'causal' | 'bidirectional';
  /** [B·T]; -1 is padding. */
  segments: ArrayLike<number>;
}

/** Whether query token i of row b may see key token j. */
function sees({ T, mask, segments }: AttentionCase, b: number, i: number, j: number): boolean {
  const own = segments[b * T + i];
  return own >= 0 && own === segments[b * T + j] && (mask === 'bidirectional' || j <= i);
}

/** Calls body(b, h, i, keys, weights, q, k, v) for each query; k(j) and v(j) are where the vectors of key j begin. */
function forQueries(
  shape: AttentionCase,
  qkv: Float64Array,
  body: (
    at: { b: number; i: number; out: number; q: number; k: (j: number) => number; v: (j: number) => number },
    keys: number[],
    weights: number[],
  ) => void,
): void {
  const { B, T, H, KV, D } = shape;
  const W = (H + 2 * KV) * D;
  for (let b = 0; b < B; b++) {
    for (let h = 0; h < H; h++) {
      const kv = Math.floor(h / (H / KV));
      for (let i = 0; i < T; i++) {
        const row = (j: number) => (b * T + j) * W;
        const q = row(i) + h * D;
        const k = (j: number) => row(j) + (H + kv) * D;
        const v = (j: number) => row(j) + (H + KV + kv) * D;
        const keys = Array.from({ length: T }, (_, j) => j).filter((j) => sees(shape, b, i, j));
        const scores = keys.map((j) => {
          let dot = 0;
          for (let d = 0; d < D; d++) dot += qkv[q + d] * qkv[k(j) + d];
          return dot / Math.sqrt(D);
        });
        const largest = Math.max(...scores);
        const exponentials = scores.map((score) => Math.exp(score - largest));
        const total = exponentials.reduce((a, x) => a + x, 0);
        body(
          { b, i, out: (b * T + i) * H * D + h * D, q, k, v },
          keys,
          exponentials.map((x) => x / total),
        );
      }
    }
  }
}

/** qkv [B·T·W] → [B·T·H·D]. */
export function attentionOracle(shape: AttentionCase, qkv: Float64Array): Float64Array {
  const output = new Float64Array(shape.B * shape.T * shape.H * shape.D);
  forQueries(shape, qkv, (at, keys, weights) => {
    keys.forEach((j, n) => {
      for (let d = 0; d < shape.D; d++) output[at.out + d] += weights[n] * qkv[at.v(j) + d];
    });
  });
  return output;
}

/** The gradient of Σ dy·output for qkv. */
export function attentionGradientOracle(shape: AttentionCase, qkv: Float64Array, dy: ArrayLike<number>): Float64Array {
  const { D } = shape;
  const gradient = new Float64Array(qkv.length);
  const scale = 1 / Math.sqrt(D);
  forQueries(shape, qkv, (at, keys, weights) => {
    const dWeights = keys.map((j) => {
      let dot = 0;
      for (let d = 0; d < D; d++) dot += dy[at.out + d] * qkv[at.v(j) + d];
      return dot;
    });
    const mean = dWeights.reduce((a, x, n) => a + x * weights[n], 0);
    keys.forEach((j, n) => {
      const dScore = weights[n] * (dWeights[n] - mean) * scale;
      for (let d = 0; d < D; d++) {
        gradient[at.v(j) + d] += weights[n] * dy[at.out + d];
        gradient[at.k(j) + d] += dScore * qkv[at.q + d];
        gradient[at.q + d] += dScore * qkv[at.k(j) + d];
      }
    });
  });
  return gradient;
}
