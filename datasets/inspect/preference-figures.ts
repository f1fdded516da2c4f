import type { Bar, Cell } from '../../util/terminal.js';
import type { Agreement } from '../agreement.js';
import { barsOf, counted, percent, type Table } from './figures.js';
import { lengthBins } from './lengths.js';
import type { PreferenceCounts, PreferenceFacts } from './preferences.js';

/** What is shown of preferences, whether in a terminal or on a page. */

/** Counts by source, and of all where there are several. */
export function preferenceTable({ total, sources }: PreferenceFacts): Table {
  const columns: [title: string, cell: (counts: PreferenceCounts) => Cell][] = [
    ['source', ({ name }) => name],
    ['preferences', ({ rows }) => rows],
    ['answers', ({ answers }) => answers],
    ['comparisons', ({ comparisons }) => comparisons],
    ['ties', ({ ties }) => ties],
    ['no comparison', ({ withoutComparison }) => withoutComparison],
    ['share', ({ rows }) => percent(rows, total.rows)],
  ];
  const used = columns.filter(([title]) => title !== 'no comparison' || total.withoutComparison > 0);
  return tableOf(used, sources.length === 1 ? sources : [...sources, total]);
}

/** The better and the worse answers of all comparisons by their lengths: a first look at whether the longer ones are preferred. */
export function lengthTable({ total, sources }: PreferenceFacts): Table {
  const mean = (sum: number, { comparisons }: PreferenceCounts) => (comparisons > 0 ? Math.round(sum / comparisons) : '');
  const lines = sources.length === 1 ? sources : [...sources, total];
  return tableOf(
    [
      ['source', ({ name }) => name],
      ['better, mean', (counts) => mean(counts.better, counts)],
      ['worse, mean', (counts) => mean(counts.worse, counts)],
      ['better is longer', ({ betterIsLonger, comparisons }) => percent(betterIsLonger, comparisons)],
      ['equally long', ({ equallyLong, comparisons }) => percent(equallyLong, comparisons)],
      [
        'better is shorter',
        ({ comparisons, betterIsLonger, equallyLong }) => percent(comparisons - betterIsLonger - equallyLong, comparisons),
      ],
    ],
    lines.filter(({ comparisons }) => comparisons > 0),
  );
}

export const answerLengthsTitle = ({ lengthsIn }: PreferenceFacts) => `answers of every comparison by length in ${lengthsIn}`;

/** Lengths of the better and of the worse answer of every comparison; none where there is no comparison. */
export function answerLengths({ better, worse, total: { comparisons } }: PreferenceFacts): { name: string; bars: Bar[] }[] {
  if (comparisons === 0) return [];
  return [
    { name: 'better', bars: barsOf(lengthBins(better), comparisons) },
    { name: 'worse', bars: barsOf(lengthBins(worse), comparisons) },
  ];
}

/** How many rows have how many answers; nothing where all have as many. */
export function answerBars({ byAnswers, total }: PreferenceFacts): Bar[] {
  if (byAnswers.length < 2) return [];
  return byAnswers.map(({ answers, rows }) => ({
    label: `${answers}`,
    value: rows,
    note: `${rows.toLocaleString('en')} (${percent(rows, total.rows)})`,
  }));
}

const MOST_ANNOTATORS = 30;

/** Who ranked how much, and how far each agrees with the others; no rows where nobody is named. Those who agree least come first. */
export function annotatorTable({ annotators, agreement }: PreferenceFacts): Table {
  const known = new Map(agreement?.annotators.map((found) => [found.name, found]));
  const place = [...known.keys()];
  const order = (name: string) => (known.has(name) ? place.indexOf(name) : place.length);
  const shown = [...annotators].sort((a, b) => order(a.name) - order(b.name)).slice(0, MOST_ANNOTATORS);
  const left = annotators.length - shown.length;
  const compared = (name: string): Cell[] => (agreement ? [known.get(name)?.items ?? 0, fixed(known.get(name)?.tau)] : []);
  return {
    header: ['annotator', 'preferences', ...(agreement ? ['with others', 'mean τ-b'] : [])],
    rows: [
      ...shown.map(({ name, rows }) => [name, rows, ...compared(name)]),
      ...(left > 0 ? [[`… and ${left.toLocaleString('en')} more`]] : []),
    ],
    align: [undefined, undefined, undefined, 'right'],
  };
}

/** How far annotators agree, in one line. */
export function agreementLine({ items, ratings, alpha, tau }: Agreement): string {
  return `${counted(items, 'prompt')} ranked by several (${counted(ratings, 'ranking')}): Krippendorff's α (ordinal) ${fixed(alpha)}, Kendall's τ-b ${fixed(tau)} on average`;
}

/** The rows whose annotators agree least. */
export function hardestTable({ hardest }: Agreement): Table {
  return {
    header: ['row', 'annotators', 'mean τ-b'],
    rows: hardest.map(({ row, annotators, tau }) => [row, annotators.join(', '), fixed(tau)]),
    align: [undefined, undefined, 'right'],
  };
}

const fixed = (value: number | undefined) => (value === undefined ? 'not defined' : value.toFixed(3).replace('-', '−'));

function tableOf(columns: readonly [title: string, cell: (counts: PreferenceCounts) => Cell][], lines: readonly PreferenceCounts[]): Table {
  return {
    header: columns.map(([title]) => title),
    rows: lines.map((counts) => columns.map(([, cell]) => cell(counts))),
    align: columns.map((_, c) => (c === 0 ? 'left' : 'right')),
  };
}
