import { cellText, displayWidth, histogram, MASK_SIGN, pad, paint, table, tokenStripes } from '../../util/terminal.js';
import { withoutControls } from '../../util/visible.js';
import type { ChatFacts } from './chats.js';
import {
  lengthHistograms,
  lengthsTitle,
  partSummary,
  roleTable,
  rowTitle,
  sourceTable,
  summary,
  supervisedRanges,
  turnBars,
  turnsTitle,
  unusableLines,
} from './figures.js';
import type { InspectedPart, Inspection } from './inspect.js';
import {
  agreementLine,
  annotatorTable,
  answerBars,
  answerLengths,
  answerLengthsTitle,
  hardestTable,
  lengthTable,
  preferenceTable,
} from './preference-figures.js';
import type { PreferenceFacts } from './preferences.js';
import type { Row, RowMessage } from './rows.js';

const MOST_SOURCES = 30; // rows of a table that are read
const MOST_HISTOGRAMS = 6;
const LONGEST_VALUE = 120;

/** An inspection for the terminal. */
export function inspectionText(inspection: Inspection): string {
  const { path, kind, columns, metadata, parts, notes } = inspection;
  const values = metadata.map(([key, value]) => [key, value.length > LONGEST_VALUE ? `${value.slice(0, LONGEST_VALUE)}…` : value]);
  return [
    `${paint(path, 'bold')}: ${summary(inspection)}`,
    ...notes.map((note) => paint(note, 'yellow')),
    section('columns', table(columns.map(({ name, type, nulls }) => [name, type, nulls > 0 ? `${nulls.toLocaleString('en')} null` : '']))),
    ...(values.length > 0 ? [section('metadata', table(values))] : []),
    ...parts.flatMap((part) => [
      ...(parts.length > 1 ? [paint(`${part.name}: ${partSummary(part, kind)}`, 'bold')] : []),
      ...(part.total.rows > 0 ? partSections(inspection, part) : []),
    ]),
  ].join('\n\n');
}

function partSections(inspection: Inspection, part: InspectedPart): string[] {
  const { header, rows, align } = part.preferences ? preferenceTable(part.preferences) : sourceTable(inspection, part);
  const shown = rows.length > MOST_SOURCES ? [...rows.slice(0, MOST_SOURCES - 1), rows.at(-1)!] : rows;
  const hidden = rows.length - shown.length;
  const histograms = lengthHistograms(inspection, part);
  const drawn = histograms
    .slice(0, MOST_HISTOGRAMS)
    .map(({ name, bars }) => `${histograms.length > 1 ? `${cellText(name)}\n` : ''}${histogram(bars)}`);
  const left = histograms.length - drawn.length;
  return [
    section('by source', table(shown, { header, align }) + (hidden > 0 ? `\n${hidden} more sources: --html shows all` : '')),
    ...(drawn.length > 0
      ? [section(lengthsTitle(inspection), [...drawn, ...(left > 0 ? [`${left} more sources: --html shows all`] : [])].join('\n\n'))]
      : []),
    ...(part.chats ? chatSections(inspection, part, part.chats) : []),
    ...(part.preferences ? preferenceSections(part.preferences) : []),
    section(`examples${part.examples.some(hasMask) ? ` (${LEGEND})` : ''}`, part.examples.map((row) => rowText(row, false)).join('\n\n')),
  ];
}

function chatSections({ kind }: Inspection, { total }: InspectedPart, chats: ChatFacts): string[] {
  const { rows, ...options } = roleTable(chats);
  const turns = turnBars(chats, total);
  const unusable = unusableLines(chats);
  return [
    section('messages', table(rows, options)),
    ...(turns.length > 0 ? [section(turnsTitle(kind), histogram(turns))] : []),
    ...(unusable.rows.length > 0
      ? [section('not usable', [table(unusable.rows), ...(unusable.left ? [unusable.left] : [])].join('\n'))]
      : []),
  ];
}

function preferenceSections(facts: PreferenceFacts): string[] {
  const shown = ({ rows, ...options }: ReturnType<typeof lengthTable>) => table(rows, options);
  const [bars, lengths] = [answerBars(facts), answerLengths(facts)];
  const { annotators, agreement } = facts;
  return [
    ...(bars.length > 0 ? [section('preferences by number of answers', histogram(bars))] : []),
    ...(lengths.length > 0
      ? [
          section(`better and worse answers, in ${facts.lengthsIn}`, shown(lengthTable(facts))),
          section(answerLengthsTitle(facts), lengths.map(({ name, bars }) => `${name}\n${histogram(bars)}`).join('\n\n')),
        ]
      : []),
    ...(annotators.length > 0 ? [section('annotators', shown(annotatorTable(facts)))] : []),
    ...(agreement ? [section('agreement', agreementLine(agreement))] : []),
    ...(agreement && agreement.hardest.length > 0 ? [section('where annotators agree least', shown(hardestTable(agreement)))] : []),
  ];
}

const LEGEND = `${MASK_SIGN} tokens to be predicted`;
const hasMask = ({ tokens }: Row) => tokens?.supervised !== undefined;

/** A row for the terminal: all that is known of it, or what an example shows. */
export function rowText(row: Row, whole = true): string {
  const { tokens, text, messages, reference, answers, problem, others, left } = row;
  const parts = [paint(cellText(rowTitle(row)), 'bold')];
  const label = (name: string, value: string) => parts.push(whole ? `${paint(name, 'cyan')}\n${value}` : value);
  if (problem !== undefined) parts.push(paint(cellText(`not usable: ${problem}`), 'yellow'));
  if (tokens?.ids && (whole || !tokens.pieces)) label('ids', tokens.ids.join(' '));
  if (tokens?.pieces) label(`tokens${hasMask(row) ? ` (${LEGEND})` : ''}`, tokenStripes(tokens.pieces));
  if (tokens?.supervised && whole) label('to be predicted (places of tokens, from 0)', supervisedRanges(tokens.supervised));
  if (text !== undefined && (whole || !tokens)) label('text', withoutControls(text));
  if (messages && messages.length > 0 && (whole || !tokens?.pieces)) label('messages', turns(messages));
  if (reference) parts.push(turns([reference]));
  if (answers) label('answers', turns(answers));
  if (others !== undefined) label('other columns', withoutControls(others));
  if (left) parts.push(paint(`… ${left}`, 'dim'));
  return parts.join('\n');
}

/** Messages under one another, each beside its role. */
export function turns(messages: readonly RowMessage[]): string {
  const width = Math.max(...messages.map(({ role }) => displayWidth(cellText(role))), 'assistant'.length);
  return messages
    .map(({ role, content, left }) => {
      const body = `${withoutControls(content)}${left ? ` ${paint(`… ${left}`, 'dim')}` : ''}`;
      return `${paint(pad(cellText(role), width), 'bold')}  ${body.replace(/\n(?=.)/g, `\n${' '.repeat(width + 2)}`)}`;
    })
    .join('\n');
}

export function section(title: string, body: string): string {
  const indented = body.replace(/^(?=.)/gm, '  ');
  return `${paint(title, 'cyan')}\n${indented}`;
}
