import assert from 'node:assert/strict';
import { kCenterGreedy } from '../../evaluation/select/k-center.js';
import { normals } from '../../util/random.js';

const distance = (a: Float32Array, b: Float32Array) => Math.sqrt(a.reduce((sum, x, c) => sum + (x - b[c]) ** 2, 0));
const cloud = (seed: number, points: number, dimensions: number) => Array.from({ length: points }, (_, i) => normals(seed, i, dimensions));

/** Each next centre found anew by all distances. */
function bruteForce(points: readonly Float32Array[], k: number): number[] {
  const mean = points[0].map((_, c) => points.reduce((sum, point) => sum + point[c], 0) / points.length);
  const key = (chosen: readonly number[], i: number) =>
    chosen.length === 0 ? -distance(points[i], mean) : Math.min(...chosen.map((center) => distance(points[i], points[center])));
  const chosen: number[] = [];
  while (chosen.length < k) {
    const rest = points.map((_, i) => i).filter((i) => !chosen.includes(i));
    const most = Math.max(...rest.map((i) => key(chosen, i)));
    chosen.push(rest.find((i) => key(chosen, i) === most)!);
  }
  return chosen;
}

/** The least that the largest distance to the nearest of k centres can be, by trying all sets of them. */
function optimum(points: readonly Float32Array[], k: number): number {
  const sets = (from: number, size: number): number[][] =>
    size === 0 ? [[]] : points.slice(from).flatMap((_, i) => sets(from + i + 1, size - 1).map((rest) => [from + i, ...rest]));
  return Math.min(...sets(0, k).map((set) => Math.max(...points.map((point) => Math.min(...set.map((i) => distance(point, points[i])))))));
}

describe('k-center greedy', () => {
  it('chooses as brute force does', async () => {
    for (const seed of [1, 2, 3]) {
      const points = cloud(seed, 40, 3);
      assert.deepEqual((await kCenterGreedy(points, 12)).chosen, bruteForce(points, 12));
    }
  });

  it('leaves no point farther than twice the best that so many centres can do', async () => {
    for (const seed of [4, 5, 6, 7]) {
      const points = cloud(seed, 11, 2);
      const { chosen, distance: left } = await kCenterGreedy(points, 3);
      const farthest = Math.max(...points.map((_, i) => (chosen.includes(i) ? 0 : left[i])));
      assert.ok(farthest <= 2 * optimum(points, 3));
    }
  });

  it('says how far every point is from the nearest centre, and from which', async () => {
    const at = (...values: number[]) => values.map((x) => Float32Array.of(x));
    const { chosen, distance: left, nearest } = await kCenterGreedy(at(0, 1, 4, 5, 10), 3);
    assert.deepEqual(chosen, [2, 4, 0]); // the mean is 4; 10 is 6 away from it, then 0 is 4 away
    assert.deepEqual([...left], [4, 1, Infinity, 1, 6]);
    assert.deepEqual([...nearest], [2, 0, -1, 2, 2]);
  });

  it('breaks ties by the lower index, and takes no point twice though all are the same', async () => {
    const same = Array.from({ length: 4 }, () => Float32Array.of(1, 1));
    assert.deepEqual((await kCenterGreedy(same, 3)).chosen, [0, 1, 2]);
    const square = [
      [0, 0],
      [0, 2],
      [2, 0],
      [2, 2],
    ].map((point) => Float32Array.from(point));
    assert.deepEqual((await kCenterGreedy(square, 4)).chosen, [0, 3, 1, 2]);
  });

  it('takes all where there are fewer than asked for', async () => {
    assert.equal((await kCenterGreedy(cloud(8, 3, 2), 10)).chosen.length, 3);
    assert.deepEqual((await kCenterGreedy([], 2)).chosen, []);
  });
});
