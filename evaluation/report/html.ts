/** A report as one page of HTML that needs nothing beside it. */
import { Html, html, htmlTable, page } from '../../util/html.js';
import type { Block, Cell, Chart, ChartSize, Question, Section, Table } from './blocks.js';
import { chartTable, isEmpty } from './chart-table.js';
import { drawChart, styleOf } from './draw.js';
import { decimal } from './numbers.js';
import { CSS } from './style.js';

/** Rows of the table of data under a chart. */
const MOST_ROWS = 60;

/** @param about one line under the title. */
export function reportPage(title: string, about: string, sections: readonly Section[]): string {
  const links = sections.map(({ id, title }) => html`<li><a href="#${id}">${title}</a></li>`);
  const body = html`<p class="soft">${about}</p>
<nav aria-label="Parts"><ol>${links}</ol></nav>
<main>
${sections.map(
  ({ id, title, blocks }) => html`<section id="${id}">
<h2>${title}</h2>
${blocks.map(blockHtml)}
</section>
`,
)}</main>`;
  return page(title, body, { css: CSS });
}

function blockHtml(block: Block): Html {
  switch (block.type) {
    case 'text':
      return html`<p>${block.text}</p>
`;
    case 'lead':
      return html`<p class="lead">${block.text}</p>
`;
    case 'list':
      return html`<ul>${block.items.map((item) => html`<li>${item}</li>`)}</ul>
`;
    case 'heading':
      return html`<h3>${block.text}</h3>
`;
    case 'missing':
      return html`<p class="missing">not recorded: ${block.what}</p>
`;
    case 'warning':
      return html`<p class="note">${block.text}</p>
`;
    case 'table':
      return tableHtml(block);
    case 'charts':
      return html`<div class="charts ${block.size ?? 'medium'}">${block.charts.map((chart) => chartHtml(chart, block.size))}</div>
`;
    case 'answers':
      return html`${block.questions.map(questionHtml)}`;
    case 'quotes':
      return html`<div class="cards">${block.quotes.map(
        ({ label, text }) => html`<blockquote class="card"><p class="soft">${label}</p><p class="answer">${text}</p></blockquote>`,
      )}</div>
`;
  }
}

function tableHtml({ header, rows, align, folded }: Table): Html {
  const titled = header.some((title) => title !== '');
  const table = htmlTable(
    rows.map((row) => row.map(cellHtml)),
    { header: titled ? header : undefined, align },
  );
  return folded === undefined
    ? table
    : html`<details class="fold"><summary>${folded}</summary>${table}</details>
`;
}

function cellHtml(cell: Cell): string | Html {
  if (typeof cell === 'string') return cell;
  const { text, note, bar, whole, code } = cell;
  if (bar !== undefined) return html`<span class="bar"><i style="width:${(100 * bar).toFixed(1)}%"></i></span>`;
  const shown = code ? html`<code${whole !== undefined && html` title="${whole}"`}>${text}</code>` : html`${text}`;
  return html`${shown}${note !== undefined && html`<br><small>${note}</small>`}`;
}

function chartHtml(chart: Chart, size?: ChartSize): Html {
  const { header, rows } = chartTable(chart, MOST_ROWS);
  return html`<figure>
<figcaption>${chart.title}</figcaption>
${chart.kind !== 'histogram' && legend(chart)}
${new Html(drawChart(chart, size))}
<details class="data"><summary>Data</summary>${htmlTable(rows, { header, align: header.map((_, i) => (i === 0 ? 'left' : 'right')) })}</details>
</figure>
`;
}

type SeriesChart = Exclude<Chart, { kind: 'histogram' }>;

/** Names of the series, where there are several. */
function legend(chart: SeriesChart): Html | false {
  const shown = chart.series.flatMap((series, i) => (isEmpty(series) ? [] : [html`<li>${swatch(chart, i)} ${series.name}</li>`]));
  return shown.length > 1 && html`<ul class="legend">${shown}</ul>`;
}

/** What a series looks like in its chart. */
function swatch(chart: SeriesChart, i: number): Html {
  const { colour, symbol, dash } = styleOf(i);
  const isThin = chart.kind === 'lines' && chart.series[i].style === 'thin';
  const width = chart.kind === 'intervals' ? 3 : isThin ? 1.4 : 2;
  const opacity = chart.kind === 'intervals' && html` stroke-opacity=".45"`;
  const dashes = chart.kind === 'lines' && dash !== undefined && html` stroke-dasharray="${dash}"`;
  const line = html`<line x1="0" y1="7" x2="26" y2="7" stroke="${colour}" stroke-width="${width}"${opacity}${dashes} />`;
  const mark = !isThin && html`<path transform="translate(13,7)" d="${SHAPES[symbol]}" fill="${colour}" />`;
  return html`<svg class="swatch" width="26" height="14" viewBox="0 0 26 14" aria-hidden="true">${line}${mark}</svg>`;
}

const SHAPES: Record<ReturnType<typeof styleOf>['symbol'], string> = {
  circle: 'M-4,0a4,4 0 1,0 8,0a4,4 0 1,0 -8,0Z',
  square: 'M-3.6,-3.6h7.2v7.2h-7.2Z',
  triangle: 'M0,-4.6L4.2,3.4H-4.2Z',
  diamond: 'M0,-5L3.4,0L0,5L-3.4,0Z',
  star: 'M0,-5L1.3,-1.6L4.8,-1.5L2,.6L3,4L0,2L-3,4L-2,.6L-4.8,-1.5L-1.3,-1.6Z',
  cross: 'M-1.4,-4.2h2.8v2.8h2.8v2.8h-2.8v2.8h-2.8v-2.8h-2.8v-2.8h2.8Z',
};

/** The best answer to a prompt is marked from here on. */
const GOOD = 0.5;

function questionHtml({ prompt, source, reference, answers }: Question): Html {
  const golds = answers.flatMap(({ gold }) => gold ?? []);
  const best = Math.max(...golds);
  const worthIt = best >= GOOD && golds.some((gold) => gold < best);
  const cards = answers.map(({ model, text, gold, score, ended, parts }) => {
    const scores = [
      gold !== undefined && `gold\u00a0${decimal(gold)}`,
      score !== undefined && `score\u00a0${decimal(score)}`,
      ended === false && 'cut off',
    ];
    return html`<div class="card${worthIt && gold === best && ' best'}">
<h4>${model}</h4>
${
  gold !== undefined &&
  html`<span class="bar" title="${Object.entries(parts)
    .map(([name, value]) => `${name} ${decimal(value)}`)
    .join(', ')}"><i style="width:${(100 * Math.max(0, Math.min(1, gold))).toFixed(0)}%"></i></span>`
}
<p class="soft">${scores.filter((line) => line !== false).join(' · ')}</p>
<p class="answer">${text === '' ? html`<i class="soft">nothing</i>` : text}</p>
</div>`;
  });
  return html`<article class="question">
<h3>${prompt}</h3>
<p class="soft">${source !== undefined && html`${source}. `}${reference !== undefined && html`Best answer: ${reference}`}</p>
<div class="cards">${cards}</div>
</article>
`;
}
