import { shown } from '../../datasets/clean/rule.js';
import type { Drop, Outcome } from './strategy.js';

export interface RankRules {
  name: string;
  best: 'highest' | 'lowest';
  /** Smallest and largest value that may stay; the value that stays must be below `below`. */
  min?: number;
  max?: number;
  below?: number;
  /** Part of all that came to the strategy, those that could not be measured among them, of which the best stay. */
  keep?: number;
}

/**
 * What a strategy that gives each conversation a number makes of them: those outside the limits go, then those that are not among the best. Equal
 * numbers stand in the order of the table.
 * @param values  by row.
 * @param dropped those that could not be measured.
 */
export function ranked(values: Map<number, number>, dropped: Map<number, Drop>, rules: RankRules): Outcome {
  const { name, best, keep } = rules;
  const all = values.size + dropped.size;
  const result = new Map(dropped);
  for (const [row, value] of values) {
    const limit = brokenLimit(value, rules);
    if (limit) result.set(row, { rule: `${name} ${limit.text}`, reason: `${name} ${shown(value, limit.value)} ${limit.text}` });
  }
  const sign = best === 'highest' ? -1 : 1;
  const order = [...values.keys()].filter((row) => !result.has(row)).sort((a, b) => sign * (values.get(a)! - values.get(b)!) || a - b);
  const places = new Map(order.map((row, place) => [row, place]));
  if (keep !== undefined) {
    const count = Math.max(1, Math.round(keep * all));
    for (const [place, row] of order.entries()) {
      if (place < count) continue;
      const reason = `${name} ${shown(values.get(row)!)}: place ${place + 1} of ${all}`;
      result.set(row, { rule: `not among the ${best} ${shown(100 * keep)} %`, reason });
    }
  }
  return { dropped: result, figures: [{ name, values }], ranking: { by: `${best} ${name} first`, places } };
}

function brokenLimit(value: number, { min, max, below }: RankRules): { text: string; value: number } | undefined {
  if (Number.isNaN(value)) return { text: 'is not a number', value };
  if (below !== undefined && value >= below) return { text: `≥ ${below}`, value: below };
  if (max !== undefined && value > max) return { text: `> ${max}`, value: max };
  return min !== undefined && value < min ? { text: `< ${min}`, value: min } : undefined;
}
