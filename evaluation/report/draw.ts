/** Charts as SVG, drawn by Observable Plot in a document that is not there to be seen. Colours are the page's CSS variables. */
import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import type { Axis, Chart, ChartSize, Series } from './blocks.js';
import { thinned } from './chart-table.js';
import { decimal, figure, tick, within } from './numbers.js';

const { document } = parseHTML('<!doctype html><html><body></body></html>') as unknown as { document: Plot.PlotOptions['document'] };

const SIZES: Record<ChartSize, { width: number; height: number }> = {
  small: { width: 320, height: 190 },
  medium: { width: 460, height: 260 },
  wide: { width: 560, height: 260 },
};
const MARGINS = { marginTop: 30, marginRight: 16, marginBottom: 40, marginLeft: 52 };
/** Points of a line that are drawn: more than there are pixels show nothing more. */
const MOST_POINTS = 400;
const CHARACTER = 8; // pixels of a letter of the charts' text, about
export const SYMBOLS = ['circle', 'square', 'triangle', 'diamond', 'star', 'cross'] as const;
const DASHES = [undefined, '6 3', '2 3', '8 3 2 3', '4 2', '1 2'];

/** The colour, mark and dash of the i-th series, by none of which alone it is told. */
export const styleOf = (i: number) => ({
  colour: `var(--c${i % SYMBOLS.length})`,
  symbol: SYMBOLS[i % SYMBOLS.length],
  dash: DASHES[i % DASHES.length],
});

/** @returns an <svg> element as text, whose accessible name says what it shows and its key number. */
export function drawChart(chart: Chart, size: ChartSize = 'medium'): string {
  const options =
    chart.kind === 'lines' ? lines(chart, size) : chart.kind === 'intervals' ? intervals(chart, size) : histogram(chart, size);
  const svg = Plot.plot({ document, className: 'chart', ...options });
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', `${chart.title}: ${chart.says}`);
  svg.removeAttribute('font-family');
  svg.removeAttribute('font-size');
  for (const style of svg.querySelectorAll('style')) style.remove();
  for (const group of svg.querySelectorAll('g')) for (const name of ['aria-label', 'aria-hidden']) group.removeAttribute(name);
  return rounded(String(svg.outerHTML));
}

/** Coordinates to a tenth of a pixel. */
function rounded(svg: string): string {
  const shorter = (values: string) => values.replace(/\d+\.\d{2,}/g, (number) => String(Number(Number(number).toFixed(1))));
  return svg.replace(/ (?:d|transform|x|y|x1|x2|y1|y2|width|height|points)="[^"]*"/g, shorter);
}

const axisOptions = ({ label, domain }: Axis) => ({ label, tickFormat: tick, ...(domain && { domain }) });

function lines({ title, x, y, series, diagonal }: Extract<Chart, { kind: 'lines' }>, size: ChartSize): Plot.PlotOptions {
  const ticks = size === 'small' ? 4 : 5;
  const positive = series.every(({ points }) => points.every((point) => point.y > 0));
  const log = y.scale === 'log' && positive;
  return {
    ...SIZES[size],
    ...MARGINS,
    x: { ...axisOptions(x), ticks, nice: !x.domain },
    y: {
      ...axisOptions(y),
      ...(title.toLowerCase().startsWith(y.label.toLowerCase()) && { label: null }),
      ...(log ? { type: 'log' as const, ticks, domain: logDomain(series) } : { ticks, nice: true, ...(!y.domain && domainOf(series)) }),
      grid: true,
    },
    marks: [
      ...(diagonal ? [Plot.line([[0.5, 0.5], [1, 1]], { stroke: 'currentColor', strokeOpacity: 0.5, strokeDasharray: '2 4' })] : []), // biome-ignore format: short
      ...series.flatMap((one, i) => lineMarks(one, i, x, y)),
    ],
  };
}

/** The smallest and the largest value. */
function extent(series: readonly Series[]): [least: number, most: number] {
  let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { points } of series) {
    for (const { y } of points) {
      least = Math.min(least, y);
      most = Math.max(most, y);
    }
  }
  return [least, most];
}

/** All of a logarithmic axis, and a little more. */
function logDomain(series: readonly Series[]): [number, number] {
  const [least, most] = extent(series);
  return [least * 0.94, most * 1.06];
}

/**
 * What an axis begins and ends with, where the values themselves would not do: around them where all are the same; from 0 on where they are spread
 * out from near it, so that heights can be compared.
 */
function domainOf(series: readonly Series[]): { domain?: [number, number] } {
  const [least, most] = extent(series);
  const around = least === 0 ? 1 : Math.abs(least) / 2;
  if (least === most) return { domain: [least - around, most + around] };
  return least > 0 && least < 0.4 * most ? { domain: [0, most] } : {};
}

function lineMarks({ name, points, style }: Series, i: number, x: Axis, y: Axis): Plot.Markish[] {
  const { colour, symbol, dash } = styleOf(i);
  const drawn = thinned(points, MOST_POINTS);
  const line = { x: 'x', y: 'y', stroke: colour, strokeDasharray: dash };
  if (style === 'thin') return [Plot.line(drawn, { ...line, strokeWidth: 1.3, strokeOpacity: 0.7 })];
  const [writeX, writeY] = [x.format ?? tick, y.format ?? figure];
  const tip = (point: { x: number; y: number }) => `${name}: ${y.label} ${writeY(point.y)} at ${x.label} ${writeX(point.x)}`;
  return [
    Plot.line(drawn, { ...line, strokeWidth: 2 }),
    Plot.dot(drawn, { x: 'x', y: 'y', symbol, r: 3.2, fill: colour, stroke: 'var(--back)', strokeWidth: 1, title: tip }),
  ];
}

function intervals({ x, rows, series, rule }: Extract<Chart, { kind: 'intervals' }>, size: ChartSize): Plot.PlotOptions {
  const values = series.flatMap((one, i) =>
    one.values.flatMap((value, r) =>
      value ? [{ row: rows[r], series: one.name, value, ...styleOf(i), says: `${rows[r]}, ${one.name}: ${within(value)}` }] : [],
    ),
  );
  const write = x.format ?? decimal;
  const labels = Math.max(...rows.map((row) => row.length)) * CHARACTER;
  const height = rows.length * (series.length * 18 + 12) + MARGINS.marginTop + MARGINS.marginBottom - 10;
  const at = { fy: 'row', y: 'series' };
  return {
    width: SIZES[size].width,
    height,
    ...{ marginTop: 16, marginRight: 56, marginBottom: MARGINS.marginBottom + 4, marginLeft: Math.max(60, labels + 14) },
    x: { ...axisOptions(x), ticks: 5, grid: true },
    y: { domain: series.map(({ name }) => name), axis: null, type: 'point', padding: 0.6 },
    fy: { domain: rows, axis: null, padding: 0.12 },
    marks: [
      Plot.axisFy({ anchor: 'left', label: null, textAnchor: 'end', tickSize: 0 }),
      ...(rule === undefined ? [] : [Plot.ruleX([rule], { stroke: 'currentColor', strokeDasharray: '2 3', strokeOpacity: 0.6 })]),
      ...values.flatMap(({ colour, symbol, dash, ...one }) => {
        const { mean, ci95: [low, high] = [mean, mean] } = one.value;
        return [
          Plot.ruleY([one], { ...at, x1: () => low, x2: () => high, stroke: colour, strokeWidth: 3, strokeOpacity: 0.5 }),
          Plot.dot([one], { ...at, x: () => mean, symbol, r: 4.5, fill: colour, title: 'says' }),
          Plot.text([one], { ...at, x: () => high, text: () => write(mean), dx: 8, textAnchor: 'start', fill: 'currentColor' }),
        ];
      }),
    ],
  };
}

function histogram({ x, y, bins }: Extract<Chart, { kind: 'histogram' }>, size: ChartSize): Plot.PlotOptions {
  const write = x.format ?? figure;
  return {
    ...SIZES[size],
    ...MARGINS,
    x: { ...axisOptions(x), ticks: 6 },
    y: { ...axisOptions(y), grid: true, ticks: 4 },
    marks: [
      Plot.rectY(bins, {
        ...{ x1: 'from', x2: 'to', y: 'value', inset: 0.5 },
        fill: ({ from, to }: { from: number; to: number }) => (to <= 0 ? 'var(--c1)' : from >= 0 ? 'var(--c0)' : 'var(--c5)'),
        title: ({ from, to, value }: { from: number; to: number; value: number }) => `${write(from)} to ${write(to)}: ${value}`,
      }),
      Plot.ruleY([0]),
      Plot.ruleX([0], { strokeDasharray: '3 3' }),
      Plot.text(['← wrong order'], { x: 0, frameAnchor: 'top', dx: -6, dy: -12, textAnchor: 'end', fill: 'currentColor' }),
      Plot.text(['right order →'], { x: 0, frameAnchor: 'top', dx: 6, dy: -12, textAnchor: 'start', fill: 'currentColor' }),
    ],
  };
}
