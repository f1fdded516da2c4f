import { type Html, html, htmlBars, htmlTable, page, tokenSpans } from '../../util/html.js';
import { lengthHistograms, partSummary, rowTitle, sourceTable, summary, supervisedRanges } from './figures.js';
import type { InspectedPart, Inspection } from './inspect.js';
import type { Row } from './rows.js';

const MOST_HISTOGRAMS = 50;

/** An inspection as a page of HTML that needs nothing beside it. */
export function inspectionPage(inspection: Inspection): string {
  const { path, kind, columns, metadata, parts, notes } = inspection;
  const types = columns.map(({ name, type, nulls }) => [name, type, nulls > 0 ? `${nulls.toLocaleString('en')} null` : '']);
  return page(
    path,
    html`<p>${summary(inspection)}</p>
${notes.map((note) => html`<p class="note">${note}</p>`)}
<h2>Columns</h2>
${htmlTable(types)}
${metadata.length > 0 && html`<h2>Metadata</h2>${htmlTable(metadata)}`}
${parts.map(
  (part) => html`${parts.length > 1 && html`<h2>${part.name}</h2><p>${partSummary(part, kind)}</p>`}
${part.total.rows > 0 && partSections(inspection, part)}`,
)}`,
  );
}

function partSections(inspection: Inspection, part: InspectedPart): Html {
  const { rows, ...options } = sourceTable(inspection, part);
  const histograms = lengthHistograms(inspection, part);
  const drawn = histograms.slice(0, MOST_HISTOGRAMS);
  const several = inspection.parts.length > 1; // their names are the headings above
  const section = (title: string) => (several ? html`<h3>${title}</h3>` : html`<h2>${title}</h2>`);
  const item = (title: string) => (several ? html`<h4>${title}</h4>` : html`<h3>${title}</h3>`);
  return html`${section('By source')}
${htmlTable(rows, options)}
${drawn.length > 0 && section(`Documents by length in ${inspection.lengthsIn}`)}
${drawn.map(({ name, bars }) => html`${histograms.length > 1 && item(name)}${htmlBars(bars)}`)}
${histograms.length > drawn.length && html`<p class="soft">${histograms.length - drawn.length} smaller sources are left out.</p>`}
${section('Examples')}
${part.examples.map((row) => [item(rowTitle(row)), rowBody(row, false)])}`;
}

/** A row as a page of HTML. */
export function rowPage(path: string, row: Row): string {
  return page(path, html`<p>${rowTitle(row)}</p>${rowBody(row, true)}`);
}

function rowBody({ tokens, text, others, left }: Row, whole: boolean): Html {
  const titled = (title: string, body: Html) => html`${whole && html`<h2>${title}</h2>`}${body}`;
  return html`${tokens?.pieces && titled('Tokens', tokenSpans(tokens.pieces))}
${tokens?.supervised && html`<p class="soft">To be predicted (places of tokens, from 0): ${supervisedRanges(tokens.supervised)}</p>`}
${text !== undefined && (whole || !tokens) && titled('Text', html`<pre>${text}</pre>`)}
${tokens && (whole || !tokens.pieces) && titled('Ids', html`<pre>${tokens.ids.join(' ')}</pre>`)}
${others !== undefined && titled('Other columns', html`<pre>${others}</pre>`)}
${left && html`<p class="soft">… ${left}</p>`}`;
}
