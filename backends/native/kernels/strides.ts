/** Dimensions that the strided kernels take; shorter shapes are filled up with 1 in front. */
export const RANK = 6;

/** Steps between neighbours along each dimension of a tensor that lies in rows. */
export function rowStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  for (let d = shape.length - 1, step = 1; d >= 0; step *= shape[d--]) strides[d] = step;
  return strides;
}

/** The strides with which a tensor of `shape` is read as one of shape `out`: 0 where it is repeated. */
export function broadcastStrides(shape: readonly number[], out: readonly number[]): number[] {
  const strides = rowStrides(shape);
  const added = out.length - shape.length;
  return out.map((_, d) => (d < added || shape[d - added] === 1 ? 0 : strides[d - added]));
}

/**
 * The same walk over fewer dimensions: those of size 1 are left out, and neighbours joined where every tensor's steps allow it.
 * @returns shape and each tensor's strides, `RANK` long; undefined when more dimensions than that remain.
 */
export function joinDimensions(
  shape: readonly number[],
  strides: readonly (readonly number[])[],
): { shape: number[]; strides: number[][] } | undefined {
  const joined: number[] = [];
  const steps: number[][] = strides.map(() => []);
  for (let d = 0; d < shape.length; d++) {
    if (shape[d] === 1) continue;
    const last = joined.length - 1;
    if (last >= 0 && strides.every((s, k) => steps[k][last] === s[d] * shape[d])) {
      joined[last] *= shape[d];
      steps.forEach((s, k) => {
        s[last] = strides[k][d];
      });
    } else {
      joined.push(shape[d]);
      steps.forEach((s, k) => {
        s.push(strides[k][d]);
      });
    }
  }
  const missing = RANK - joined.length;
  if (missing < 0) return undefined;
  return { shape: [...new Array(missing).fill(1), ...joined], strides: steps.map((s) => [...new Array(missing).fill(0), ...s]) };
}
