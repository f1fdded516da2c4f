import { createHash } from 'node:crypto';
import { createWriteStream, type WriteStream } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { finished } from 'node:stream/promises';
import { UserError } from '../util/errors.js';
import { sha256File } from '../util/files.js';
import { ArrowFile, corpusBatch, corpusSchema } from './arrow.js';
import { beginsArray, decodeText, type RawRow, readArray, readLines, withoutMark } from './read-rows.js';

export interface ImportOptions {
  /** Files and folders; of a folder the files that the importer knows by their ending, in the order of their names. */
  paths: readonly string[];
  /** The corpus to write: an Arrow file. Rows that cannot be used go to a .quarantine.jsonl beside it. */
  output: string;
}

export interface ImportSummary {
  documents: number;
  bytes: number;
  quarantined: number;
  /** Where the quarantined rows are; absent when there are none. */
  quarantine?: string;
}

export type DocumentRule = 'file' | 'line' | 'blank_line';

interface Document {
  text: string;
}

interface Rejected {
  line: number;
  reason: string;
  excerpt: string;
}

type Row = Document | Rejected;
const BATCH_CHARACTERS = 1 << 22;
const BATCH_ROWS = 8192;

/** Plain text → corpus. A document is a file, a line, or what blank lines part; blank documents are no documents. */
export async function importText(options: ImportOptions & { document: DocumentRule }): Promise<ImportSummary> {
  const files = await listFiles(options.paths, ['.txt', '.md']);
  const read = { file: wholeFile, line: lines, blank_line: paragraphs }[options.document];
  return writeCorpus(options.output, 'text', files, read);
}

/** JSON lines (.jsonl), or a JSON array of rows (.json) → corpus. `textColumn` names the field that holds the text. */
export async function importJsonl(options: ImportOptions & { textColumn?: string }): Promise<ImportSummary> {
  const files = await listFiles(options.paths, ['.jsonl', '.json']);
  return writeCorpus(options.output, 'jsonl', files, (file) => jsonRows(file, options.textColumn ?? 'text'));
}

async function* wholeFile(file: string): AsyncGenerator<Row> {
  const bytes = withoutMark(await fs.readFile(file));
  const text = decodeText(bytes);
  if (text === undefined) yield reject(1, 'the file is not UTF-8', bytes);
  else if (text !== '') yield { text };
}

async function* lines(file: string): AsyncGenerator<Row> {
  for await (const { line, bytes } of readLines(file)) {
    const text = decodeText(bytes);
    if (text === undefined) yield reject(line, 'the line is not UTF-8', bytes);
    else if (text.trim() !== '') yield { text };
  }
}

async function* paragraphs(file: string): AsyncGenerator<Row> {
  let gathered: string[] = [];
  let bad: Rejected | undefined;
  const take = (): Row[] => {
    const row = bad ?? { text: gathered.join('\n') };
    const empty = gathered.length === 0 && bad === undefined;
    gathered = [];
    bad = undefined;
    return empty ? [] : [row];
  };
  for await (const { line, bytes } of readLines(file)) {
    const text = decodeText(bytes);
    if (text === undefined) bad ??= reject(line, 'the paragraph is not UTF-8', bytes);
    else if (text.trim() === '') yield* take();
    else gathered.push(text);
  }
  yield* take();
}

async function* jsonRows(file: string, column: string): AsyncGenerator<Row> {
  const rows = (await beginsArray(file)) ? readArray(file) : readLines(file);
  for await (const row of rows) if (row.bytes.some((byte) => byte > 0x20)) yield jsonRow(row, column);
}

function jsonRow({ line, bytes, cut }: RawRow, column: string): Row {
  if (cut) return reject(line, 'the file ends within this row', bytes);
  const json = decodeText(bytes);
  if (json === undefined) return reject(line, 'the row is not UTF-8', bytes);
  let row: unknown;
  try {
    row = JSON.parse(json);
  } catch (error) {
    return reject(line, `the row is not JSON: ${(error as Error).message}`, bytes);
  }
  if (typeof row !== 'object' || row === null || Array.isArray(row)) return reject(line, 'the row is not an object', bytes);
  if (!Object.hasOwn(row, column))
    return reject(line, `there is no ${JSON.stringify(column)} in the row; it has ${Object.keys(row).join(', ')}`, bytes);
  const text = (row as Record<string, unknown>)[column];
  if (typeof text !== 'string') return reject(line, `${JSON.stringify(column)} is not text`, bytes);
  return text === '' ? reject(line, `${JSON.stringify(column)} is empty`, bytes) : { text };
}

function reject(line: number, reason: string, bytes: Buffer): Rejected {
  return { line, reason, excerpt: bytes.subarray(0, 200).toString('utf8') };
}

async function writeCorpus(
  output: string,
  importer: string,
  files: readonly InputFile[],
  read: (file: string) => AsyncGenerator<Row>,
): Promise<ImportSummary> {
  await fs.mkdir(path.dirname(output), { recursive: true });
  const temporary = path.join(path.dirname(output), `.${path.basename(output)}.tmp-${process.pid}`);
  const quarantine = new Quarantine(`${output}.quarantine.jsonl`);
  const schema = corpusSchema(
    new Map([
      ['importer', importer],
      ['source_sha256', await sha256Files(files)],
    ]),
  );
  const summary = { documents: 0, bytes: 0, quarantined: 0 };
  try {
    const corpus = new ArrowFile(temporary, schema);
    let texts: string[] = [];
    let sources: string[] = [];
    let characters = 0;
    const flush = async () => {
      if (texts.length > 0) await corpus.write(corpusBatch(schema, texts, sources));
      [texts, sources, characters] = [[], [], 0];
    };
    for (const { file, name } of files) {
      for await (const row of read(file)) {
        if (!('text' in row)) {
          quarantine.write({ file: name, ...row });
          continue;
        }
        texts.push(row.text);
        sources.push(name);
        characters += row.text.length;
        summary.documents++;
        summary.bytes += Buffer.byteLength(row.text);
        if (characters >= BATCH_CHARACTERS || texts.length >= BATCH_ROWS) await flush();
      }
    }
    await flush();
    await corpus.close();
    summary.quarantined = await quarantine.close();
    if (summary.documents === 0) {
      const reason = summary.quarantined > 0 ? `${summary.quarantined} bad rows (${quarantine.file} says why)` : 'none';
      throw new UserError(
        `import ${importer}: there must be at least one document in ${files.map(({ file }) => file).join(', ')}; received ${reason}`,
      );
    }
    await fs.rename(temporary, output);
  } finally {
    await quarantine.close();
    await fs.rm(temporary, { force: true });
  }
  return summary.quarantined > 0 ? { ...summary, quarantine: quarantine.file } : summary;
}

/** Rows that could not be used: file, line, reason and the beginning of the row. The file is there only if there are any. */
class Quarantine {
  private stream: WriteStream | undefined;
  private count = 0;
  constructor(readonly file: string) {}

  write(row: object): void {
    this.stream ??= createWriteStream(this.file);
    this.stream.write(`${JSON.stringify(row)}\n`);
    this.count++;
  }

  async close(): Promise<number> {
    if (this.stream === undefined)
      await fs.rm(this.file, { force: true }); // of an earlier import
    else if (!this.stream.writableEnded) await finished(this.stream.end());
    return this.count;
  }
}

interface InputFile {
  file: string;
  /** As documents name their source: without folders above the one that was given. */
  name: string;
}

async function listFiles(paths: readonly string[], endings: readonly string[]): Promise<InputFile[]> {
  const found: InputFile[] = [];
  for (const given of paths) {
    const stat = await fs.stat(given).catch(() => undefined);
    if (stat === undefined)
      throw new UserError(
        `import: ${given} must be a file or a folder; there is none. Check the path, or bring data with fourfold data fetch`,
      );
    if (stat.isFile()) found.push({ file: given, name: path.basename(given) });
    else {
      const names = (await fs.readdir(given, { recursive: true })).filter((name) => endings.includes(path.extname(name).toLowerCase()));
      if (names.length === 0)
        throw new UserError(`import: the folder ${given} must hold files that end in ${endings.join(' or ')}; it holds none`);
      for (const name of names.sort()) found.push({ file: path.join(given, name), name: name.split(path.sep).join('/') });
    }
  }
  return found;
}

/** One file's own SHA-256; of several, that of their list of hashes and names. */
async function sha256Files(files: readonly InputFile[]): Promise<string> {
  if (files.length === 1) return sha256File(files[0].file);
  const hash = createHash('sha256');
  for (const { file, name } of files) hash.update(`${await sha256File(file)}  ${name}\n`);
  return hash.digest('hex');
}
