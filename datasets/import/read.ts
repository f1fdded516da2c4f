import fs from 'node:fs/promises';
import { UserError } from '../../util/errors.js';
import { errorCode } from '../../util/files.js';
import { arrowColumns, readArrow, readArrowRows } from './arrow-rows.js';
import { readBook } from './book.js';
import { decoderOf, openText, Unreadable } from './bytes.js';
import { CHAT_FORMATS, type ChatFormat, chatColumns, isChatFormat, neededColumns, ownParts } from './chat-formats.js';
import { readCode } from './code.js';
import { type Columns, type TakeRow, textOfRows } from './columns.js';
import { readCsv } from './csv.js';
import { readEpub } from './epub.js';
import { type Detected, detect, type Format, unpackedName } from './formats.js';
import type { Found } from './found.js';
import { readHtml } from './html.js';
import { type Input, listInputs } from './inputs.js';
import { readJsonArray, readJsonLines } from './json.js';
import { languageOf } from './languages.js';
import { readMarkdown } from './markdown.js';
import { parquetColumns, readParquet } from './parquet.js';
import { ANSWER_COLUMNS, questionsOfRows } from './qa.js';
import { readStackExchange } from './stack-exchange.js';
import { type DocumentRule, readText } from './text.js';

export interface ReadOptions {
  /** Files, folders and glob patterns. */
  paths: readonly string[];
  /** What the files are; otherwise each file's ending and first bytes say it. */
  format?: Format;
  /** Of plain text: what a document is. Default: the whole file. `row` is for rows alone. */
  document?: DocumentRule | 'row';
  /** Of rows: which column holds what. Default: `text`; for Q&A `question`, `answers` (or `answer`) and `accepted`; of conversations what their format says. */
  columns?: Columns;
  /** Name of the source of all documents; otherwise each file's or folder's own. */
  source?: string;
  /** What the text is where it is not UTF-8, by its name in the WHATWG Encoding standard: gb18030, latin1, utf-16le, … */
  encoding?: string;
}

/** A file, and how it is read. */
export interface DetectedInput extends Input, Detected {}

const ROWS: readonly Format[] = ['jsonl', 'json', 'csv', 'parquet', 'arrow', 'qa', ...CHAT_FORMATS];

/**
 * Lists the files and finds out what each is. What cannot be read at all is put aside.
 * @throws UserError where a path leads nowhere or an option does not go with what the files are.
 */
export async function openInputs(options: ReadOptions, found: Found): Promise<DetectedInput[]> {
  const { format, columns = {}, document, encoding } = options;
  if (encoding !== undefined) decoderOf(encoding);
  const inputs: DetectedInput[] = [];
  for (const input of await listInputs(options.paths, format, found)) {
    found.file = input.path;
    try {
      inputs.push({ ...input, ...(await detect(input.path, input.code ? 'code' : format, columns)) });
    } catch (error) {
      putAside(error, input.path, found);
    }
  }
  const formats = new Set(inputs.map((input) => input.format));
  const named = [...formats].join(' and ');
  if (inputs.length > 0 && Object.keys(columns).length > 0 && !ROWS.some((rows) => formats.has(rows))) {
    throw new UserError(`import: columns are of rows (${ROWS.join(', ')}); received ${named}, which has none. Leave --columns out`);
  }
  checkColumns(columns, [...formats], named);
  if (document === 'row' && formats.has('text')) {
    throw new UserError(
      `import: a document of text must be a file, a line or what blank lines part; received document: row for ${options.paths.join(', ')}`,
    );
  }
  if (inputs.length > 0 && (document === 'line' || document === 'blank_line') && !formats.has('text')) {
    throw new UserError(`import: document: ${document} is for plain text; received ${named}. Leave --document out, or say --format text`);
  }
  return inputs;
}

/** A column that nothing reads is a mistake. */
function checkColumns(columns: Columns, formats: readonly Format[], named: string): void {
  if (formats.length === 0) return;
  const known = new Set<string>(
    formats.flatMap((format) => (isChatFormat(format) ? ownParts(format) : format === 'qa' ? OF_QA : ['text'])),
  );
  const unknown = Object.keys(columns).filter((name) => !known.has(name));
  if (unknown.length === 0) return;
  throw new UserError(
    `import: --columns may name ${[...known].join(', ')} for ${named}; received ${unknown.join(', ')}. Leave it out, or say another --format`,
  );
}

const OF_QA = ['question', 'answers', 'accepted'];

/**
 * Reads files one after another and adds what they hold to `found`. Yields now and then, for the caller to take it.
 * @param scratch makes a folder for files that are needed in between.
 * @param takerOf takes the rows of a format of conversations, prompts or preferences; it must be there where an input has such.
 */
export async function* readInputs(
  inputs: readonly DetectedInput[],
  options: ReadOptions,
  found: Found,
  scratch: () => Promise<string>,
  takerOf?: (format: ChatFormat) => TakeRow,
): AsyncGenerator<void> {
  for (const input of inputs) {
    found.file = input.path;
    const language = input.format === 'code' ? languageOf(unpackedName(input.path)) : undefined;
    found.source = (options.source ?? input.source) + (input.format === 'code' ? `/${language ?? 'other'}` : '');
    found.encoding = undefined;
    try {
      yield* await reader(input, options, found, scratch, takerOf);
    } catch (error) {
      putAside(error, input.path, found);
    }
    yield;
  }
}

async function reader(
  input: DetectedInput,
  options: ReadOptions,
  found: Found,
  scratch: () => Promise<string>,
  takerOf: ((format: ChatFormat) => TakeRow) | undefined,
): Promise<AsyncGenerator<void>> {
  const { path, container, packing, format } = input;
  const { columns = {}, encoding, document = 'file' } = options;
  const ownSources = options.source === undefined;
  const take: TakeRow = isChatFormat(format)
    ? takerOf!(format)
    : format === 'qa'
      ? questionsOfRows(found, columns)
      : textOfRows(found, columns.text ?? 'text');
  if (container === 'epub') return readEpub(path, found);
  if (container === 'code') return readCode(path, packing, found, encoding);
  if (isChatFormat(format) && (container === 'arrow' || container === 'parquet')) {
    const all = () => (container === 'arrow' ? arrowColumns(path) : parquetColumns(path));
    const wanted = format === 'solutions' ? (await all()).filter((name) => !name.includes('.')) : chatColumns(format, columns);
    const request = { needed: neededColumns(format, columns), wanted, ownSources };
    return container === 'arrow'
      ? readArrowRows(path, found, request, take)
      : readParquet(path, { others: request.wanted, needed: request.needed }, take);
  }
  if (container === 'arrow') return readArrow(path, found, { column: columns.text ?? 'text', ownSources });
  if (container === 'parquet') {
    const others = format === 'qa' ? [columns.answers ?? ANSWER_COLUMNS, columns.accepted ?? 'accepted'].flat() : [];
    return readParquet(path, { text: format === 'qa' ? (columns.question ?? 'question') : (columns.text ?? 'text'), others }, take);
  }
  const text = await openText(path, packing, encoding);
  found.encoding = text.encoding;
  switch (container) {
    case 'text':
      return format === 'book' ? readBook(text, found) : readText(text, found, document as DocumentRule);
    case 'markdown':
      return readMarkdown(text, found);
    case 'html':
      return readHtml(text, found);
    case 'json':
      return readJsonArray(text, found, take);
    case 'csv':
      return readCsv(text, found, take);
    case 'posts':
      return readStackExchange(text, found, (await fs.stat(path)).size * (packing ? 8 : 1), await scratch());
    default:
      return readJsonLines(text, found, take);
  }
}

function putAside(error: unknown, path: string, found: Found): void {
  if (error instanceof Unreadable) {
    found.reject({}, error.reason, error.message);
    return;
  }
  const code = errorCode(error);
  if (code === undefined || error instanceof UserError) throw error;
  throw new UserError(`import: ${path} must be a file that can be read; reading it failed (${code}). Check what it is, and its rights`, 1, {
    cause: error,
  });
}
