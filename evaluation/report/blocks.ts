/** What a report is made of, before it is a page or Markdown. */
import type { Interval } from './shapes.js';

/** A part of the report under a heading of its own. */
export interface Section {
  /** Its anchor. */
  id: string;
  title: string;
  blocks: Block[];
}

export type Block =
  | { type: 'text'; text: string }
  /** What the reader should take away, in large letters. */
  | { type: 'lead'; text: string }
  | { type: 'list'; items: string[] }
  | { type: 'heading'; text: string }
  /** Something that a step did not record. */
  | { type: 'missing'; what: string }
  | { type: 'warning'; text: string }
  | Table
  | { type: 'charts'; charts: Chart[]; size?: ChartSize }
  | { type: 'answers'; questions: Question[] }
  | { type: 'quotes'; quotes: { label: string; text: string }[] };

export interface Table {
  type: 'table';
  header: string[];
  rows: Cell[][];
  align?: ('left' | 'right' | undefined)[];
  /** Folded under this line. */
  folded?: string;
}

/** A cell, already written. `note` stands small below it; `bar` is a share of the column's full width; `whole` is what the text abbreviates. */
export type Cell = string | { text: string; note?: string; bar?: number; whole?: string; code?: boolean };

export type ChartSize = 'small' | 'medium' | 'wide';

export interface Axis {
  label: string;
  scale?: 'linear' | 'log';
  /** Smallest and largest value; those of the data where not given. */
  domain?: [number, number];
  format?: (value: number) => string;
}

export interface Point {
  x: number;
  y: number;
}

export interface Series {
  name: string;
  points: readonly Point[];
  /** A thin line for what varies from step to step, marks with a line for what is measured now and then. */
  style: 'thin' | 'marks';
}

interface ChartBase {
  title: string;
  /** Its key number in words, part of the accessible name. */
  says: string;
  x: Axis;
}

export type Chart =
  | (ChartBase & {
      kind: 'lines';
      y: Axis;
      /** A series without points keeps its place, so that the others keep their colours. */
      series: Series[];
      /** y = x: what a calibrated model would show. */
      diagonal?: boolean;
    })
  /** Means with their intervals, a row each. */
  | (ChartBase & { kind: 'intervals'; rows: string[]; series: { name: string; values: (Interval | undefined)[] }[]; rule?: number })
  /** Counts of equally wide ranges. */
  | (ChartBase & { kind: 'histogram'; y: Axis; bins: { from: number; to: number; value: number }[] });

/** A prompt with the answers of some models. */
export interface Question {
  prompt: string;
  source?: string;
  reference?: string;
  answers: { model: string; text: string; gold?: number; score?: number; ended?: boolean; parts: Record<string, number> }[];
}

export const text = (line: string): Block => ({ type: 'text', text: line });
export const heading = (line: string): Block => ({ type: 'heading', text: line });
export const missing = (what: string): Block => ({ type: 'missing', what });
export const list = (items: string[]): Block[] => (items.length > 0 ? [{ type: 'list', items }] : []);
export const charts = (found: readonly (Chart | undefined)[], size?: ChartSize): Block[] => {
  const present = found.filter((chart) => chart !== undefined);
  return present.length > 0 ? [{ type: 'charts', charts: present, size }] : [];
};
