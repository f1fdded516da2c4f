import { shown } from '../../datasets/clean/rule.js';
import { meanPooledStates } from '../mean-pooled-states.js';
import { type Measurer, measureWindows } from './encoded.js';
import { kCenterGreedy } from './k-center.js';
import type { Strategy } from './strategy.js';

/**
 * Keeps `budget` conversations that lie far from each other: k-center greedy on the mean-pooled last hidden states of the conversations, made unit
 * vectors. The distance is Euclidean: of unit vectors it is √(2 − 2·cosine), so that it orders pairs as the cosine does and is a metric,
 * without which the greedy choice has no guarantee; lengths of states, which say little of what a text is about, do not count.
 * Source: Sener and Savarese 2018; see `kCenterGreedy`.
 */
export function diversity(budget: number, measurer: Measurer): Strategy {
  return async (rows) => {
    const numbers: number[] = [];
    const points: Float32Array[] = [];
    const dropped = await measureWindows(rows, measurer, async (window) => {
      const states = await meanPooledStates(measurer.model, window.map(({ ids }) => ids)); // biome-ignore format: short
      numbers.push(...window.map(({ row }) => row));
      points.push(...states.map(unit));
    });
    const { chosen, distance, nearest } = await kCenterGreedy(points, budget);
    const values = new Map<number, number>();
    const isChosen = new Set(chosen);
    numbers.forEach((row, i) => {
      if (nearest[i] < 0) return; // the first centre
      values.set(row, distance[i]);
      if (isChosen.has(i)) return;
      const reason = `distance ${shown(distance[i])} to row ${numbers[nearest[i]]}`;
      dropped.set(row, { rule: `nearer to the ${budget.toLocaleString('en')} chosen`, reason });
    });
    return { dropped, figures: [{ name: 'distance', values }] };
  };
}

function unit(vector: Float32Array): Float32Array {
  const length = Math.sqrt(vector.reduce((sum, x) => sum + x * x, 0));
  return length > 0 ? vector.map((x) => x / length) : vector;
}
