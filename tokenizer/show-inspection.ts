import { type Html, html, htmlTable, page, tokenSpans } from '../util/html.js';
import { type Align, type Cell, paint, table, tokenStripes } from '../util/terminal.js';
import { type TokenPiece, visibleToken } from '../util/visible.js';
import type { Inspection, SourceUse, TokenFacts, TokenizerFacts } from './inspect.js';

interface Section {
  title: string;
  note?: string;
  rows?: { header: string[]; cells: Cell[][]; align?: (Align | undefined)[] };
  pieces?: TokenPiece[];
}

/** For the terminal. */
export function inspectionText({ name, ...inspection }: Inspection): string {
  const blocks = sections(inspection).map(({ title, note, rows, pieces }) =>
    [
      paint(title, 'bold'),
      ...(note === undefined ? [] : [note]),
      ...(rows ? [table(rows.cells, rows)] : []),
      ...(pieces ? [tokenStripes(pieces)] : []),
    ].join('\n'),
  );
  const facts = factRows(inspection.facts).map(([label, value]): Cell[] => [label, value]);
  return [`${paint(name, 'bold')}\n${table(facts)}`, ...blocks].join('\n\n');
}

/** The same as a page that needs nothing beside it. */
export function inspectionPage({ name, ...inspection }: Inspection): string {
  const blocks = sections(inspection).map(
    ({ title, note, rows, pieces }): Html => html`<h2>${title}</h2>
${note !== undefined && html`<p>${note}</p>`}${rows && htmlTable(rows.cells, rows)}${pieces && tokenSpans(pieces)}`,
  );
  return page(name, html`${htmlTable(factRows(inspection.facts))}${blocks}`);
}

function factRows({ kind, size, hash, patterns, special }: TokenizerFacts): string[][] {
  return [
    ['kind', kind],
    ['tokens', count(size)],
    ['special', specialText(special)],
    ['words', patterns.join('   then   ') || 'not cut'],
    ['sha256', hash],
  ];
}

const SHOWN_SPECIAL = 24;

function specialText(special: readonly TokenPiece[]): string {
  const shown = special.slice(0, SHOWN_SPECIAL).map(({ id, text }) => `${text} ${id}`);
  const more = special.length - shown.length;
  return [...shown, ...(more > 0 ? [`and ${count(more)} more`] : [])].join('  ') || 'none';
}

function sections({ facts, use, text }: Omit<Inspection, 'name'>): Section[] {
  const found: Section[] = [];
  if (text) {
    found.push({
      title: 'Text',
      note: `${count(text.pieces.length)} tokens, ${count(text.bytes)} bytes: ${ratio(text.bytes, text.pieces.length)} bytes a token`,
      pieces: text.pieces,
    });
  }
  if (use) {
    const { count: unused, singleBytes, examples } = use.unused;
    const ofText = facts.size - facts.special.length;
    found.push(
      { title: 'By source', rows: sourceRows(use.sources) },
      {
        title: 'Most used tokens',
        rows: { header: ['id', 'token', 'times'], cells: use.mostUsed.map((token) => [...idAndToken(token), token.count!]) },
      },
      {
        title: 'Tokens never used',
        note: `${count(unused)} of ${count(ofText)}${singleBytes > 0 ? `, ${count(singleBytes)} of them single bytes` : ''}`,
        ...(examples.length > 0 && { rows: lengthRows(examples) }),
      },
    );
  }
  found.push({ title: 'Longest tokens', rows: lengthRows(facts.longest) });
  return found;
}

function sourceRows(sources: readonly SourceUse[]): Section['rows'] {
  const sum = (name: 'documents' | 'bytes' | 'tokens') => sources.reduce((total, source) => total + source[name], 0);
  const all = { source: 'all', documents: sum('documents'), bytes: sum('bytes'), tokens: sum('tokens') };
  const shown = sources.length > 1 ? [...sources, all] : sources;
  return {
    header: ['source', 'documents', 'bytes', 'tokens', 'bytes a token'],
    cells: shown.map(({ source, documents, bytes, tokens }) => [source, documents, bytes, tokens, ratio(bytes, tokens)]),
    align: [undefined, undefined, undefined, undefined, 'right'],
  };
}

function lengthRows(tokens: readonly TokenFacts[]): Section['rows'] {
  return { header: ['id', 'token', 'bytes'], cells: tokens.map((token) => [...idAndToken(token), token.bytes]) };
}

/** Tokens one under another, each after its id. */
export function tokenTable(pieces: readonly TokenPiece[]): string {
  return table(pieces.map(idAndToken));
}

function idAndToken({ id, text }: TokenPiece): [Cell, Cell] {
  return [id, visibleToken(text).replace(/^ /, '␣')];
}

const ratio = (bytes: number, tokens: number) => (tokens > 0 ? (bytes / tokens).toFixed(2) : '–');
const count = (n: number) => n.toLocaleString('en');
