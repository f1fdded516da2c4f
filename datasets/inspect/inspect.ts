import fs from 'node:fs/promises';
import path from 'node:path';
import type { Schema } from 'apache-arrow';
import { readTokenizer, type Tokenizer, type TrainOn } from '../../tokenizer/index.js';
import { UserError } from '../../util/errors.js';
import { exists } from '../../util/files.js';
import { besides, defaultThreads, mapInWorkers } from '../../util/workers.js';
import { openArrow, type RecordBatch } from '../arrow.js';
import { readChunks, type TextChunk } from '../chunks.js';
import { kindOfSchema } from '../conversations.js';
import { type Dataset, readDataset } from '../dataset.js';
import { chatNotes, chatReader, refuseChatOptions } from './chat-options.js';
import { readChatRow } from './chat-rows.js';
import { ChatCounter, type ChatFacts, type ChatKind, type ChatReader, measureChats } from './chats.js';
import { isIds, isText, typeName } from './columns.js';
import type { TokenCounts } from './count-worker.js';
import { OTHER_SOURCES, SourceCounter, type SourceCounts } from './counts.js';
import { PreferenceCounter, type PreferenceFacts, readPreferenceRow } from './preferences.js';
import { BEGINNING, type Row, type RowLimits, readRow, WHOLE } from './rows.js';

/** What is in a file of data. Plain data: `inspectionText` and `inspectionPage` show it. */
export interface Inspection {
  path: string;
  /**
   * A corpus has `text`, tokens have `ids`; `prepared` is a directory of them; conversations and prompts have messages; preferences have ranked answers;
   * `rows` are any other columns.
   */
  kind: 'corpus' | 'tokens' | 'prepared' | ChatKind | 'preferences' | 'rows';
  columns: { name: string; type: string; nulls: number }[];
  metadata: [key: string, value: string][];
  /** One, or the parts of prepared tokens. */
  parts: InspectedPart[];
  /** What the lengths count; missing where rows have none. */
  lengthsIn?: 'bytes' | 'tokens';
  /** Of conversations in tokens: the most that a model takes. */
  context?: number;
  /** What a reader should know and the figures do not say. */
  notes: string[];
}

export interface InspectedPart {
  /** `train` or `eval`; empty for a file. */
  name: string;
  files: number;
  batches: number;
  /** Size on disk, in bytes. */
  size: number;
  total: SourceCounts;
  /** In the order in which they come first. */
  sources: SourceCounts[];
  /** Of conversations and prompts. */
  chats?: ChatFacts;
  preferences?: PreferenceFacts;
  examples: Row[];
}

export interface InspectOptions {
  /**
   * Path of a tokenizer by which a corpus is counted in tokens, or tokens are decoded; otherwise tokens are decoded by the tokenizer.json
   * beside them.
   */
  tokenizer?: string;
  /** Show the examples as tokens, and fail where they cannot be: conversations are shown as messages otherwise. */
  tokens?: boolean;
  /** The chat template of conversations: a name or a file of Jinja; otherwise the tokenizer's own. */
  template?: string;
  /** Which tokens of conversations are to be predicted (`assistant`). */
  trainOn?: TrainOn;
  /** The most tokens that a model takes; otherwise as the config.json beside the tokenizer says. */
  contextLength?: number;
  /** Told what is being done now and then, with the bytes that are behind it. */
  onProgress?: (progress: { doing: 'read' | 'tokenized'; bytes: number }) => void;
}

/**
 * Goes through an Arrow file, or a directory of prepared tokens, record batch by record batch.
 * @throws UserError when there is no data at `file`, or it is damaged; when the tokens are of another tokenizer.
 */
export async function inspect(file: string, { onProgress = () => {}, ...options }: InspectOptions = {}): Promise<Inspection> {
  const data = await openData(file, options);
  let read = 0;
  const { kind, notes, schema } = data;
  const columns = schema.fields.map(({ name, type }) => ({ name, type: typeName(type), nulls: 0 }));
  const parts: InspectedPart[] = [];
  for (const { name, files } of data.parts) {
    const counter = new SourceCounter();
    const rankings = kind === 'preferences' ? new PreferenceCounter(data.tokenizer) : undefined;
    const starts: number[][] = []; // first row of each record batch, by file
    let [rows, size] = [0, 0];
    for (const shard of files) {
      size += (await fs.stat(shard)).size;
      const batches: number[] = [];
      for await (const batch of batchesOf(shard, data.schema)) {
        batches.push(rows);
        rankings?.addBatch(shard, batch, rows);
        rows += batch.numRows;
        counter.add(batch);
        read += batch.data.byteLength;
        onProgress({ doing: 'read', bytes: read });
        for (const [c, column] of columns.entries()) column.nulls += batch.getChildAt(c)!.nullCount;
      }
      starts.push(batches);
    }
    const first = parts.reduce((sum, { total }) => sum + total.rows, 0);
    const examples = await readExamples(counter.examples(), files, starts, first, data);
    const chats = data.chat && (await countChats(files[0], rows, data.chat, data.tokenizer, counter, onProgress));
    const preferences = rankings?.facts();
    parts.push({ name, files: files.length, batches: starts.flat().length, size, ...counter.counts(), chats, preferences, examples });
  }
  if (kind === 'corpus' && data.tokenizer) await countTokens(file, data.tokenizer, parts[0], onProgress);
  if (data.dataset) notes.push(...differences(data.dataset, parts));
  if (data.chat) notes.push(...chatNotes(data.chat, parts[0]));
  const inBytes = kind === 'corpus' || (data.chat && !data.tokenizer);
  const lengthsIn = kind === 'rows' || kind === 'preferences' ? undefined : inBytes ? 'bytes' : 'tokens';
  return { path: file, kind, columns, metadata: [...schema.metadata], parts, lengthsIn, context: data.chat?.context, notes };
}

/** Row `row` as a whole; rows of prepared tokens are counted through `train`, then `eval`. @throws UserError as `inspect`, and when there is no such row. */
export async function inspectRow(file: string, row: number, options: Omit<InspectOptions, 'onProgress'> = {}): Promise<Row> {
  const data = await openData(file, options);
  const files = data.parts.flatMap((part) => part.files);
  let rows = 0;
  for (const shard of files) {
    for await (const batch of batchesOf(shard, data.schema)) {
      if (row < rows + batch.numRows) return rowOf(data, batch, row - rows, row, WHOLE, shard);
      rows += batch.numRows;
    }
  }
  const range = rows > 0 ? `from 0 to ${rows - 1}` : 'of a file that has some; it has none';
  throw new UserError(`inspect data: the row must be ${range}; received ${row} of ${file}. Choose another row`);
}

interface Data {
  kind: Inspection['kind'];
  schema: Schema;
  parts: { name: string; files: string[] }[];
  tokenizer?: Tokenizer;
  /** Of conversations and prompts. */
  chat?: ChatReader;
  dataset?: Dataset;
  notes: string[];
}

async function openData(file: string, options: Omit<InspectOptions, 'onProgress'>): Promise<Data> {
  const { tokenizer: tokenizerPath, tokens = false } = options;
  const stat = await fs.stat(file).catch(() => undefined);
  const dataset = stat?.isDirectory() ? await readDatasetOf(file) : undefined;
  const parts = dataset
    ? (['train', 'eval'] as const).map((name) => ({ name, files: dataset[name].shards.map((shard) => path.join(file, shard.file)) }))
    : [{ name: '', files: [file] }];
  const first = parts.flatMap(({ files }) => files)[0];
  if (first === undefined)
    throw new UserError(`inspect data: ${file} must hold shards of tokens; its dataset.json names none. Prepare it again`);
  const arrow = await openArrow(first);
  await arrow.close();
  const { schema } = arrow;
  const kind = dataset ? 'prepared' : kindOf(schema);
  const notes: string[] = [];
  const beside = path.join(path.dirname(first), 'tokenizer.json');
  const decodes = kind === 'tokens' || kind === 'prepared';
  const found = tokenizerPath ?? (decodes && (await exists(beside)) ? beside : undefined);
  const tokenizer = found === undefined ? undefined : await readTokenizer(found);
  const made = schema.metadata.get('tokenizer_sha256');
  if (decodes && tokenizer && made !== undefined && made !== tokenizer.hash()) {
    throw new UserError(
      `inspect data: the tokenizer must be the one that made the tokens (SHA-256 ${made.slice(0, 12)}…); received ${found} (${tokenizer.hash().slice(0, 12)}…). Name that one with --tokenizer`,
    );
  }
  if (decodes && !tokenizer) notes.push('No tokenizer.json is beside the tokens, so they are not decoded: --tokenizer PATH names one.');
  if (tokens && !tokenizer)
    throw new UserError(`inspect data: tokens are shown by a tokenizer; none is named, and none lies beside ${file}. Say --tokenizer PATH`);
  const chat = kind === 'conversations' || kind === 'prompts' ? await chatReader(kind, found, tokenizer, options) : undefined;
  if (!chat) refuseChatOptions(kind, options);
  if (kind === 'preferences' && tokens)
    throw new UserError('inspect data: --tokens shows conversations and corpora as tokens; received preferences. Leave it out');
  if (kind === 'rows' && tokenizer) notes.push('The tokenizer was not used: there is no column of text.');
  return { kind, schema, parts, tokenizer, chat, dataset, notes };
}

function kindOf(schema: Schema): Exclude<Inspection['kind'], 'prepared'> {
  const kind = kindOfSchema(schema);
  if (kind === 'conversations' || kind === 'prompts' || kind === 'preferences') return kind;
  const typeOf = (name: string) => schema.fields.find((field) => field.name === name)?.type;
  return isIds(typeOf('ids')) ? 'tokens' : isText(typeOf('text')) ? 'corpus' : 'rows';
}

async function readDatasetOf(directory: string): Promise<Dataset> {
  if (await exists(path.join(directory, 'dataset.json'))) return readDataset(directory);
  const held = (await fs.readdir(directory)).filter((name) => name.endsWith('.arrow'));
  const advice =
    held.length > 0 ? `Name one of its files, such as ${path.join(directory, held[0])}` : 'Make a corpus of it with fourfold data import';
  throw new UserError(
    `inspect data: a directory must hold prepared tokens (dataset.json); received ${directory}, which holds ${held.length} Arrow files. ${advice}`,
  );
}

/** Record batches of a file, which must have the columns of `schema`. */
async function* batchesOf(file: string, schema: Schema): AsyncGenerator<RecordBatch> {
  const arrow = await openArrow(file);
  try {
    if (String(arrow.schema) !== String(schema)) {
      throw new UserError(
        `inspect data: shards must have the same columns (${schema}); received ${file} with ${arrow.schema}. Prepare the data again`,
      );
    }
    for (let i = 0; i < arrow.batches; i++) yield await arrow.batch(i);
  } finally {
    await arrow.close();
  }
}

/** @param starts of each file's record batches: their first row. @param first the row of all that the first of `files` begins with. */
async function readExamples(rows: number[], files: string[], starts: number[][], first: number, data: Data): Promise<Row[]> {
  const examples: Row[] = [];
  for (const row of rows) {
    const file = starts.findLastIndex((batches) => batches.length > 0 && batches[0] <= row);
    const batch = starts[file].findLastIndex((start) => start <= row);
    const arrow = await openArrow(files[file]);
    try {
      examples.push(rowOf(data, await arrow.batch(batch), row - starts[file][batch], first + row, BEGINNING, files[file]));
    } finally {
      await arrow.close();
    }
  }
  return examples;
}

function rowOf({ kind, chat, tokenizer }: Data, batch: RecordBatch, i: number, row: number, limits: RowLimits, file: string): Row {
  if (kind === 'preferences') return readPreferenceRow(file, batch, i, row, limits);
  const found = chat ? readChatRow(batch, i, row, chat, tokenizer, limits) : readRow(batch, i, row, tokenizer, limits);
  return kind === 'prepared' ? { ...found, file: path.basename(file) } : found;
}

/** Counts conversations as `reader` makes tokens of them; by source into `counter`. */
async function countChats(
  file: string,
  rows: number,
  reader: ChatReader,
  tokenizer: Tokenizer | undefined,
  counter: SourceCounter,
  onProgress: Required<InspectOptions>['onProgress'],
): Promise<ChatFacts> {
  const facts = new ChatCounter(reader);
  let bytes = 0;
  for await (const chats of measureChats(file, rows, reader, tokenizer)) {
    counter.addChats(chats, { inTokens: reader.template !== undefined, context: reader.context });
    for (const chat of chats) {
      facts.add(chat);
      for (const message of chat.roles) bytes += message.bytes;
    }
    onProgress({ doing: tokenizer ? 'tokenized' : 'read', bytes });
  }
  return facts.facts();
}

/** Counts a corpus in tokens, without bos and eos. */
async function countTokens(
  corpus: string,
  tokenizer: Tokenizer,
  { total, sources }: InspectedPart,
  onProgress: Required<InspectOptions>['onProgress'],
): Promise<void> {
  let done = 0;
  const byName = new Map(sources.map((source) => [source.name, source]));
  for (const counts of [total, ...sources]) counts.tokens = 0;
  const module = besides(import.meta.url, './count-worker');
  for await (const counts of mapInWorkers<TextChunk, TokenCounts>(module, tokenizer.toJSON(), readChunks(corpus), defaultThreads())) {
    counts.sources.forEach((name, i) => {
      const source = byName.get(name) ?? byName.get(OTHER_SOURCES)!;
      source.tokens! += counts.tokens[i];
      total.tokens! += counts.tokens[i];
    });
    done += counts.bytes;
    onProgress({ doing: 'tokenized', bytes: done });
  }
}

/** Where the shards hold something else than dataset.json says. */
function differences(dataset: Dataset, parts: readonly InspectedPart[]): string[] {
  return parts.flatMap(({ name, total }) => {
    const said = dataset[name as 'train' | 'eval'];
    const pairs = [
      ['documents', said.documents, total.rows],
      ['tokens', said.tokens, total.tokens],
      ['bytes', said.bytes, total.bytes],
    ] as const;
    return pairs.flatMap(([what, expected, counted]) =>
      expected === counted
        ? []
        : [
            `dataset.json speaks of ${expected.toLocaleString('en')} ${what} in ${name}; the shards hold ${(counted ?? 0).toLocaleString('en')}.`,
          ],
    );
  });
}
