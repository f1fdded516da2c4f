import { section, turns } from '../../datasets/inspect/terminal.js';
import { cellText, histogram, paint, table } from '../../util/terminal.js';
import { binBars, exampleTitle, sourceTable, strategyTable, strategyTitle, summary } from './figures.js';
import type { Example, SelectReport, StrategyReport } from './report.js';

const MOST_EXAMPLES = 2; // of a strategy
const MOST_SOURCES = 30;
const CHARACTERS = 150;

/** What a selection did, for the terminal. */
export function selectionText(report: SelectReport): string {
  const strategies = strategyTable(report);
  const sources = sourceTable(report);
  const shown = sources.rows.length > MOST_SOURCES ? [...sources.rows.slice(0, MOST_SOURCES - 1), sources.rows.at(-1)!] : sources.rows;
  const hidden = sources.rows.length - shown.length;
  return [
    ...report.strategies.flatMap(strategySections),
    section('kept, for example', examplesText(report.kept)),
    section('strategies', table(strategies.rows, strategies)),
    section('by source', table(shown, sources) + (hidden > 0 ? `\n${hidden} more sources: --html shows all` : '')),
    paint(summary(report), 'bold'),
  ].join('\n\n');
}

function strategySections(report: StrategyReport): string[] {
  const { figures, examples } = report;
  const parts = figures.filter(({ bins }) => bins.length > 0).map(({ name, bins }) => `${name}\n${histogram(binBars(bins))}`);
  if (examples.length > 0) parts.push(`${paint('dropped, for example', 'dim')}\n${examplesText(examples)}`);
  return parts.length > 0 ? [section(strategyTitle(report), parts.join('\n\n'))] : [];
}

function examplesText(examples: readonly Example[]): string {
  return examples
    .slice(0, MOST_EXAMPLES)
    .map((example) => `${paint(cellText(exampleTitle(example)), 'bold')}\n${turns(example.messages.map(short))}`)
    .join('\n');
}

/** An excerpt on one line, as the page has more of it. */
function short({ role, content, left }: Example['messages'][number]): Example['messages'][number] {
  const characters = Array.from(content.replace(/\s+/g, ' '));
  const isCut = characters.length > CHARACTERS || left !== undefined;
  return { role, content: characters.slice(0, CHARACTERS).join('') + (isCut ? '…' : '') };
}
