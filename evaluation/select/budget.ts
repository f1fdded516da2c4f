import { createHash } from 'node:crypto';
import type { Outcome, Ranking, Row, Rows } from './strategy.js';
import { textOf } from './strategy.js';

/** The best of a ranking; those without a place in it come last, in the order of the table. */
export async function cutByRanking(rows: Rows, budget: number, { by, places }: Ranking): Promise<Outcome> {
  const left: number[] = [];
  for await (const { row } of rows()) left.push(row);
  const place = (row: number) => places.get(row) ?? Number.POSITIVE_INFINITY;
  left.sort((a, b) => (place(a) === place(b) ? a - b : place(a) - place(b)));
  const rule = `beyond the budget, ${by}`;
  return dropsOf(left, budget, (number) => ({ rule, reason: `place ${number} of ${left.length}, ${by}` }));
}

/**
 * A sample: the conversations with the smallest SHA-256 of the seed and what they say. One that is in it stays in it when others are taken out of
 * the table, wherever it stands there. Equal ones come in the order of the table.
 */
export async function cutBySample(rows: Rows, budget: number, seed: number): Promise<Outcome> {
  const left: { row: number; lot: string }[] = [];
  for await (const row of rows()) left.push({ row: row.row, lot: lotOf(row, seed) });
  left.sort((a, b) => (a.lot === b.lot ? a.row - b.row : a.lot < b.lot ? -1 : 1));
  const rule = 'not in the sample by hash';
  return dropsOf(left.map(({ row }) => row), budget, (number) => ({ rule, reason: `place ${number} of ${left.length} by hash` })); // biome-ignore format: short
}

function dropsOf(order: readonly number[], budget: number, drop: (place: number) => { rule: string; reason: string }): Outcome {
  const past = order.slice(budget).map((row, i) => [row, drop(budget + i + 1)] as const);
  return { dropped: new Map(past), figures: [] };
}

function lotOf(row: Row, seed: number): string {
  return createHash('sha256')
    .update(`${seed}\n${textOf(row)}`)
    .digest('hex');
}
