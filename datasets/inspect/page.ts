import { type Html, html, htmlBars, htmlTable, page, tokenSpans } from '../../util/html.js';
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
  const { rows, ...options } = part.preferences ? preferenceTable(part.preferences) : sourceTable(inspection, part);
  const histograms = lengthHistograms(inspection, part);
  const drawn = histograms.slice(0, MOST_HISTOGRAMS);
  const several = inspection.parts.length > 1; // their names are the headings above
  const section = (title: string) => (several ? html`<h3>${title}</h3>` : html`<h2>${title}</h2>`);
  const item = (title: string) => (several ? html`<h4>${title}</h4>` : html`<h3>${title}</h3>`);
  return html`${section('By source')}
${htmlTable(rows, options)}
${drawn.length > 0 && section(capital(lengthsTitle(inspection)))}
${drawn.map(({ name, bars }) => html`${histograms.length > 1 && item(name)}${htmlBars(bars)}`)}
${histograms.length > drawn.length && html`<p class="soft">${histograms.length - drawn.length} smaller sources are left out.</p>`}
${part.chats && chatSections(inspection, part, part.chats, section)}
${part.preferences && preferenceSections(part.preferences, section, item)}
${section('Examples')}
${part.examples.some(({ tokens }) => tokens?.supervised) && LEGEND}
${part.examples.map((row) => [item(rowTitle(row)), rowBody(row, false)])}`;
}

function chatSections({ kind }: Inspection, { total }: InspectedPart, chats: ChatFacts, section: (title: string) => Html): Html {
  const { rows, ...options } = roleTable(chats);
  const turns = turnBars(chats, total);
  const unusable = unusableLines(chats);
  return html`${section('Messages')}${htmlTable(rows, options)}
${turns.length > 0 && html`${section(capital(turnsTitle(kind)))}${htmlBars(turns)}`}
${unusable.rows.length > 0 && html`${section('Not usable')}${htmlTable(unusable.rows)}${unusable.left && html`<p class="soft">${unusable.left}</p>`}`}`;
}

function preferenceSections(facts: PreferenceFacts, section: (title: string) => Html, item: (title: string) => Html): Html {
  const shown = ({ rows, ...options }: ReturnType<typeof lengthTable>) => htmlTable(rows, options);
  const [bars, lengths] = [answerBars(facts), answerLengths(facts)];
  const { annotators, agreement } = facts;
  return html`${bars.length > 0 && html`${section('Preferences by number of answers')}${htmlBars(bars)}`}
${lengths.length > 0 && html`${section(`Better and worse answers, in ${facts.lengthsIn}`)}${shown(lengthTable(facts))}`}
${lengths.length > 0 && section(capital(answerLengthsTitle(facts)))}
${lengths.map(({ name, bars }) => html`${item(name)}${htmlBars(bars)}`)}
${annotators.length > 0 && html`${section('Annotators')}${shown(annotatorTable(facts))}`}
${agreement && html`${section('Agreement')}<p>${agreementLine(agreement)}</p>`}
${agreement && agreement.hardest.length > 0 && html`${section('Where annotators agree least')}${shown(hardestTable(agreement))}`}`;
}

const LEGEND = html`<p class="soft">Tokens to be predicted are coloured, with a bar beside them; the others are grey.</p>`;

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

/** A row as a page of HTML. */
export function rowPage(path: string, row: Row): string {
  return page(path, html`<p>${rowTitle(row)}</p>${row.tokens?.supervised && LEGEND}${rowBody(row, true)}`);
}

function rowBody({ tokens, text, messages, reference, answers, problem, others, left }: Row, whole: boolean): Html {
  const titled = (title: string, body: Html) => html`${whole && html`<h2>${title}</h2>`}${body}`;
  return html`${problem !== undefined && html`<p class="note">not usable: ${problem}</p>`}
${tokens?.pieces && titled('Tokens', tokenSpans(tokens.pieces))}
${tokens?.supervised && html`<p class="soft">To be predicted (places of tokens, from 0): ${supervisedRanges(tokens.supervised)}</p>`}
${text !== undefined && (whole || !tokens) && titled('Text', html`<pre>${text}</pre>`)}
${tokens?.ids && (whole || !tokens.pieces) && titled('Ids', html`<pre>${tokens.ids.join(' ')}</pre>`)}
${messages && messages.length > 0 && (whole || !tokens?.pieces) && titled('Messages', turns(messages))}
${reference && turns([reference])}
${answers && titled('Answers', turns(answers))}
${others !== undefined && titled('Other columns', html`<pre>${others}</pre>`)}
${left && html`<p class="soft">… ${left}</p>`}`;
}

/** Messages under one another, each beside its role. */
export function turns(messages: readonly RowMessage[]): Html {
  const rows = messages.map(
    ({ role, content, left }) => html`<div><b>${role}</b><span>${content}${left && html` <i class="soft">… ${left}</i>`}</span></div>`,
  );
  return html`<div class="turns">${rows}</div>`;
}
