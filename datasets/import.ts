import { createHash } from 'node:crypto';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { UserError, writeError } from '../util/errors.js';
import { atomicFile, exists, sha256File } from '../util/files.js';
import type { Metadata } from './arrow.js';
import type { ChatFormat, PreferenceFormat } from './import/chat-formats.js';
import { type ConversationFormat, chatsOfRows } from './import/chat-rows.js';
import { ChatTable, LateWeight } from './import/chat-table.js';
import { Chats } from './import/chats.js';
import type { TakeRow } from './import/columns.js';
import { CorpusTable } from './import/corpus-table.js';
import { Found, type Rejected } from './import/found.js';
import { rankingsOfRows } from './import/preference-rows.js';
import { Contradicted, PreferenceTable } from './import/preference-table.js';
import { Quarantine } from './import/quarantine.js';
import { Rankings } from './import/rankings.js';
import { type DetectedInput, openInputs, type ReadOptions, readInputs } from './import/read.js';
import { requireCorpus, type TableWriter, tableOfInputs, tally } from './import/tables.js';

export type { ImportTable } from './import/chat-formats.js';
export { parseColumns } from './import/columns.js';
export { FORMATS, type Format } from './import/formats.js';
export type { Rejected } from './import/found.js';
export type { ReadOptions } from './import/read.js';
export type { DocumentRule } from './import/text.js';

export interface ImportOptions extends ReadOptions {
  /** The table to write: an Arrow file. What cannot be used goes to a .quarantine.jsonl beside it. */
  output: string;
  /** Replace the output where it exists. */
  overwrite?: boolean;
}

/** What an import read and left. */
export interface ImportCounts {
  /** UTF-8 of all texts. */
  bytes: number;
  /** Number of files by what they were read as. */
  formats: Record<string, number>;
  /** Number of rows by source. */
  sources: Record<string, number>;
  /** What was left out on purpose, by why. */
  skipped: Record<string, number>;
  /** What could not be used, in all and by reason. */
  quarantined: number;
  reasons: Record<string, number>;
  /** Where the quarantined rows are; absent when there are none. */
  quarantine?: string;
}

export interface ImportSummary extends ImportCounts {
  documents: number;
}

export interface ChatSummary extends ImportCounts {
  table: 'conversations' | 'prompts';
  rows: number;
  /** Questions, in all rows. */
  turns: number;
}

export interface PreferenceSummary extends ImportCounts {
  table: 'preferences';
  rows: number;
  /** In all rows: answers, their pairs of different and of equal ranks. */
  answers: number;
  comparisons: number;
  ties: number;
}

/**
 * Text of any kind → a corpus. Streams: the memory needed does not grow with the files.
 * @throws UserError when there is nothing to read, no document in it, conversations without a word which column is the text, the output
 * exists, or it cannot be written.
 */
export async function importCorpus(options: ImportOptions): Promise<ImportSummary> {
  await checkOutput(options);
  const found = new Found();
  const inputs = await openInputs(options, found);
  requireCorpus(inputs);
  return writeCorpus(options, inputs, found);
}

/**
 * Text → a corpus; conversations, prompts and preferences → their tables. What a file is, its columns say, `format` or `columns`.
 * @throws UserError as `importCorpus`, and when files become different tables.
 */
export async function importData(options: ImportOptions): Promise<(ImportSummary & { table: 'corpus' }) | ChatSummary | PreferenceSummary> {
  await checkOutput(options);
  const found = new Found();
  const inputs = await openInputs(options, found);
  const table = tableOfInputs(inputs);
  if (table === 'corpus') return { table, ...(await writeCorpus(options, inputs, found)) };
  const again = async (): Promise<[DetectedInput[], Found]> => {
    const found = new Found();
    return [await openInputs(options, found), found];
  };
  try {
    if (table === 'preferences') return await writePreferences(options, inputs, found);
    return await writeChats(options, inputs, found, { kind: table, weighted: false });
  } catch (error) {
    if (error instanceof Contradicted) return writePreferences(options, ...(await again()), error.pairs);
    if (table !== 'preferences' && error instanceof LateWeight)
      return writeChats(options, ...(await again()), { kind: table, weighted: true });
    throw error;
  }
}

/**
 * Documents of text of any kind, without a corpus. A string lives no longer than the caller keeps it.
 * @param onRejected is told of what cannot be used.
 * @throws UserError as `importCorpus`.
 */
export async function* readDocuments(
  options: ReadOptions & { onRejected?: (row: Rejected) => void },
): AsyncGenerator<{ text: string; source: string }> {
  const found = new Found();
  const inputs = await openInputs(options, found);
  requireCorpus(inputs);
  let scratch: string | undefined;
  const makeScratch = async () => {
    scratch ??= await fs.mkdtemp(path.join(os.tmpdir(), 'fourfold-'));
    return scratch;
  };
  try {
    for await (const _ of readInputs(inputs, options, found, makeScratch)) {
      for (const row of found.takeRejected()) options.onRejected?.(row);
      const { bytes, offsets, sources } = found.take();
      for (const [i, source] of sources.entries()) yield { text: bytes.toString('utf8', offsets[i], offsets[i + 1]), source };
    }
    for (const row of found.takeRejected()) options.onRejected?.(row);
  } finally {
    if (scratch !== undefined) await fs.rm(scratch, { recursive: true, force: true });
  }
}

async function writeCorpus(options: ImportOptions, inputs: readonly DetectedInput[], found: Found): Promise<ImportSummary> {
  const open = (path: string, metadata: Metadata) => new CorpusTable(path, metadata, found);
  const { rows, counts } = await writeTable(options, inputs, { found, what: 'document', open });
  return { documents: rows, ...counts };
}

async function writeChats(
  options: ImportOptions,
  inputs: readonly DetectedInput[],
  found: Found,
  { kind, weighted }: { kind: ChatSummary['table']; weighted: boolean },
): Promise<ChatSummary> {
  const chats = new Chats(found, kind === 'prompts' ? 'user' : 'assistant');
  const takerOf = (format: ChatFormat) => chatsOfRows(chats, format as ConversationFormat, options.columns ?? {}); // as the kind says
  const open = (path: string, metadata: Metadata) => new ChatTable(path, metadata, chats, { kind, weighted });
  const { rows, table, counts } = await writeTable(options, inputs, { found, takerOf, what: kind.slice(0, -1), open });
  return { table: kind, rows, turns: table.turns, ...counts };
}

/** @param contradicted pairs that are known to be ranked both ways. */
async function writePreferences(
  options: ImportOptions,
  inputs: readonly DetectedInput[],
  found: Found,
  contradicted?: ReadonlySet<string>,
): Promise<PreferenceSummary> {
  const rankings = new Rankings(found, contradicted);
  const takerOf = (format: ChatFormat) => rankingsOfRows(rankings, format as PreferenceFormat, options.columns ?? {}); // as the kind says
  const open = (path: string, metadata: Metadata) => new PreferenceTable(path, metadata, rankings);
  const { rows, table, counts } = await writeTable(options, inputs, { found, takerOf, what: 'comparison', open });
  const { answers, comparisons, ties } = table;
  return { table: 'preferences', rows, answers, comparisons, ties, ...counts };
}

interface Target<T extends TableWriter> {
  found: Found;
  /** Of conversations, prompts and preferences: what takes the rows of a format. */
  takerOf?: (format: ChatFormat) => TakeRow;
  /** What a row is, for messages. */
  what: string;
  open(path: string, metadata: Metadata): T;
}

interface Written<T> {
  table: T;
  rows: number;
  counts: ImportCounts;
}

/** Reads the files into a table, which takes its place when it is complete, with what could not be used beside it. */
async function writeTable<T extends TableWriter>(
  options: ImportOptions,
  inputs: readonly DetectedInput[],
  target: Target<T>,
): Promise<Written<T>> {
  const { output } = options;
  const aside = `${output}.quarantine.jsonl`;
  try {
    return await atomicFile(output, async (temporary) => {
      const quarantine = new Quarantine(temporary.replace(/(\.tmp-\d+)$/, '.quarantine.jsonl$1'));
      const scratch = temporary.replace(/(\.tmp-\d+)$/, '.posts$1');
      try {
        const makeScratch = async () => {
          await fs.mkdir(scratch, { recursive: true });
          return scratch;
        };
        const { table, rows, counts } = await fill(inputs, options, target, temporary, quarantine, makeScratch);
        await quarantine.close();
        if (quarantine.count > 0) await fs.rename(quarantine.path, aside);
        else await fs.rm(aside, { force: true }); // of an earlier import
        if (rows === 0) throw nothingFound(options, target.what, counts, aside, quarantine.first);
        return { table, rows, counts: quarantine.count > 0 ? { ...counts, quarantine: aside } : counts };
      } finally {
        await quarantine.close();
        await fs.rm(quarantine.path, { force: true });
        await fs.rm(scratch, { recursive: true, force: true });
      }
    });
  } catch (error) {
    throw writeError(output, error);
  }
}

async function fill<T extends TableWriter>(
  inputs: readonly DetectedInput[],
  options: ImportOptions,
  { found, takerOf, open }: Target<T>,
  temporary: string,
  quarantine: Quarantine,
  scratch: () => Promise<string>,
): Promise<Written<T>> {
  const formats = tally(inputs.map(({ format }) => format));
  const metadata = [
    ['importer', Object.keys(formats).join(',')],
    ['source_sha256', await sha256Files(inputs)],
  ] as const;
  const table = open(temporary, new Map(metadata));
  try {
    for await (const _ of readInputs(inputs, options, found, scratch, takerOf)) {
      if (found.rejected.length > 0) await quarantine.write(found.takeRejected());
      await table.flush();
    }
    await quarantine.write(found.takeRejected());
    await table.flush(true);
    await table.close();
  } finally {
    await table.abandon();
  }
  const { rows, bytes, sources } = table;
  const skipped = Object.fromEntries(found.skipped);
  return { table, rows, counts: { bytes, formats, sources, skipped, quarantined: quarantine.count, reasons: quarantine.reasons } };
}

async function checkOutput({ output, overwrite }: ImportOptions): Promise<void> {
  if (overwrite === true || !(await exists(output))) return;
  throw new UserError(`import: the output must be new; ${output} exists already. Choose another, or say --overwrite`);
}

function nothingFound({ paths }: ImportOptions, what: string, counts: ImportCounts, aside: string, first?: Rejected): UserError {
  const reasons = [...Object.entries(counts.reasons), ...Object.entries(counts.skipped)].map(([reason, count]) => `${reason}: ${count}`);
  const received = reasons.length > 0 ? reasons.join(', ') : 'nothing but blanks';
  const example = first === undefined ? '' : `. The first is in ${placeOf(first)}: ${first.detail}. ${aside} has all`;
  const wayOut = first?.reason === 'no such column' ? '. Say which column holds what with --columns (data.columns in a configuration)' : '';
  return new UserError(`import: there must be at least one ${what} in ${paths.join(', ')}; received none (${received})${example}${wayOut}`);
}

function placeOf({ file, line, row, offset }: Rejected): string {
  const parts = Object.entries({ line, row, 'byte offset': offset }).flatMap(([name, n]) => (n === undefined ? [] : [`${name} ${n}`]));
  return [file, ...parts].join(', ');
}

/** One file's own SHA-256; of several, that of their list of hashes and names. */
async function sha256Files(files: readonly DetectedInput[]): Promise<string> {
  if (files.length === 1) return sha256File(files[0].path);
  const hash = createHash('sha256');
  for (const file of files) hash.update(`${await sha256File(file.path)}  ${file.name}\n`);
  return hash.digest('hex');
}
