/** The data behind a chart, as a table. */
import type { Chart, Series } from './blocks.js';
import { decimal, figure, NOTHING, tick, within } from './numbers.js';

/** At most `most` of the items at even distances, the first and the last among them. */
export function thinned<T>(items: readonly T[], most: number): readonly T[] {
  if (items.length <= most) return items;
  return Array.from({ length: most }, (_, i) => items[Math.round((i * (items.length - 1)) / (most - 1))]);
}

/** Whether a series has nothing to show. */
export const isEmpty = (series: Pick<Series, 'points'> | { values: readonly unknown[] }): boolean =>
  'points' in series ? series.points.length === 0 : series.values.every((value) => value === undefined);

/** @param most rows; of the lines of a chart, those at even distances, marks before thin lines. */
export function chartTable(chart: Chart, most: number): { header: string[]; rows: string[][] } {
  if (chart.kind === 'intervals') {
    const write = chart.x.format ?? decimal;
    return {
      header: ['', ...chart.series.map(({ name }) => name)],
      rows: chart.rows.map((row, r) => [row, ...chart.series.map(({ values }) => within(values[r], write))]),
    };
  }
  const write = chart.x.format ?? tick;
  if (chart.kind === 'histogram') {
    const rows = thinned(chart.bins, most).map(({ from, to, value }) => [
      `${write(from)} to ${write(to)}`,
      (chart.y.format ?? figure)(value),
    ]);
    return { header: [chart.x.label, chart.y.label], rows };
  }
  const series = chart.series.filter((one) => !isEmpty(one));
  const marked = series.filter(({ style }) => style === 'marks');
  const shown = marked.length > 0 ? marked : series;
  const places = [...new Set(shown.flatMap(({ points }) => points.map(({ x }) => x)))].sort((a, b) => a - b);
  const writeY = chart.y.format ?? figure;
  const lookup = series.map(({ points }) => new Map(points.map(({ x, y }) => [x, y])));
  return {
    header: [chart.x.label, ...series.map(({ name }) => (series.length > 1 ? `${chart.y.label}, ${name}` : chart.y.label))],
    rows: thinned(places, most).map((x) => [
      write(x),
      ...lookup.map((values) => {
        const y = values.get(x);
        return y === undefined ? NOTHING : writeY(y);
      }),
    ]),
  };
}
