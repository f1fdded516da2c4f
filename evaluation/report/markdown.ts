/** A report as Markdown, as GitHub shows it; its tables also stand straight in a terminal. */
import { displayWidth, pad } from '../../util/terminal.js';
import { withoutControls } from '../../util/visible.js';
import type { Block, Cell, Chart, Question, Section, Table } from './blocks.js';
import { chartTable } from './chart-table.js';
import { decimal, NOTHING } from './numbers.js';

/** Rows of the table that stands for a chart. */
const MOST_ROWS = 8;

/** Columns up to which the cells of a table are filled with spaces. */
const WIDEST = 48;

/** @param about one line under the title. */
export function reportMarkdown(title: string, about: string, sections: readonly Section[]): string {
  const parts = sections.map(({ title, blocks }) => [`## ${escaped(title)}`, ...blocks.map(blockMarkdown)].join('\n\n'));
  return `${[`# ${escaped(title)}`, escaped(about), ...parts].join('\n\n')}\n`;
}

function blockMarkdown(block: Block): string {
  switch (block.type) {
    case 'text':
      return escaped(block.text);
    case 'lead':
      return `**${escaped(block.text)}**`;
    case 'list':
      return block.items.map((item) => `- ${escaped(item)}`).join('\n');
    case 'heading':
      return `### ${escaped(block.text)}`;
    case 'missing':
      return `*not recorded: ${escaped(block.what)}*`;
    case 'warning':
      return `> **${escaped(block.text)}**`;
    case 'table':
      return tableMarkdown(block);
    case 'charts':
      return block.charts.map(chartMarkdown).join('\n\n');
    case 'answers':
      return block.questions.map(questionMarkdown).join('\n\n');
    case 'quotes':
      return block.quotes.map(({ label, text }) => `${escaped(label)}\n\n${quoted(text)}`).join('\n\n');
  }
}

/** Text that Markdown and HTML leave as it is, on one line. */
function escaped(text: string): string {
  return withoutControls(text)
    .replace(/[\\`*[\]|]|(?<!\w)_|_(?!\w)|^(?:[#>+-]|\d+\.)(?= )/g, (sign) => (/^\d/.test(sign) ? sign.replace('.', '\\.') : `\\${sign}`))
    .replace(/[<&]/g, (sign) => (sign === '<' ? '&lt;' : '&amp;'))
    .replace(/\r?\n/g, '<br>');
}

const quoted = (text: string) => `> ${escaped(text)}`;

function tableMarkdown({ header, rows, align = [], folded }: Table): string {
  const drawn = header.map((_, c) => !rows.some((row) => typeof row[c] === 'object' && row[c].bar !== undefined)); // bars are for pages
  const kept = <T>(line: readonly T[]) => line.filter((_, c) => drawn[c]);
  const table = aligned(
    kept(header),
    rows.map((row) => kept(row).map(cellMarkdown)),
    kept(header.map((_, c) => align[c])),
  );
  return folded === undefined ? table : `${escaped(folded)}:\n\n${table}`;
}

function cellMarkdown(cell: Cell): string {
  if (typeof cell === 'string') return escaped(cell);
  const { text, note, code } = cell;
  const shown = code && !/[`|\n]/.test(text) && text !== NOTHING ? `\`${text}\`` : escaped(text);
  return note === undefined ? shown : `${shown} (${escaped(note)})`;
}

function aligned(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  align: readonly ('left' | 'right' | undefined)[],
): string {
  const titles = header.map(escaped);
  const widths = titles.map((title, c) =>
    Math.min(WIDEST, Math.max(3, displayWidth(title), ...rows.map((row) => displayWidth(row[c] ?? '')))),
  );
  const line = (cells: readonly string[]) => `| ${widths.map((width, c) => pad(cells[c] ?? '', width, align[c])).join(' | ')} |`;
  const rule = widths.map((width, c) => (align[c] === 'right' ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width)));
  return [line(titles), line(rule), ...rows.map(line)].join('\n');
}

function chartMarkdown(chart: Chart): string {
  const { header, rows } = chartTable(chart, MOST_ROWS);
  const table = aligned(
    header,
    rows.map((row) => row.map(escaped)),
    header.map((_, c) => (c === 0 && chart.kind !== 'lines' ? 'left' : 'right')),
  );
  return `**${escaped(chart.title)}**: ${escaped(chart.says)}\n\n${table}`;
}

function questionMarkdown({ prompt, source, reference, answers }: Question): string {
  const rows = answers.map(({ model, text, gold, score, ended }) => [
    model,
    `${text}${ended === false ? ' … (cut off)' : ''}`,
    decimal(gold),
    decimal(score),
  ]);
  const table = aligned(
    ['model', 'answer', 'gold', 'score'],
    rows.map((row) => row.map(escaped)),
    ['left', 'left', 'right', 'right'],
  );
  const below = [source, reference === undefined ? undefined : `best answer: ${reference}`].filter((line) => line !== undefined).join('; ');
  return `### ${escaped(prompt)}\n\n${below === '' ? '' : `${escaped(below)}\n\n`}${table}`;
}
