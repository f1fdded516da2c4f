/** silu(gate) · up as plain loops: x [M·2F] → [M·F]. */
export function swigluOracle(M: number, F: number, x: Float64Array): Float64Array {
  return Float64Array.from({ length: M * F }, (_, i) => {
    const [gate, up] = gateAndUp(F, i, x);
    return (gate / (1 + Math.exp(-gate))) * up;
  });
}

export function swigluGradientOracle(M: number, F: number, x: Float64Array, dy: Float64Array): Float64Array {
  const dx = new Float64Array(M * 2 * F);
  for (let i = 0; i < M * F; i++) {
    const [gate, up, at] = gateAndUp(F, i, x);
    const s = 1 / (1 + Math.exp(-gate));
    dx[at] = dy[i] * up * (s + gate * s * (1 - s));
    dx[at + F] = dy[i] * gate * s;
  }
  return dx;
}

function gateAndUp(F: number, i: number, x: Float64Array): [number, number, number] {
  const at = Math.floor(i / F) * 2 * F + (i % F);
  return [x[at], x[at + F], at];
}

/** erf by its Maclaurin series, or 1 − erfc by Lentz's continued fraction beyond 3. */
export function erf(x: number): number {
  const size = Math.abs(x);
  if (size > 6) return Math.sign(x);
  if (size > 3) {
    let fraction = 0;
    for (let k = 60; k > 0; k--) fraction = k / 2 / (size + fraction);
    return Math.sign(x) * (1 - Math.exp(-size * size) / Math.sqrt(Math.PI) / (size + fraction));
  }
  let term = x;
  let sum = x;
  for (let k = 1; k < 80; k++) {
    term *= (-x * x) / k;
    sum += term / (2 * k + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

const SLOPE = Math.sqrt(2 / Math.PI);

export function geluOracle(x: Float64Array, kind: 'gelu' | 'gelu_new'): Float64Array {
  return x.map((v) => 0.5 * v * (1 + (kind === 'gelu' ? erf(v * Math.SQRT1_2) : Math.tanh(SLOPE * (v + 0.044715 * v ** 3)))));
}

export function geluGradientOracle(x: Float64Array, kind: 'gelu' | 'gelu_new', dy: Float64Array): Float64Array {
  return x.map((v, i) => {
    if (kind === 'gelu') return dy[i] * (0.5 * (1 + erf(v * Math.SQRT1_2)) + (v * Math.exp((-v * v) / 2)) / Math.sqrt(2 * Math.PI));
    const t = Math.tanh(SLOPE * (v + 0.044715 * v ** 3));
    return dy[i] * (0.5 * (1 + t) + 0.5 * v * (1 - t * t) * SLOPE * (1 + 3 * 0.044715 * v * v));
  });
}
