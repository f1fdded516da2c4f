import { shown } from '../../datasets/clean/rule.js';
import type { Table } from '../../datasets/inspect/figures.js';
import type { Bar } from '../../util/terminal.js';
import type { Bin } from './bins.js';
import type { Example, SelectReport, StrategyReport } from './report.js';

/** What is shown of a selection, whether in a terminal or on a page. */

export function summary({ table, output, before, after }: SelectReport): string {
  return `${output}: ${count(after)} of ${count(before)} conversations of ${table}`;
}

/** Every strategy in its order, and why it dropped what it did. */
export function strategyTable({ strategies }: SelectReport): Table {
  return {
    header: ['strategy', 'rows', 'dropped', '%', 'kept', 'why'],
    rows: strategies.map(({ strategy, rows, dropped, reasons }) => [
      strategy,
      rows,
      dropped,
      percent(dropped, rows),
      rows - dropped,
      reasons.map((reason) => `${reason.rule}${reasons.length > 1 ? ` (${count(reason.dropped)})` : ''}`).join(', '),
    ]),
    align: [undefined, undefined, undefined, 'right'],
  };
}

/** How many of each source were there, were dropped by each strategy, and are kept; of all where there are several. */
export function sourceTable({ sources, strategies, before, after }: SelectReport): Table {
  const droppedOf = (source: string) =>
    strategies.map((strategy) => strategy.sources.find((counts) => counts.source === source)?.dropped ?? 0);
  const lines = sources.map(({ source, before, after }) => [source, before, ...droppedOf(source), after, percent(after, before)]);
  const all = ['all', before, ...strategies.map(({ dropped }) => dropped), after, percent(after, before)];
  return {
    header: ['source', 'rows', ...strategies.map(({ strategy }) => strategy), 'kept', '%'],
    rows: sources.length > 1 ? [...lines, all] : lines,
    align: [undefined, ...strategies.map(() => undefined), undefined, undefined, 'right'],
  };
}

/** A strategy with its parameters: `length (max_tokens 512, min_answer_tokens 2)`. */
export function strategyTitle({ strategy, parameters }: StrategyReport): string {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined);
  if (given.length === 0) return strategy;
  const values = given.map(([key, value]) => `${key} ${typeof value === 'number' ? shown(value) : [value].flat().join(', ')}`);
  return `${strategy} (${values.join(', ')})`;
}

/** A figure's bins: a bar for what is kept, and one drawn otherwise for what is dropped, where a bin has both. */
export function binBars(bins: readonly Bin[]): Bar[] {
  return bins.flatMap(({ label, kept, dropped }): Bar[] => {
    const bars: Bar[] = [];
    if (kept > 0 || dropped === 0) bars.push({ label, value: kept, note: kept > 0 ? `${count(kept)} kept` : '' });
    if (dropped > 0) bars.push({ label: kept > 0 ? '' : label, value: dropped, note: `${count(dropped)} dropped`, past: true });
    return bars;
  });
}

/** Line above an example. */
export function exampleTitle({ row, source, reason }: Example): string {
  return [`row ${row}`, source, reason].filter((part) => part !== '').join(' · ');
}

const count = (n: number) => n.toLocaleString('en');
const percent = (part: number, whole: number) => ((100 * part) / whole).toFixed(1);
