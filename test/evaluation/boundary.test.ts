import assert from 'node:assert/strict';
import { saveCheckpoint } from '../../checkpoints/save.js';
import { boundaryArrays, distance, fitBoundary, outsideShare, quantile, readBoundary } from '../../evaluation/boundary.js';
import { RandomStream } from '../../util/random.js';
import { contents } from '../checkpoints/helpers.js';
import { temporaryFolder } from '../datasets/temporary.js';

/** Normal vectors of which each coordinate has another spread, and follows the one before. */
function vectors(count: number, C: number, stream: number, shift = 0): Float32Array[] {
  const random = new RandomStream(11, stream);
  return Array.from({ length: count }, () => {
    const vector = new Float32Array(C);
    for (let c = 0; c < C; c++) vector[c] = shift + (c + 1) * random.normal() + (c > 0 ? 0.8 * (vector[c - 1] - shift) : 0);
    return vector;
  });
}

/** Solves A·x = b by Gauss and Jordan. */
function solve(matrix: readonly number[][], vector: readonly number[]): number[] {
  const rows = matrix.map((row, i) => [...row, vector[i]]);
  for (let i = 0; i < rows.length; i++) {
    const pivot = rows.slice(i).reduce((a, b) => (Math.abs(b[i]) > Math.abs(a[i]) ? b : a));
    rows.splice(rows.indexOf(pivot), 1);
    rows.splice(i, 0, pivot.map((value) => value / pivot[i])); // biome-ignore format: short
    rows.forEach((row, j) => {
      if (j !== i) rows[j] = row.map((value, k) => value - row[i] * rows[i][k]);
    });
  }
  return rows.map((row) => row.at(-1)!);
}

describe('the boundary of a reward model', () => {
  const at = temporaryFolder();

  it('measures what the inverse of the shrunk covariance gives', () => {
    const C = 4;
    const states = vectors(30, C, 0);
    const mean = Array.from({ length: C }, (_, c) => states.reduce((sum, state) => sum + state[c], 0) / states.length);
    const covariance = mean.map((_, i) =>
      mean.map((_, j) => states.reduce((sum, state) => sum + (state[i] - mean[i]) * (state[j] - mean[j]), 0) / states.length),
    );
    const variance = covariance.reduce((sum, row, i) => sum + row[i], 0) / C;
    const shrunk = covariance.map((row, i) => row.map((value, j) => 0.95 * value + (i === j ? 0.05 * variance : 0)));
    const boundary = fitBoundary(states, []);
    for (const state of vectors(5, C, 1, 2)) {
      const off = mean.map((value, c) => state[c] - value);
      const expected = Math.sqrt(solve(shrunk, off).reduce((sum, value, c) => sum + value * off[c], 0) / C);
      assert.ok(Math.abs(distance(boundary, state) - expected) < 1e-5 * expected, `${distance(boundary, state)} ${expected}`);
    }
  });

  it('has about 5 of 100 texts like those of training outside, at distances of about 1, and unlike ones all', () => {
    const C = 8;
    const boundary = fitBoundary(vectors(2000, C, 0), vectors(2000, C, 1));
    const distances = vectors(2000, C, 2).map((state) => distance(boundary, state));
    const outside = outsideShare(boundary, distances);
    assert.ok(outside > 0.03 && outside < 0.07, `${outside}`);
    const middle = quantile(
      distances.sort((a, b) => a - b),
      0.5,
    );
    assert.ok(middle > 0.8 && middle < 1.1, `${middle}`);
    assert.equal(outsideShare(boundary, vectors(50, C, 3, 100).map((state) => distance(boundary, state))), 1); // biome-ignore format: short
  });

  it('takes the percentiles of held-out texts, which are further away than those that it was fitted to', () => {
    const [C, few] = [16, vectors(24, 16, 0)];
    const [own, others] = [fitBoundary(few, []), fitBoundary(few, vectors(500, C, 1))];
    assert.deepEqual([others.mean, others.factor], [own.mean, own.factor]);
    assert.ok(others.percentiles[50] > own.percentiles[95], `${others.percentiles[50]} ${own.percentiles[95]}`);
    assert.ok(others.percentiles.every((value, p) => p === 0 || value >= others.percentiles[p - 1]));
  });

  it('gives numbers where all texts are the same', () => {
    const [same] = vectors(1, 3, 0);
    const boundary = fitBoundary([same, same], []);
    assert.ok(Number.isFinite(distance(boundary, Float32Array.of(1, 2, 3))));
    assert.ok(Math.abs(distance(boundary, same)) < 1);
  });

  it('is stored with a checkpoint and read from it; another has none', async () => {
    const boundary = fitBoundary(vectors(20, 3, 0), vectors(20, 3, 1));
    await saveCheckpoint(at('with'), { ...contents(1), boundary: boundaryArrays(boundary) });
    await saveCheckpoint(at('without'), contents(1));
    assert.deepEqual(await readBoundary(at('with')), boundary);
    assert.equal(await readBoundary(at('without')), undefined);
  });

  it('interpolates between the values of a quantile', () => {
    assert.deepEqual([0, 0.25, 0.5, 1].map((q) => quantile([1, 2, 4], q)), [1, 1.5, 2, 4]); // biome-ignore format: short
  });
});
