import path from 'node:path';
import { arrowColumns } from './arrow-rows.js';
import { isGutenberg } from './book.js';
import { type Packing, packingOf, readHead, Unreadable } from './bytes.js';
import { CHAT_FORMATS, chatFormatOf, isChatFormat, ownChatFormat } from './chat-formats.js';
import type { Columns } from './columns.js';
import { csvColumns } from './csv.js';
import { jsonColumns } from './json.js';
import { languageOf } from './languages.js';
import { parquetColumns } from './parquet.js';
import { ANSWER_COLUMNS } from './qa.js';

/** What a file is read as. */
export const FORMATS = [
  'text',
  'markdown',
  'book',
  'html',
  'code',
  'jsonl',
  'json',
  'csv',
  'parquet',
  'arrow',
  'qa',
  ...CHAT_FORMATS,
] as const;
export type Format = (typeof FORMATS)[number];

/** How the rows of questions, answers and conversations are kept, and whether a book is plain text. Otherwise as the format says. */
export type Container = Format | 'epub' | 'posts';

export interface Detected {
  format: Format;
  container: Container;
  packing: Packing;
}

const ENDINGS: Record<string, Format> = {
  '.txt': 'text',
  '.text': 'text',
  '.md': 'markdown',
  '.markdown': 'markdown',
  '.epub': 'book',
  '.html': 'html',
  '.htm': 'html',
  '.xhtml': 'html',
  '.jsonl': 'jsonl',
  '.ndjson': 'jsonl',
  '.json': 'json',
  '.csv': 'csv',
  '.tsv': 'csv',
  '.parquet': 'parquet',
  '.arrow': 'arrow',
  '.feather': 'arrow',
};

/** What rows are kept in. */
export const CONTAINERS: readonly Container[] = ['jsonl', 'json', 'csv', 'parquet', 'arrow'];

/** Formats whose files a folder gives when it is read as another. */
const ALSO: Partial<Record<Format, readonly Format[]>> = {
  text: ['markdown'],
  markdown: ['text'],
  book: ['text'],
  jsonl: ['json'],
  json: ['jsonl'],
  qa: ['jsonl', 'json', 'csv', 'parquet'],
};

const PACKED = /\.(gz|zst|zstd)$/i;
const HEAD_BYTES = 1 << 16;

/** A file's name without the ending of its packing. */
export const unpackedName = (file: string) => file.replace(PACKED, '');

/** The name of a source by its file: without folders and endings. */
export const sourceName = (file: string) => path.parse(unpackedName(path.basename(file))).name;

const byEnding = (file: string): Format | undefined => ENDINGS[path.extname(unpackedName(file)).toLowerCase()];

/** Whether a folder's file is to be read: the endings decide, and for code its language. */
export function belongs(file: string, format: Format | undefined): boolean {
  if (format === 'code') return languageOf(unpackedName(file)) !== undefined;
  const found = byEnding(file);
  if (format === undefined) return found !== undefined || isPosts(file) || languageOf(file) !== undefined;
  if (format === 'qa' && isPosts(file)) return true;
  const also = isChatFormat(format) ? CONTAINERS : ALSO[format];
  return found !== undefined && (found === format || (also?.includes(found) ?? false));
}

const isPosts = (file: string) => /^posts\.xml$/i.test(path.basename(unpackedName(file)));

/** Endings of the files that a folder is searched for, for messages. */
export function endingsOf(format: Format | undefined): string {
  if (format === 'code') return 'of programming languages';
  const endings = Object.keys(ENDINGS).filter((ending) => belongs(`x${ending}`, format));
  return [...endings, ...(format === 'qa' || format === undefined ? ['Posts.xml'] : [])].join(' ');
}

/**
 * What a file is, by its first bytes and its ending.
 * @param forced format that the user named.
 * @throws Unreadable where nothing reads it.
 */
export async function detect(file: string, forced: Format | undefined, columns: Columns): Promise<Detected> {
  const packing = packingOf(await readHead(file, undefined, 4));
  const head = await readHead(file, packing, HEAD_BYTES);
  const container = containerOf(file, head, forced);
  if (container === undefined) throw new Unreadable('not readable', 'nothing says what it is; name its format with --format');
  if (forced !== undefined && isChatFormat(forced) && !CONTAINERS.includes(container)) {
    throw new Unreadable('not readable', `rows of ${forced} are in ${CONTAINERS.join(', ')}; it is ${container}`);
  }
  if (packing !== undefined && (container === 'parquet' || container === 'arrow' || container === 'epub')) {
    throw new Unreadable(
      'not readable',
      `${container === 'epub' ? 'an' : 'a'} ${container} file is read from its end; unpack the ${packing} file first`,
    );
  }
  return { format: forced ?? (await formatOf(file, container, head, columns)), container, packing };
}

function containerOf(file: string, head: Buffer, forced: Format | undefined): Container | undefined {
  const start = head.toString('latin1', 0, 1024);
  if (forced === 'text' || forced === 'code' || forced === 'html' || forced === 'markdown' || forced === 'csv') return forced;
  if (start.startsWith('PAR1')) return 'parquet';
  if (start.startsWith('ARROW1')) return 'arrow';
  if (start.startsWith('PK\u0003\u0004') && (start.includes('application/epub+zip') || byEnding(file) === 'book' || forced === 'book'))
    return 'epub';
  if (forced === 'book') return 'text';
  if (forced === 'parquet' || forced === 'arrow') return forced;
  const ending = byEnding(file);
  const isJson = ending === 'json' || ending === 'jsonl' || forced === 'json' || forced === 'jsonl';
  const mayBe = ending === undefined || (ending === 'text' && forced !== undefined && isChatFormat(forced));
  if (isJson || (mayBe && /^(\xef\xbb\xbf)?\s*[[{]/.test(start))) return isWideJson(start) ? 'json' : 'jsonl';
  if (/<posts|<row\s/.test(start) && (forced === 'qa' || isPosts(file))) return 'posts';
  if (ending === 'book') return 'epub'; // damaged: reading it says how
  if (ending !== undefined) return ending;
  if (languageOf(file) !== undefined) return 'code';
  if (/^(\xef\xbb\xbf)?\s*<(!doctype html|html)/i.test(start)) return 'html';
  return head.includes(0) && !/^(\xff\xfe|\xfe\xff)/.test(start) ? undefined : 'text';
}

/** Whether JSON is an array, or an object over several lines: then a line is no row. */
const isWideJson = (start: string) => /^(\xef\xbb\xbf)?\s*(\[|\{\s*[\r\n])/.test(start);

async function formatOf(file: string, container: Container, head: Buffer, columns: Columns): Promise<Format> {
  if (container === 'epub') return 'book';
  if (container === 'posts') return 'qa';
  if (container === 'text') return isGutenberg(head.toString('utf8')) ? 'book' : 'text';
  if (!CONTAINERS.includes(container)) return container;
  if (columns.question !== undefined && container !== 'arrow') return 'qa';
  if (columns.text !== undefined) return container;
  const own = ownChatFormat(columns);
  if (own !== undefined) return own;
  const names = await columnsOf(file, container, head);
  if (names.includes('text')) return container;
  const mayBeQa = container !== 'csv' && container !== 'arrow';
  if (mayBeQa && names.includes('question') && ANSWER_COLUMNS.some((name) => names.includes(name))) return 'qa';
  return chatFormatOf(names) ?? container;
}

/** Columns of a table, or of the first row in the first bytes of a file; what has a name within one is `column.name`. */
async function columnsOf(file: string, container: Container, head: Buffer): Promise<string[]> {
  if (container === 'parquet') return parquetColumns(file);
  if (container === 'arrow') return arrowColumns(file);
  return container === 'csv' ? csvColumns(head) : jsonColumns(head);
}
