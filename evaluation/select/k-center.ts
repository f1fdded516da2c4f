/** Points that lie far from each other, and how far all others are from them. */
export interface Centers {
  /** In the order in which they were chosen. */
  chosen: number[];
  /** Distance of each point to the nearest one that was chosen before it, or of all; of the first centre infinite. */
  distance: Float64Array;
  /** That one; -1 of the first centre. */
  nearest: Int32Array;
}

/**
 * k-center greedy (farthest-point selection): first the point nearest to the mean of all, then again and again the one that is farthest from the
 * centres chosen so far. The largest distance that is left is at most twice the least that k centres can have. Ties go to the lower index.
 * The distance is Euclidean. Time is points · k · dimensions.
 * Source: Gonzalez 1985; Sener and Savarese 2018, "Active learning for convolutional neural networks: a core-set approach", Algorithm 1.
 * @param points of equal length.
 */
export async function kCenterGreedy(points: readonly Float32Array[], k: number): Promise<Centers> {
  const distance = new Float64Array(points.length).fill(Number.POSITIVE_INFINITY);
  const nearest = new Int32Array(points.length).fill(-1);
  const isChosen = new Uint8Array(points.length);
  const chosen: number[] = [];
  while (chosen.length < Math.min(k, points.length)) {
    const center = chosen.length === 0 ? mostTypical(points) : farthest(distance, isChosen);
    isChosen[center] = 1;
    chosen.push(center);
    for (let i = 0; i < points.length; i++) {
      if (isChosen[i]) continue;
      const found = euclidean(points[i], points[center]);
      if (found < distance[i]) [distance[i], nearest[i]] = [found, center];
    }
    if (chosen.length % 64 === 0) await new Promise(setImmediate); // signals arrive
  }
  return { chosen, distance, nearest };
}

function mostTypical(points: readonly Float32Array[]): number {
  const mean = new Float64Array(points[0].length);
  for (const point of points) for (let c = 0; c < mean.length; c++) mean[c] += point[c] / points.length;
  let best = 0;
  let least = Number.POSITIVE_INFINITY;
  points.forEach((point, i) => {
    const found = euclidean(point, mean);
    if (found < least) [best, least] = [i, found];
  });
  return best;
}

function farthest(distance: Float64Array, isChosen: Uint8Array): number {
  let best = -1;
  for (let i = 0; i < distance.length; i++) if (!isChosen[i] && (best < 0 || distance[i] > distance[best])) best = i;
  return best;
}

function euclidean(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let c = 0; c < a.length; c++) sum += (a[c] - b[c]) ** 2;
  return Math.sqrt(sum);
}
