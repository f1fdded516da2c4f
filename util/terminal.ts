import { stripVTControlCharacters, styleText } from 'node:util';
import { type TokenPiece, visibleToken, withoutControls } from './visible.js';

export { type TokenPiece, textOfBytes, visibleToken } from './visible.js';

type Style = Parameters<typeof styleText>[0];

/** Whether stdout takes colour: FORCE_COLOR says so, NO_COLOR says not; otherwise a terminal does (no-color.org). */
export function hasColour(stream: { isTTY?: boolean } = process.stdout, env: NodeJS.ProcessEnv = process.env): boolean {
  const { FORCE_COLOR: force, NO_COLOR: no, TERM: term } = env;
  if (force !== undefined) return force !== '0' && force !== 'false';
  return !no && term !== 'dumb' && stream.isTTY === true;
}

/** `text` in a style of node:util's `styleText` ('bold', ['red', 'underline']); as it is where stdout takes no colour. */
export function paint(text: string, style: Style): string {
  return hasColour() ? styleText(style, text, { validateStream: false }) : text;
}

const graphemes = new Intl.Segmenter('en');
// East Asian wide and full-width, by blocks. Source: Unicode Standard Annex #11.
const WIDE =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{1f200}-\u{1f2ff}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}|\ufe0f/u;
const UNSEEN = /^[\p{M}\p{Cc}\p{Cf}]+$/u;

/** Columns that `text` takes in a terminal: two for a Chinese character or emoji, none for colours and combining marks. */
export function displayWidth(text: string): number {
  const plain = stripVTControlCharacters(text);
  if (/^[\x20-\x7e]*$/.test(plain)) return plain.length;
  let width = 0;
  for (const { segment } of graphemes.segment(plain)) width += UNSEEN.test(segment) ? 0 : WIDE.test(segment) ? 2 : 1;
  return width;
}

/** `text` filled with spaces to `width` columns. */
export function pad(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const space = ' '.repeat(Math.max(0, width - displayWidth(text)));
  return align === 'left' ? text + space : space + text;
}

export type Align = 'left' | 'right';
/** Numbers are written with commas; text is written on one line. */
export type Cell = string | number;

export interface TableOptions {
  header?: readonly string[];
  /** Of each column; otherwise columns of numbers go to the right, others to the left. */
  align?: readonly (Align | undefined)[];
}

/** Rows in columns, as text with no line end after the last row. */
export function table(rows: readonly (readonly Cell[])[], { header, align = [] }: TableOptions = {}): string {
  const lines = rows.map((row) => row.map(cellText));
  const titles = header?.map(cellText);
  const all = titles ? [titles, ...lines] : lines;
  const columns = Math.max(0, ...all.map((line) => line.length));
  const widths = Array.from({ length: columns }, (_, c) => Math.max(...all.map((line) => displayWidth(line[c] ?? ''))));
  const aligned = widths.map((_, c) => align[c] ?? columnAlign(rows, c));
  const write = (line: readonly string[]) =>
    widths
      .map((width, c) => pad(line[c] ?? '', width, aligned[c]))
      .join('  ')
      .trimEnd();
  return [...(titles ? [paint(write(titles), 'bold')] : []), ...lines.map(write)].join('\n');
}

/** Right for a column that holds a number, else left. */
export function columnAlign(rows: readonly (readonly Cell[])[], column: number): Align {
  return rows.some((row) => typeof row[column] === 'number') ? 'right' : 'left';
}

const ESCAPE = '\x1b';
const COLOURS = new RegExp(`(${ESCAPE}\\[[\\d;]*m)`); // what `paint` writes

/** A cell as text: numbers with commas, control characters as signs. */
export function cellText(cell: Cell): string {
  if (typeof cell === 'number') return cell.toLocaleString('en');
  const parts = cell.split(COLOURS);
  return parts.map((part, i) => (i % 2 ? part : withoutControls(part.replaceAll('\n', '↵').replaceAll('\t', ' '), true))).join('');
}

/** One bar of a histogram. */
export interface Bar {
  label: string;
  /** 0 or more. */
  value: number;
  /** Written after the bar in place of the value. */
  note?: string;
  /** Beyond a limit: drawn otherwise. */
  past?: boolean;
}

const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/** Bars under one another, the longest `width` columns. */
export function histogram(items: readonly Bar[], width = 40): string {
  const largest = Math.max(0, ...items.map(({ value }) => value));
  const labels = items.map(({ label }) => cellText(label));
  const labelWidth = Math.max(0, ...labels.map(displayWidth));
  const lines = items.map(({ value, note, past }, i) => {
    // Whatever is there at all is seen.
    const eighths = largest > 0 && value > 0 ? Math.max(1, Math.round((8 * width * value) / largest)) : 0;
    const bar = past ? '▒'.repeat(Math.ceil(eighths / 8)) : '█'.repeat(eighths >> 3) + EIGHTHS[eighths & 7];
    return `${pad(labels[i], labelWidth, 'right')}  ${paint(bar, past ? 'red' : 'cyan')}${bar && ' '}${cellText(note ?? value)}`.trimEnd();
  });
  return lines.join('\n');
}

// Backgrounds of the 256-colour palette that black text is read on.
const STRIPES = [153, 194, 223, 225, 229];

/** Stands before each line of tokens that are to be predicted. */
export const MASK_SIGN = '▌';

// Of tokens that are not to be predicted.
const GREYS = [254, 250];
const WIDEST = 100; // columns, where stdout is no terminal

/**
 * Text with its tokens seen: on alternating backgrounds, or with | between them where stdout takes no colour. Special tokens stand inverted,
 * or in their own spelling. Where a mask says which tokens are to be predicted, those have lines of their own that begin with `MASK_SIGN`,
 * and the others are grey; a line then ends where the text breaks, between two special tokens, and at `width` columns.
 */
export function tokenStripes(pieces: readonly TokenPiece[], width = (process.stdout.columns ?? WIDEST) - 4): string {
  if (pieces.some(({ faint }) => faint !== undefined)) return maskedLines(pieces, width);
  const colour = hasColour();
  let text = '';
  pieces.forEach(({ text: piece, special }, i) => {
    const shown = visibleToken(piece);
    const lines = special ? [shown] : afterBreaks(shown);
    if (!colour) {
      text += `${i > 0 && !text.endsWith('\n') ? '|' : ''}${lines.join('\n')}`;
      return;
    }
    text += lines.map((line) => line && `${styleOf(i, special)}${line}${ESCAPE}[0m`).join('\n');
  });
  return text.replace(/\n$/, '');
}

function styleOf(i: number, special = false, faint = false): string {
  if (special) return `${ESCAPE}[${faint ? '97;48;5;244' : '1;97;45'}m`;
  return faint ? `${ESCAPE}[38;5;238;48;5;${GREYS[i % 2]}m` : `${ESCAPE}[30;48;5;${STRIPES[i % STRIPES.length]}m`;
}

function maskedLines(pieces: readonly TokenPiece[], width: number): string {
  const colour = hasColour();
  const lines: { faint: boolean; text: string; columns: number }[] = [];
  let open = false; // the last line goes on
  pieces.forEach(({ text, special = false, faint = false }, i) => {
    const shown = visibleToken(text);
    const before = pieces[i - 1];
    const begins = before && ((before.faint ?? false) !== faint || (special && before.special));
    for (const [n, part] of (special ? [shown] : afterBreaks(shown)).entries()) {
      if (part === '') continue;
      const separator = !colour && n === 0 ? '|' : '';
      const columns = displayWidth(part);
      const last = lines.at(-1);
      const painted = colour ? `${styleOf(i, special, faint)}${part}${ESCAPE}[0m` : part;
      if (open && last && !begins && last.columns + separator.length + columns <= width) {
        last.text += separator + painted;
        last.columns += separator.length + columns;
      } else lines.push({ faint, text: painted, columns });
      open = special || !part.endsWith('↵');
    }
  });
  const sign = paint(MASK_SIGN, 'green');
  return lines.map(({ faint, text }) => `${faint ? ' ' : sign} ${text}`).join('\n');
}

/** Parts of a token, each but the last ending in ↵. */
export function afterBreaks(shown: string): string[] {
  return shown.split(/(?<=↵)/).concat(shown.endsWith('↵') ? [''] : []);
}
