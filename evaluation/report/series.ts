/** What metrics.jsonl has of a quantity, as points to draw. */
import type { Axis, Chart, Point, Series } from './blocks.js';
import { figure } from './numbers.js';
import type { Line } from './read.js';

/** The points of a metric over the steps at which it was written. */
export function pointsOf(lines: readonly Line[], y: string, x = 'step'): Point[] {
  return lines.flatMap((line) => {
    const [at, value] = [line[x], line[y]];
    return typeof at === 'number' && typeof value === 'number' ? [{ x: at, y: value }] : [];
  });
}

/** The same metric of each source: `eval/bits_per_byte/letters` → letters. */
export function sourcesOf(lines: readonly Line[], metric: string): string[] {
  const prefix = `${metric}/`;
  return [...new Set(lines.flatMap((line) => Object.keys(line).filter((key) => key.startsWith(prefix))))].map((key) =>
    key.slice(prefix.length),
  );
}

export interface LineChartOptions {
  title: string;
  x?: Axis;
  y: Axis;
  series: Series[];
}

/** A chart of lines; undefined where nothing was recorded. Its name says where each series begins and ends. */
export function lineChart({ title, x = { label: 'step' }, y, series }: LineChartOptions): Chart | undefined {
  const drawn = series.filter(({ points }) => points.length > 0);
  if (drawn.length === 0) return undefined;
  const write = y.format ?? figure;
  const ends = drawn.map(({ name, points }) => {
    const [from, to] = [points[0], points[points.length - 1]];
    const course = points.some(({ y }) => y !== from.y) ? `from ${write(from.y)} to ${write(to.y)}` : write(to.y);
    return drawn.length > 1 ? `${name} ${course}` : course;
  });
  return { kind: 'lines', title, says: ends.join('; '), x, y, series };
}
