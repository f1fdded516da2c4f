import type { Align, Bar, Cell } from '../../util/terminal.js';
import type { ChatFacts } from './chats.js';
import type { SourceCounts } from './counts.js';
import type { InspectedPart, Inspection } from './inspect.js';
import { type LengthBin, lengthBins } from './lengths.js';
import type { Row } from './rows.js';

/** What is shown, whether in a terminal or on a page. */

export interface Table {
  header: string[];
  rows: Cell[][];
  align: (Align | undefined)[];
}

/** Counts of a part by source, and of all where there are several. */
export function sourceTable({ kind, lengthsIn }: Inspection, { total, sources }: InspectedPart): Table {
  const share = lengthsIn ?? 'rows';
  const columns: { title: string; cell: (counts: SourceCounts) => Cell | undefined; align?: Align }[] = [
    { title: 'source', cell: ({ name }) => name },
    { title: rowsOf(kind), cell: ({ rows }) => rows },
    ...(total.unusable ? [{ title: 'not usable', cell: ({ unusable = 0 }: SourceCounts) => unusable }] : []),
    ...countsOf(kind, lengthsIn).map((key) => ({
      title: key,
      cell: (counts: SourceCounts) => (key === 'ignored' ? ignored(counts) : counts[key]),
    })),
    { title: 'share', cell: (counts) => percent(counts[share] ?? 0, total[share] ?? 0), align: 'right' },
    {
      title: 'bytes/token',
      cell: ({ bytes, tokens }) => (!isChat(kind) && bytes !== undefined && tokens ? (bytes / tokens).toFixed(2) : undefined),
      align: 'right',
    },
    {
      title: 'mean length',
      cell: (counts) => lengthsIn && Math.round((counts[lengthsIn] ?? 0) / Math.max(1, measuredRows(counts, lengthsIn))),
    },
    { title: 'longest', cell: ({ longest }) => longest },
  ];
  const used = columns.filter(({ cell }) => [total, ...sources].some((counts) => cell(counts) !== undefined));
  const lines = sources.length === 1 ? sources : [...sources, total];
  return {
    header: used.map(({ title }) => title),
    rows: lines.map((counts) => used.map(({ cell }) => cell(counts) ?? '')),
    align: used.map(({ align }) => align),
  };
}

function countsOf(
  kind: Inspection['kind'],
  lengthsIn: Inspection['lengthsIn'],
): ('bytes' | 'characters' | 'tokens' | 'supervised' | 'ignored')[] {
  if (kind === 'corpus') return ['bytes', 'characters', 'tokens'];
  if (!isChat(kind)) return ['tokens', 'supervised', 'bytes'];
  return lengthsIn === 'tokens' ? ['tokens', 'supervised', 'ignored'] : ['bytes', 'characters'];
}

/** Rows that have a length: without tokens a row has none in tokens. */
function measuredRows({ rows, unusable = 0 }: SourceCounts, lengthsIn: Inspection['lengthsIn']): number {
  return lengthsIn === 'tokens' ? rows - unusable : rows;
}

/** Tokens that are not to be predicted. */
function ignored({ tokens, supervised }: SourceCounts): number | undefined {
  return tokens === undefined || supervised === undefined ? undefined : tokens - supervised;
}

const isChat = (kind: Inspection['kind']) => kind === 'conversations' || kind === 'prompts';

/** Messages by role. */
export function roleTable({ roles }: ChatFacts): Table {
  return {
    header: ['role', 'messages', 'bytes', 'characters', 'mean characters'],
    rows: roles.map(({ role, messages, bytes, characters }) => [role, messages, bytes, characters, Math.round(characters / messages)]),
    align: [],
  };
}

/** How many rows have how many answers (of prompts: questions); nothing where all have as many. */
export function turnBars({ turns }: ChatFacts, { rows }: SourceCounts): Bar[] {
  const bins = lengthBins(turns);
  return bins.length > 1 ? barsOf(bins, rows) : [];
}

export function turnsTitle(kind: Inspection['kind']): string {
  return `${kind} by number of ${kind === 'prompts' ? 'questions' : 'answers'}`;
}

/** Rows that cannot be used, and why. */
export function unusableLines({ unusable: { count, first } }: ChatFacts): { rows: Cell[][]; left?: string } {
  const left = count - first.length;
  return {
    rows: first.map(({ row, reason }) => [`row ${row}`, reason]),
    ...(left > 0 ? { left: `… and ${left.toLocaleString('en')} more` } : {}),
  };
}

export function lengthsTitle({ kind, lengthsIn, context }: Inspection): string {
  return `${rowsOf(kind)} by length in ${lengthsIn}${context === undefined ? '' : `; the context has ${context.toLocaleString('en')}`}`;
}

/** Lengths of a part's rows: of all, then by source where there are several, the largest first. */
export function lengthHistograms({ lengthsIn, context }: Inspection, { total, sources }: InspectedPart): { name: string; bars: Bar[] }[] {
  if (!lengthsIn || !total.lengths) return [];
  const bySize = [...sources].sort((a, b) => (b[lengthsIn] ?? 0) - (a[lengthsIn] ?? 0));
  return [total, ...(sources.length > 1 ? bySize : [])].flatMap(({ name, rows, lengths, past }) =>
    lengths
      ? [{ name, bars: barsOf(lengthBins(lengths, past && context !== undefined ? { limit: context, past } : undefined), rows) }]
      : [],
  );
}

export function barsOf(bins: readonly LengthBin[], rows: number): Bar[] {
  return bins.map(({ label, count, past }) => ({
    label,
    value: count,
    note: count > 0 ? `${count.toLocaleString('en')} (${percent(count, rows)})${past ? ' too long' : ''}` : '',
    past,
  }));
}

/** What a file is and how much is in it, in one line. */
export function summary({ kind, parts }: Inspection): string {
  if (parts.length > 1) return 'prepared tokens';
  const what = {
    corpus: 'a corpus of ',
    tokens: 'tokens of ',
    prepared: 'prepared tokens of ',
    conversations: '',
    prompts: '',
    preferences: '',
    rows: '',
  };
  return `${what[kind]}${partSummary(parts[0], kind)}`;
}

export function partSummary({ total, preferences, files, batches, size }: InspectedPart, kind: Inspection['kind']): string {
  const counts = [counted(total.rows, rowsOf(kind).slice(0, -1))];
  if (preferences) counts.push(counted(preferences.total.answers, 'answer'), counted(preferences.total.comparisons, 'comparison'));
  for (const key of ['tokens', 'bytes', 'characters'] as const)
    if (total[key] !== undefined) counts.push(counted(total[key], key.slice(0, -1)));
  const place = [counted(batches, 'record batch', 'es'), kind === 'prepared' && counted(files, 'file'), `${sizeText(size)} on disk`];
  return `${counts.join(', ')} (${place.filter(Boolean).join(', ')})`;
}

/** Line above a row. */
export function rowTitle({ row, file, source, annotator, bytes, tokens, weight, beyond }: Row): string {
  const facts = [
    source,
    file,
    annotator !== undefined && `annotator ${annotator}`,
    tokens && counted(tokens.count, 'token'),
    bytes !== undefined && counted(bytes, 'byte'),
    tokens?.predicted !== undefined &&
      `${counted(tokens.predicted, 'token')} to be predicted, ${(tokens.count - tokens.predicted).toLocaleString('en')} not`,
    weight !== undefined && `weight ${Number(weight.toPrecision(6))}`,
    beyond !== undefined && `longer than the context of ${beyond.toLocaleString('en')}`,
  ];
  return [`row ${row}`, ...facts.filter((fact) => fact)].join(' · ');
}

/** The stretches of a row that are to be predicted: `3–17, 40`. */
export function supervisedRanges(supervised: readonly boolean[]): string {
  const ranges: string[] = [];
  for (let from = 0; from < supervised.length; from++) {
    if (!supervised[from]) continue;
    let to = from;
    while (supervised[to + 1]) to++;
    ranges.push(from === to ? `${from}` : `${from}–${to}`);
    from = to;
  }
  return ranges.join(', ') || 'none';
}

function rowsOf(kind: Inspection['kind']): string {
  return kind === 'rows' || kind === 'preferences' || isChat(kind) ? kind : 'documents';
}

export function counted(n: number, what: string, plural = 's'): string {
  return `${n.toLocaleString('en')} ${what}${n === 1 ? '' : plural}`;
}

export function percent(part: number, whole: number): string {
  return whole > 0 ? `${((100 * part) / whole).toFixed(1)}%` : '';
}

function sizeText(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(bytes || 1) / 3)));
  return `${(bytes / 1000 ** power).toFixed(power > 0 ? 1 : 0)} ${units[power]}`;
}
