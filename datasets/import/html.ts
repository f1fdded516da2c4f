import { isUtf8 } from 'node:buffer';
import { Parser } from 'htmlparser2';
import { decoderOf, type OpenText } from './bytes.js';
import type { Found, Place } from './found.js';
import { wholeFile } from './text.js';

const names = (text: string) => new Set(text.split(' '));
const NO_TEXT = names('title script style noscript template svg iframe object audio video canvas');
const NOT_THE_PAGE = names('nav footer aside form button select dialog menu');
const PARAGRAPHS = names('p h1 h2 h3 h4 h5 h6 blockquote ul ol dl table pre figure section article header main');
const LINES = names(
  'div li dt dd tr br hr address caption figcaption fieldset summary details thead tbody tfoot body footer aside nav form',
);

/** What parts two pieces of text; of several, the greatest. */
const GAPS = ['', ' ', '\t', '\n', '\n\n'];
const [NONE, SPACE, CELL, LINE, PARAGRAPH] = GAPS.keys();

/**
 * The text of HTML or XHTML: entities decoded, white space as a browser shows it, `pre` as it stands. Block elements are lines of their own;
 * paragraphs, headings, lists and tables have an empty line around them. Scripts and styles are left out.
 * @param page leave out what stands around a page, too: nav, footer, aside, form.
 */
export function htmlToText(html: string, page = false): string {
  const parts: string[] = [];
  let gap = NONE;
  let hidden = 0;
  let kept = 0; // depth within <pre>
  const widen = (to: number) => {
    gap = Math.max(gap, to);
  };
  const put = (text: string) => {
    parts.push(parts.length > 0 ? GAPS[gap] : '', text);
    gap = NONE;
  };
  const isHidden = (name: string) => NO_TEXT.has(name) || (page && NOT_THE_PAGE.has(name));
  const bound = (name: string) => {
    if (name === 'td' || name === 'th') widen(CELL);
    else if (PARAGRAPHS.has(name)) widen(PARAGRAPH);
    else if (LINES.has(name)) widen(LINE);
  };
  const parser = new Parser(
    {
      onopentagname: (name) => {
        if (isHidden(name)) hidden++;
        if (name === 'pre') kept++;
        bound(name);
      },
      onclosetag: (name) => {
        if (isHidden(name)) hidden--;
        if (name === 'pre') kept--;
        if (name === 'br' && gap === LINE) return; // its opening ended the line
        bound(name);
      },
      ontext: (data) => {
        if (hidden > 0) return;
        if (kept > 0) return put(data.replaceAll('\r\n', '\n'));
        const words = data.replace(/[ \t\n\f\r]+/g, ' ');
        if (words.startsWith(' ')) widen(SPACE);
        if (words.trim() === '' && !words.includes('\u00a0')) return;
        put(words.replace(/^ | $/g, ''));
        if (words.endsWith(' ')) widen(SPACE);
      },
    },
    { recognizeSelfClosing: true }, // XHTML
  );
  parser.end(html);
  return parts
    .join('')
    .replace(/\n{3,}/g, '\n\n')
    .trim();
}

/** A web page is a document. */
export function readHtml(text: OpenText, found: Found): AsyncGenerator<void> {
  return wholeFile(text, found, (bytes, place) => {
    const html = decodePage(bytes);
    if (html === undefined) found.addBytes(bytes, 0, bytes.length, place);
    else addPage(html, found, place);
  });
}

function addPage(html: string, found: Found, place: Place): void {
  const text = htmlToText(html, true);
  if (text === '') found.reject(place, 'empty', 'the page has no text', html.slice(0, 200));
  else found.addText(text, place);
}

/** The page as a string, by the encoding that it names where it is not UTF-8; undefined where it names none. */
function decodePage(bytes: Buffer): string | undefined {
  if (isUtf8(bytes)) return bytes.toString('utf8');
  const named = /<(?:meta|\?xml)[^>]*(?:charset|encoding)\s*=\s*["']?([\w-]+)/i.exec(bytes.toString('latin1', 0, 4096))?.[1];
  if (named === undefined || /^utf-?8$/i.test(named)) return undefined;
  const html = decoderOf(named).decode(bytes);
  return html.includes('\ufffd') ? undefined : html;
}
