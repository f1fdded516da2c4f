// Legend: M rows, K inputs, N outputs.
import { geluGradientOracle, geluOracle } from './activation.js';

export interface LinearShape {
  M: number;
  K: number;
  N: number;
  activation?: 'gelu' | 'gelu_new';
}

function preactivations({ M, K, N }: LinearShape, x: Float64Array, weight: Float64Array, bias: Float64Array): Float64Array {
  return Float64Array.from({ length: M * N }, (_, at) => {
    const [i, n] = [Math.floor(at / N), at % N];
    let total = bias[n];
    for (let k = 0; k < K; k++) total += x[i * K + k] * weight[n * K + k];
    return total;
  });
}

/** activation(x · weightᵀ + bias) as plain loops: x [M·K], weight [N·K], bias [N] → [M·N]. */
export function linearOracle(shape: LinearShape, x: Float64Array, weight: Float64Array, bias: Float64Array): Float64Array {
  const z = preactivations(shape, x, weight, bias);
  return shape.activation ? geluOracle(z, shape.activation) : z;
}

/** The gradients of Σ dy·value for x, weight and bias. */
export function linearGradientOracle(
  shape: LinearShape,
  x: Float64Array,
  weight: Float64Array,
  bias: Float64Array,
  dy: Float64Array,
): [Float64Array, Float64Array, Float64Array] {
  const { M, K, N, activation } = shape;
  const g = activation ? geluGradientOracle(preactivations(shape, x, weight, bias), activation, dy) : dy;
  const [dx, dweight, dbias] = [new Float64Array(M * K), new Float64Array(N * K), new Float64Array(N)];
  for (let i = 0; i < M; i++) {
    for (let n = 0; n < N; n++) {
      dbias[n] += g[i * N + n];
      for (let k = 0; k < K; k++) {
        dx[i * K + k] += g[i * N + n] * weight[n * K + k];
        dweight[n * K + k] += g[i * N + n] * x[i * K + k];
      }
    }
  }
  return [dx, dweight, dbias];
}
