import fs from 'node:fs/promises';
import path from 'node:path';
import type { Schema } from 'apache-arrow';
import { readTokenizer, type Tokenizer } from '../../tokenizer/index.js';
import { UserError } from '../../util/errors.js';
import { exists } from '../../util/files.js';
import { besides, defaultThreads, mapInWorkers } from '../../util/workers.js';
import { openArrow, type RecordBatch } from '../arrow.js';
import { readChunks, type TextChunk } from '../chunks.js';
import { type Dataset, readDataset } from '../dataset.js';
import { isIds, isText, typeName } from './columns.js';
import type { TokenCounts } from './count-worker.js';
import { OTHER_SOURCES, SourceCounter, type SourceCounts } from './counts.js';
import { BEGINNING, type Row, readRow, WHOLE } from './rows.js';

/** What is in a file of data. Plain data: `inspectionText` and `inspectionPage` show it. */
export interface Inspection {
  path: string;
  /** A corpus has `text`, tokens have `ids`; `prepared` is a directory of them; `rows` are any other columns. */
  kind: 'corpus' | 'tokens' | 'prepared' | 'rows';
  columns: { name: string; type: string; nulls: number }[];
  metadata: [key: string, value: string][];
  /** One, or the parts of prepared tokens. */
  parts: InspectedPart[];
  /** What the lengths count; missing where rows have none. */
  lengthsIn?: 'bytes' | 'tokens';
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
  examples: Row[];
}

export interface InspectOptions {
  /**
   * Path of a tokenizer by which a corpus is counted in tokens, or tokens are decoded; otherwise tokens are decoded by the tokenizer.json
   * beside them.
   */
  tokenizer?: string;
  /** Told what is being done now and then, with the bytes that are behind it. */
  onProgress?: (progress: { doing: 'read' | 'tokenized'; bytes: number }) => void;
}

/**
 * Goes through an Arrow file, or a directory of prepared tokens, record batch by record batch.
 * @throws UserError when there is no data at `file`, or it is damaged; when the tokens are of another tokenizer.
 */
export async function inspect(file: string, { tokenizer, onProgress = () => {} }: InspectOptions = {}): Promise<Inspection> {
  const data = await openData(file, tokenizer);
  let read = 0;
  const { kind, notes, schema } = data;
  const columns = schema.fields.map(({ name, type }) => ({ name, type: typeName(type), nulls: 0 }));
  const parts: InspectedPart[] = [];
  for (const { name, files } of data.parts) {
    const counter = new SourceCounter();
    const starts: number[][] = []; // first row of each record batch, by file
    let [rows, size] = [0, 0];
    for (const shard of files) {
      size += (await fs.stat(shard)).size;
      const batches: number[] = [];
      for await (const batch of batchesOf(shard, data.schema)) {
        batches.push(rows);
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
    parts.push({ name, files: files.length, batches: starts.flat().length, size, ...counter.counts(), examples });
  }
  if (kind === 'corpus' && data.tokenizer) await countTokens(file, data.tokenizer, parts[0], onProgress);
  if (data.dataset) notes.push(...differences(data.dataset, parts));
  const lengthsIn = kind === 'rows' ? undefined : kind === 'corpus' ? 'bytes' : 'tokens';
  return { path: file, kind, columns, metadata: [...schema.metadata], parts, lengthsIn, notes };
}

/** Row `row` as a whole; rows of prepared tokens are counted through `train`, then `eval`. @throws UserError as `inspect`, and when there is no such row. */
export async function inspectRow(file: string, row: number, { tokenizer }: { tokenizer?: string } = {}): Promise<Row> {
  const data = await openData(file, tokenizer);
  const files = data.parts.flatMap((part) => part.files);
  let rows = 0;
  for (const shard of files) {
    for await (const batch of batchesOf(shard, data.schema)) {
      if (row < rows + batch.numRows) return named(readRow(batch, row - rows, row, data.tokenizer, WHOLE), shard, data);
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
  dataset?: Dataset;
  notes: string[];
}

async function openData(file: string, tokenizerPath: string | undefined): Promise<Data> {
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
  const typeOf = (name: string) => schema.fields.find((field) => field.name === name)?.type;
  const kind = dataset ? 'prepared' : isIds(typeOf('ids')) ? 'tokens' : isText(typeOf('text')) ? 'corpus' : 'rows';
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
  if (kind === 'rows' && tokenizer) notes.push('The tokenizer was not used: there is no column of text.');
  return { kind, schema, parts, tokenizer, dataset, notes };
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
      const example = readRow(await arrow.batch(batch), row - starts[file][batch], first + row, data.tokenizer, BEGINNING);
      examples.push(named(example, files[file], data));
    } finally {
      await arrow.close();
    }
  }
  return examples;
}

function named(row: Row, file: string, { kind }: Data): Row {
  return kind === 'prepared' ? { ...row, file: path.basename(file) } : row;
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
