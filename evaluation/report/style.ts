/** The look of a report, beside that of every page (util/html.ts). Colours after Okabe and Ito 2008, each legible on its background. */
export const CSS = `
:root { --c0: #0067a5; --c1: #c04a00; --c2: #00795b; --c3: #a1457f; --c4: #8a6100; --c5: #555b63; --good: #00795b; }
@media (prefers-color-scheme: dark) { :root { --c0: #5cb3ec; --c1: #f58f4a; --c2: #45c79f; --c3: #e59ac6; --c4: #e3c02c; --c5: #aab1ba; --good: #45c79f; } }
h1 { margin-bottom: .2rem; } h2 { margin: 3rem 0 .8rem; padding-top: .6rem; border-top: 1px solid var(--line); font-size: 1.3rem; }
section:first-child h2 { margin-top: 1.5rem; } h3 { margin: 1.8rem 0 .5rem; }
p { max-width: 48rem; margin: .5rem 0; } ul { max-width: 48rem; padding-left: 1.2rem; } li { margin: .25rem 0; }
.lead { font-size: 1.45rem; line-height: 1.35; font-weight: 600; margin: .4rem 0 1rem; text-wrap: pretty; }
nav ol { display: flex; flex-wrap: wrap; gap: .1rem 1.1rem; margin: .6rem 0 0; padding: 0; list-style: none; max-width: none; }
a { color: var(--c0); } code { font: .88em ui-monospace, "DejaVu Sans Mono", monospace; } small { color: var(--soft); }
.missing { color: var(--soft); border-left: .3rem dotted var(--line); padding-left: .7rem; }
.charts { display: grid; gap: 1.4rem 2rem; margin: 1rem 0; align-items: start; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); }
.charts.small { grid-template-columns: repeat(auto-fit, minmax(min(100%, 17rem), 1fr)); } .charts.wide { grid-template-columns: minmax(0, 42rem); }
.charts.medium figure { max-width: 34rem; } .charts.small figure { max-width: 26rem; }
figure { margin: 0; min-width: 0; display: grid; grid-row: span 4; grid-template-rows: subgrid; row-gap: 0; } .legend { grid-row: 2; } svg.chart { grid-row: 3; } .data { grid-row: 4; } figcaption { font-weight: 600; }
svg.chart { display: block; width: 100%; height: auto; overflow: visible; font: 12px system-ui, "Noto Sans", "Noto Sans CJK SC", sans-serif; }
svg.chart text { white-space: pre; }
.legend { display: flex; flex-wrap: wrap; gap: 0 1.2rem; margin: .2rem 0 0; padding: 0; list-style: none; font-size: .87rem; max-width: none; }
.legend li { margin: 0; } .swatch { vertical-align: -2px; }
details { margin: .5rem 0; } summary { cursor: pointer; color: var(--soft); width: fit-content; } details.data { font-size: .87rem; margin: 0; }
details.data[open] .wide { max-height: 20rem; overflow: auto; }
thead th, thead th.right { vertical-align: bottom; white-space: normal; } td code { white-space: nowrap; } tbody tr:nth-child(n+2) td { border-top: 1px solid color-mix(in srgb, var(--line) 60%, transparent); }
td small { white-space: nowrap; } td:has(.bar) { width: 9rem; min-width: 5rem; vertical-align: middle; }
.bar { display: block; height: .55rem; background: var(--panel); border-radius: 3px; overflow: hidden; } .bar i { display: block; height: 100%; background: var(--c0); }
.cards { display: grid; gap: .7rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 11rem), 1fr)); margin: .5rem 0; }
.card { margin: 0; padding: .6rem .75rem; border: 1px solid var(--line); border-radius: 6px; background: var(--back); min-width: 0; }
.card h4 { margin: 0 0 .3rem; } .card p { margin: .3rem 0 0; } .card .soft { font-size: .85rem; } .answer { white-space: pre-wrap; }
.card.best { border-color: var(--good); box-shadow: inset 0 .2rem 0 var(--good); } .card.best h4::after { content: " ★"; color: var(--good); } .card .bar { background: color-mix(in srgb, var(--line) 70%, transparent); }
.question { margin: 1.6rem 0; } .question h3 { margin: 0; white-space: pre-wrap; font-size: 1rem; } .question > p { margin: .15rem 0 0; font-size: .9rem; }
@media (max-width: 36rem) { .lead { font-size: 1.2rem; } .charts:not(.small) svg.chart { font-size: 14px; } .charts.wide svg.chart { font-size: 17px; }
  .wide td:first-child, .wide th:first-child { position: sticky; left: 0; background: var(--back); min-width: 7.5rem; } }
@media print { :root { color-scheme: light; --text: #000; --soft: #444; --back: #fff; --panel: #eee; --line: #bbb; --c0: #0067a5; --c1: #c04a00; --c2: #00795b; --c3: #a1457f; --c4: #8a6100; --c5: #555b63; --good: #00795b; }
  body { max-width: none; padding: 0; font-size: 10.5pt; print-color-adjust: exact; -webkit-print-color-adjust: exact; } nav, details.data { display: none; }
  details.fold::details-content { display: block; content-visibility: visible; } .wide { overflow: visible; } a { color: inherit; text-decoration: none; }
  figure, .question, .card, tr { break-inside: avoid; } h2, h3, h4, figcaption { break-after: avoid; } thead { display: table-header-group; }
  .charts { grid-template-columns: repeat(2, 1fr); } .charts.small { grid-template-columns: repeat(3, 1fr); } .charts.wide { grid-template-columns: minmax(0, 34rem); } }
`;
