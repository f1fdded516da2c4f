import { turns } from '../../datasets/inspect/page.js';
import { type Html, html, htmlBars, htmlTable, page } from '../../util/html.js';
import { binBars, exampleTitle, sourceTable, strategyTable, strategyTitle, summary } from './figures.js';
import type { Example, SelectReport, StrategyReport } from './report.js';

/** What a selection did, as a page of HTML that needs nothing beside it. */
export function selectionPage(report: SelectReport): string {
  const strategies = strategyTable(report);
  const sources = sourceTable(report);
  return page(
    report.output,
    html`<p>${summary(report)}</p>
<h2>Strategies</h2>
${htmlTable(strategies.rows, strategies)}
<h2>By source</h2>
${htmlTable(sources.rows, sources)}
${report.strategies.map(strategySections)}
<h2>Kept, for example</h2>
${report.kept.map(exampleBody)}`,
  );
}

function strategySections(report: StrategyReport): Html {
  const { figures, examples } = report;
  return html`<h2>${strategyTitle(report)}</h2>
${figures.map(({ name, bins }) => bins.length > 0 && html`<h3>${name}</h3>${htmlBars(binBars(bins))}`)}
${examples.length > 0 && html`<h3>Dropped, for example</h3>${examples.map(exampleBody)}`}`;
}

function exampleBody(example: Example): Html {
  return html`<h4>${exampleTitle(example)}</h4>${turns(example.messages)}`;
}
