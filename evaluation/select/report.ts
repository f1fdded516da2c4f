import { lot } from '../../datasets/clean/examples.js';
import { shown } from '../../datasets/clean/rule.js';
import type { Message } from '../../tokenizer/index.js';
import { type Bin, binsOf } from './bins.js';
import type { Figure, Outcome, Row } from './strategy.js';

/** What a selection did: plain data, as it is written beside the table. */
export interface SelectReport {
  table: string;
  output: string;
  before: number;
  after: number;
  /** By source. */
  sources: { source: string; before: number; after: number }[];
  strategies: StrategyReport[];
  /** Some of those that are kept, with what was measured of them. */
  kept: Example[];
}

export interface StrategyReport {
  /** Its name; `budget` of the cut at the end. */
  strategy: string;
  parameters: object;
  /** Conversations that came to it. */
  rows: number;
  dropped: number;
  sources: { source: string; rows: number; dropped: number }[];
  /** Why, the most frequent first. */
  reasons: { rule: string; dropped: number }[];
  figures: { name: string; bins: Bin[] }[];
  /** Some of those that it dropped. */
  examples: Example[];
}

export interface Example {
  /** In the table, from 0. */
  row: number;
  source: string;
  /** Why it was dropped, or what was measured of it. */
  reason: string;
  /** Their beginnings. */
  messages: Excerpt[];
}

/** The beginning of a message. */
export interface Excerpt {
  role: string;
  content: string;
  left?: string;
}

const EXAMPLES = 5;
const CHARACTERS = 300;

/** The report of a strategy; the messages of its examples are to be filled in. */
export function strategyReport(
  strategy: string,
  parameters: object,
  rows: readonly number[],
  outcome: Outcome,
  sourceOf: (row: number) => string,
): StrategyReport {
  const { dropped, figures } = outcome;
  const sources = new Map<string, { rows: number; dropped: number }>();
  const rules = new Map<string, number>();
  for (const row of rows) {
    const count = sources.get(sourceOf(row)) ?? { rows: 0, dropped: 0 };
    sources.set(sourceOf(row), count);
    count.rows++;
    const drop = dropped.get(row);
    if (!drop) continue;
    count.dropped++;
    rules.set(drop.rule, (rules.get(drop.rule) ?? 0) + 1);
  }
  return {
    strategy,
    parameters,
    rows: rows.length,
    dropped: dropped.size,
    sources: [...sources].map(([source, counts]) => ({ source, ...counts })),
    reasons: [...rules].map(([rule, count]) => ({ rule, dropped: count })).sort((a, b) => b.dropped - a.dropped),
    figures: figures.map(({ name, values }) => ({ name, bins: binsOf(values, (row) => dropped.has(row)) })),
    examples: spread(dropped.keys()).map((row) => ({ row, source: sourceOf(row), reason: dropped.get(row)!.reason, messages: [] })),
  };
}

/** Some of the conversations that are kept; their messages are to be filled in. */
export function keptExamples(rows: Iterable<number>, figures: readonly Figure[], sourceOf: (row: number) => string): Example[] {
  return spread(rows).map((row) => {
    const measured = figures.flatMap(({ name, values }) => {
      const value = values.get(row);
      return value === undefined ? [] : [`${name} ${typeof value === 'number' ? shown(value) : value}`];
    });
    return { row, source: sourceOf(row), reason: measured.join(', '), messages: [] };
  });
}

/** Puts a row's messages where an example waits for them. */
export function fillExamples(examples: readonly Example[], row: Row): void {
  for (const example of examples) if (example.row === row.row) example.messages = row.messages.map(excerptOf);
}

/** A few rows, spread over the table as those of `data clean` are, in their order. */
function spread(rows: Iterable<number>): number[] {
  return [...rows]
    .sort((a, b) => lot(a) - lot(b))
    .slice(0, EXAMPLES)
    .sort((a, b) => a - b);
}

function excerptOf({ role, content }: Message): Excerpt {
  const characters = Array.from(content.slice(0, 2 * CHARACTERS + 2));
  if (characters.length <= CHARACTERS) return { role, content };
  const beginning = characters.slice(0, CHARACTERS).join('');
  return { role, content: beginning, left: `${(content.length - beginning.length).toLocaleString('en')} more characters` };
}
