import { isUtf8 } from 'node:buffer';
import type { OpenText } from './bytes.js';
import { type Found, isBlank } from './found.js';
import { wholeFile } from './text.js';

const START = /^\*\*\* ?START OF TH(?:E|IS) PROJECT GUTENBERG.*\*\*\*\s*$/im;
const OLD_START = /^\*END\*? ?THE SMALL PRINT!.*$/im;
const END = /^(?:\*\*\* ?END OF TH(?:E|IS) PROJECT GUTENBERG.*|End of (?:the |this )?Project Gutenberg(?:'s)? (?:EBook|Etext).*)$/im;

/** Whether a text begins as the plain books of Project Gutenberg do. */
export function isGutenberg(head: string): boolean {
  return START.test(head) || OLD_START.test(head);
}

/** A book without what Project Gutenberg puts before and after it: its header with the licence's mark, and the licence. */
export function withoutGutenberg(text: string): string {
  const start = START.exec(text) ?? OLD_START.exec(text);
  const body = start === null ? text : text.slice(start.index + start[0].length);
  const end = END.exec(body);
  return (end === null ? body : body.slice(0, end.index)).trim();
}

/** A plain book is a document. */
export function readBook(text: OpenText, found: Found): AsyncGenerator<void> {
  return wholeFile(text, found, (bytes, place) => {
    if (!isUtf8(bytes) || isBlank(bytes, 0, bytes.length))
      found.addBytes(bytes, 0, bytes.length, place); // which says why not
    else found.addText(withoutGutenberg(bytes.toString('utf8')).replaceAll('\r\n', '\n'), place);
  });
}
