import type { OpenText } from './bytes.js';
import type { Found } from './found.js';
import { wholeFile } from './text.js';

/** A Markdown file is a document, but for its YAML front matter. */
export function readMarkdown(text: OpenText, found: Found): AsyncGenerator<void> {
  return wholeFile(text, found, (bytes, place) => {
    const start = frontMatterEnd(bytes);
    found.addBytes(bytes, start, bytes.length, { offset: place.offset === undefined ? undefined : place.offset + start });
  });
}

const LINE_FEED = 0x0a;

/** Where the text begins after front matter: the lines between a first line `---` and the next such or `...`; 0 where there is none. */
export function frontMatterEnd(bytes: Buffer): number {
  if (!/^---[ \t]*\r?\n/.test(bytes.toString('latin1', 0, 40))) return 0;
  for (let start = bytes.indexOf(LINE_FEED) + 1; start > 0; start = bytes.indexOf(LINE_FEED, start) + 1) {
    if (!/^(---|\.\.\.)[ \t]*\r?(\n|$)/.test(bytes.toString('latin1', start, start + 40))) continue;
    const end = bytes.indexOf(LINE_FEED, start);
    let text = end < 0 ? bytes.length : end + 1;
    while (bytes[text] === LINE_FEED || bytes[text] === 0x0d) text++;
    return text;
  }
  return 0;
}
