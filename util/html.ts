import { afterBreaks, type Bar, type Cell, cellText, columnAlign, type TableOptions, type TokenPiece } from './terminal.js';
import { visibleToken, withoutControls } from './visible.js';

/** Text that is HTML already; made by `html`. */
export class Html {
  constructor(private readonly text: string) {}
  toString(): string {
    return this.text;
  }
}

type HtmlValue = string | number | Html | undefined | null | false | readonly HtmlValue[];

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

function htmlOf(value: HtmlValue): string {
  if (value instanceof Html) return value.toString();
  if (Array.isArray(value)) return value.map(htmlOf).join('');
  if (value === undefined || value === null || value === false) return '';
  return withoutControls(String(value)).replace(/[&<>"']/g, (character) => ENTITIES[character]);
}

/** A template whose values are escaped; HTML within it nests, arrays are joined, undefined and false are left out. */
export function html(strings: TemplateStringsArray, ...values: HtmlValue[]): Html {
  return new Html(String.raw({ raw: strings }, ...values.map(htmlOf)));
}

/**
 * Tokens of a text, each with its id as a tooltip, on alternating backgrounds. Where a mask says which are to be predicted, those stand in
 * blocks with a bar beside them, and the others are grey.
 */
export function tokenSpans(pieces: readonly TokenPiece[]): Html {
  if (pieces.every(({ faint }) => faint === undefined)) return html`<div class="tokens">${spansOf(pieces, 0)}</div>`;
  const blocks: Html[] = [];
  for (let from = 0; from < pieces.length; ) {
    const faint = pieces[from].faint ?? false;
    let to = from + 1;
    while (to < pieces.length && (pieces[to].faint ?? false) === faint) to++;
    blocks.push(html`<div${!faint && html` class="predicted"`}>${spansOf(pieces.slice(from, to), from)}</div>`);
    from = to;
  }
  return html`<div class="tokens">${blocks}</div>`;
}

/** @param first place of the first of `pieces` among all. */
function spansOf(pieces: readonly TokenPiece[], first: number): Html {
  const spans = pieces.map(({ text, id, special, faint }, i) => {
    const shown = visibleToken(text);
    const lines = special ? [shown] : afterBreaks(shown);
    const kind = `${special ? 's' : `t${(first + i) % STRIPES}`}${faint ? ' faint' : ''}`;
    const begins = special && faint !== undefined && pieces[i - 1]?.special;
    const parts = lines.map((line, n) => [
      (n > 0 || begins) && html`<br>`,
      line !== '' && html`<span class="${kind}" title="${`${id}`}">${line}</span>`,
    ]);
    return html`${parts}`;
  });
  return html`${spans}`;
}

/** Bars as `histogram` has them. */
export function htmlBars(items: readonly Bar[]): Html {
  const largest = Math.max(0, ...items.map(({ value }) => value));
  const rows = items.map(({ label, value, note, past }) => {
    const percent = largest > 0 ? (100 * value) / largest : 0;
    return html`<tr><th scope="row">${label}</th><td>${value > 0 && html`<i${past && html` class="past"`} style="width:${percent.toFixed(2)}%"></i>`}</td><td>${cellText(note ?? value)}</td></tr>
`;
  });
  return html`<table class="bars">${rows}</table>`;
}

/** A table as `table` has it, which scrolls by itself where the window is narrow. */
export function htmlTable(rows: readonly (readonly (Cell | Html)[])[], { header, align = [] }: TableOptions = {}): Html {
  const plain = rows.map((row) => row.map((cell) => (cell instanceof Html ? '' : cell)));
  const right = (column: number) => (align[column] ?? columnAlign(plain, column)) === 'right' && html` class="right"`;
  const value = (cell: Cell | Html) => (typeof cell === 'number' ? cellText(cell) : cell);
  const head =
    header &&
    html`<thead><tr>${header.map((title, c) => html`<th scope="col"${right(c)}>${title}</th>`)}</tr></thead>
`;
  const body = rows.map(
    (row) => html`<tr>${row.map((cell, c) => html`<td${right(c)}>${value(cell)}</td>`)}</tr>
`,
  );
  return html`<div class="wide"><table>${head}<tbody>${body}</tbody></table></div>`;
}

/** A whole page that needs nothing beside it. @param css rules beside those of every page. */
export function page(title: string, body: Html, { css = '' }: { css?: string } = {}): string {
  const head = html`<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${new Html(CSS + css)}</style>`;
  return `<!doctype html>\n<html lang="en">\n<head>\n${head}\n</head>\n<body>\n${html`<h1>${title}</h1>\n${body}`}\n</body>\n</html>\n`;
}

const STRIPES = 5;

const CSS = `
:root { color-scheme: light dark; --text: #1c2024; --soft: #60666d; --back: #fff; --panel: #f5f6f8; --line: #dcdfe4; --bar: #3b82c4; --past: #c2412d; --mark: #8b3fb5; --predicted: #2f8f4e; --grey0: #eceef1; --grey1: #dde1e6; --greymark: #7d858f;
  --t0: #cfe3fb; --t1: #d3f1d0; --t2: #fde3bd; --t3: #f5d3ec; --t4: #f4efae; }
@media (prefers-color-scheme: dark) { :root { --text: #e4e6e9; --soft: #9aa1aa; --back: #16181b; --panel: #202327; --line: #363b42; --bar: #5b9bd5; --past: #e0705c;
  --mark: #a35fce; --predicted: #4fb873; --grey0: #2b2f35; --grey1: #363b42; --greymark: #59616b; --t0: #23456d; --t1: #26502a; --t2: #684a1c; --t3: #632f57; --t4: #55511a; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 62rem; background: var(--back); color: var(--text);
  font: 15px/1.5 system-ui, "Noto Sans", "Noto Sans CJK SC", sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.4rem; margin: 0 0 1rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .6rem; } h3 { font-size: 1rem; margin: 1.2rem 0 .4rem; }
h4 { font-size: .95rem; margin: .9rem 0 .3rem; }
.soft, .faint { color: var(--soft); } .note { border-left: .3rem solid var(--past); padding-left: .7rem; }
.wide { overflow-x: auto; } .wide table { overflow-wrap: break-word; }
.wide table:not(:has(thead)) td:last-child { overflow-wrap: anywhere; min-width: 12rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .9rem .2rem 0; text-align: left; vertical-align: top; }
thead th { border-bottom: 1px solid var(--line); white-space: nowrap; } .right { text-align: right; white-space: nowrap; }
.bars { width: 100%; } .bars th { width: 1%; min-width: 7.5rem; font-weight: normal; text-align: right; white-space: nowrap; }
.bars td:last-child { width: 1%; min-width: 7.5rem; white-space: nowrap; padding-right: 0; } .bars i { display: block; min-width: 1px; height: 1rem; margin: .2rem 0; background: var(--bar); }
.tokens, pre { margin: .4rem 0; padding: .7rem .8rem; background: var(--panel); border: 1px solid var(--line); border-radius: 6px;
  font: 14px/1.75 ui-monospace, "DejaVu Sans Mono", "Noto Sans Mono CJK SC", monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
.tokens span { padding: .1rem 0; border-radius: 3px; box-decoration-break: clone; -webkit-box-decoration-break: clone; }
.t0 { background: var(--t0); } .t1 { background: var(--t1); } .t2 { background: var(--t2); } .t3 { background: var(--t3); } .t4 { background: var(--t4); }
.s { background: var(--mark); color: #fff; font-weight: 600; }
.tokens .faint { background: var(--grey0); } .tokens .faint:nth-of-type(even) { background: var(--grey1); }
.tokens .s.faint { background: var(--greymark); color: #fff; font-weight: normal; }
.tokens div { padding-left: .7rem; border-left: .3rem solid transparent; } .tokens .predicted { border-color: var(--predicted); }
.bars .past { background: repeating-linear-gradient(135deg, var(--past) 0 4px, transparent 4px 6px); }
.turns div { display: grid; grid-template-columns: 6.5rem 1fr; gap: .2rem .8rem; padding: .5rem 0; border-bottom: 1px solid var(--line); }
.turns span { white-space: pre-wrap; } @media (max-width: 36rem) { .turns div { grid-template-columns: 1fr; } }
`;
