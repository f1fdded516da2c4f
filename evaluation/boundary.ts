// Legend: C hidden size.
import { join } from 'node:path';
import { type NamedArray, readSafetensors } from '../checkpoints/safetensors.js';
import { exists } from '../util/files.js';

/**
 * Where a reward model was trained: how far a text's mean-pooled hidden states lie from those of the training texts.
 * Source: Mahalanobis distance, for texts unlike those of training Lee et al. 2018; the covariance shrunk towards a multiple of the identity, as Ledoit
 * and Wolf 2004.
 */
export interface Boundary {
  /** [C]. */
  mean: Float32Array;
  /** [C, C], lower: the covariance is L·Lᵀ. */
  factor: Float32Array;
  /** [101]: the distances' percentiles 0 to 100 over texts like those of training that were held out from it. */
  percentiles: Float32Array;
}

const SHRINKAGE = 0.05;
/** Beyond this percentile a text is outside. */
const OUTSIDE = 95;

/**
 * @param states of training texts, [C] each.
 * @param others of held-out texts like them; the training texts' own where there are none.
 */
export function fitBoundary(states: readonly Float32Array[], others: readonly Float32Array[]): Boundary {
  const C = states[0].length;
  const mean = new Float64Array(C);
  for (const state of states) for (let c = 0; c < C; c++) mean[c] += state[c] / states.length;
  const covariance = new Float64Array(C * C);
  for (const state of states) {
    for (let i = 0; i < C; i++) {
      const di = state[i] - mean[i];
      for (let j = 0; j <= i; j++) covariance[i * C + j] += (di * (state[j] - mean[j])) / states.length;
    }
  }
  let variance = 0;
  for (let i = 0; i < C; i++) variance += covariance[i * C + i] / C;
  for (let i = 0; i < C; i++) {
    for (let j = 0; j <= i; j++) covariance[i * C + j] *= 1 - SHRINKAGE;
    covariance[i * C + i] += SHRINKAGE * variance + Number.MIN_VALUE;
  }
  const boundary = {
    mean: Float32Array.from(mean),
    factor: Float32Array.from(cholesky(covariance, C)),
    percentiles: new Float32Array(101),
  };
  const measured = (others.length > 0 ? others : states).map((state) => distance(boundary, state)).sort((a, b) => a - b);
  for (let p = 0; p <= 100; p++) boundary.percentiles[p] = quantile(measured, p / 100);
  return boundary;
}

/** The distance of a text from the training texts: √((h − mean)ᵀ Σ⁻¹ (h − mean) / C), about 1 for texts like them. */
export function distance({ mean, factor }: Boundary, state: Float32Array): number {
  const C = mean.length;
  const z = new Float64Array(C); // solves L·z = h − mean
  let sum = 0;
  for (let i = 0; i < C; i++) {
    let rest = state[i] - mean[i];
    for (let j = 0; j < i; j++) rest -= factor[i * C + j] * z[j];
    z[i] = rest / factor[i * C + i];
    sum += z[i] ** 2;
  }
  return Math.sqrt(sum / C);
}

/** Share of distances that are beyond 95 of 100 of those of held-out training-like texts; of such texts themselves .05. */
export function outsideShare({ percentiles }: Boundary, distances: readonly number[]): number {
  return distances.filter((d) => d > percentiles[OUTSIDE]).length / distances.length;
}

/** L, lower, of a symmetric matrix L·Lᵀ of which the lower half is given. */
function cholesky(matrix: Float64Array, C: number): Float64Array {
  const L = new Float64Array(C * C);
  for (let i = 0; i < C; i++) {
    for (let j = 0; j <= i; j++) {
      let rest = matrix[i * C + j];
      for (let k = 0; k < j; k++) rest -= L[i * C + k] * L[j * C + k];
      L[i * C + j] = i === j ? Math.sqrt(Math.max(rest, 1e-12)) : rest / L[j * C + j];
    }
  }
  return L;
}

/** @param sorted ascending, at least one. */
export function quantile(sorted: readonly number[], q: number): number {
  const place = q * (sorted.length - 1);
  const below = Math.floor(place);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
}

export function boundaryArrays({ mean, factor, percentiles }: Boundary): NamedArray[] {
  const C = mean.length;
  return [
    { name: 'mean', dtype: 'F32', shape: [C], data: mean },
    { name: 'factor', dtype: 'F32', shape: [C, C], data: factor },
    { name: 'percentiles', dtype: 'F32', shape: [101], data: percentiles },
  ];
}

/** The boundary of a checkpoint; undefined where it has none. */
export async function readBoundary(directory: string): Promise<Boundary | undefined> {
  const file = join(directory, 'boundary.safetensors');
  if (!(await exists(file))) return undefined;
  const stored = await readSafetensors(file);
  const array = (name: string) => stored.get(name)!.data as Float32Array;
  return { mean: array('mean'), factor: array('factor'), percentiles: array('percentiles') };
}
