import assert from 'node:assert/strict';
import { html, htmlBars, htmlTable, page, tokenSpans } from '../../util/html.js';

describe('html', () => {
  it('escapes values in text and attributes', () => {
    const value = `<script>"&'`;
    assert.equal(
      `${html`<p title="${value}">${value}</p>`}`,
      '<p title="&lt;script&gt;&quot;&amp;&#39;">&lt;script&gt;&quot;&amp;&#39;</p>',
    );
  });

  it('nests, joins arrays and leaves out what is not there', () => {
    const items = ['a', '<b>'].map((item) => html`<li>${item}</li>`);
    assert.equal(`${html`<ul>${items}${undefined}${null}${false}${0}</ul>`}`, '<ul><li>a</li><li>&lt;b&gt;</li>0</ul>');
  });

  it('takes the template to the letter', () => assert.equal(`${html`a\\b${1}`}`, 'a\\b1'));

  it('shows control characters as signs, since HTML has none', () => {
    assert.equal(`${html`${'a\x00\x1b\nb\u202ec'}`}`, 'a␀␛\nb⟨U+202E⟩c');
  });

  it('makes a page that asks for nothing from elsewhere', () => {
    const whole = page('a < b', html`<p>${'樱'}</p>`);
    assert.match(whole, /^<!doctype html>\n<html lang="en">/);
    assert.match(whole, /<meta charset="utf-8">/);
    assert.match(whole, /<title>a &lt; b<\/title>/);
    assert.match(whole, /<h1>a &lt; b<\/h1>\n<p>樱<\/p>/);
    assert.match(whole, /prefers-color-scheme: dark/);
    assert.doesNotMatch(whole, /<script|<link|src=|https?:|@import|url\(/);
  });

  it('colours tokens, with ids to point at, special and unsupervised ones marked', () => {
    const spans = `${tokenSpans([
      { id: 1, text: '<|bos|>', special: true, faint: true },
      { id: 70, text: 'x<y\n' },
      { id: 71, text: '⟨E6⟩', faint: true },
    ])}`;
    assert.match(spans, /<span class="s faint" title="1">&lt;\|bos\|&gt;<\/span>/);
    assert.match(spans, /<span class="t1" title="70">x&lt;y↵<\/span><br>/);
    assert.match(spans, /<span class="t2 faint" title="71">⟨E6⟩<\/span>/);
    assert.equal(spans.match(/<div class="predicted">(?:(?!<\/div>).)*x&lt;y/g)?.length, 1);
    assert.equal(spans.match(/class="predicted"/g)?.length, 1);
  });

  it('draws tables and bars', () => {
    const rows = [
      ['<a>', 1234],
      [html`<b>x</b>`, 5],
    ];
    const drawn = `${htmlTable(rows, { header: ['name', 'n'] })}`;
    assert.match(drawn, /<th scope="col">name<\/th><th scope="col" class="right">n<\/th>/);
    assert.match(drawn, /<td>&lt;a&gt;<\/td><td class="right">1,234<\/td>/);
    assert.match(drawn, /<td><b>x<\/b><\/td><td class="right">5<\/td>/);
    const bars = `${htmlBars([
      { label: 'a', value: 4 },
      { label: 'b', value: 1, note: '25%' },
    ])}`;
    assert.match(bars, /<th scope="row">a<\/th><td><i style="width:100.00%"><\/i><\/td><td>4<\/td>/);
    assert.match(bars, /width:25.00%"><\/i><\/td><td>25%<\/td>/);
    assert.doesNotMatch(`${htmlBars([{ label: 'a', value: 0 }])}`, /NaN/);
  });
});
