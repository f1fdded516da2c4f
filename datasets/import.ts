import { createHash } from 'node:crypto';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { UserError, writeError } from '../util/errors.js';
import { atomicFile, exists, sha256File } from '../util/files.js';
import { ArrowFile, corpusBatchOf, corpusSchema } from './arrow.js';
import { Found, type Rejected } from './import/found.js';
import { Quarantine } from './import/quarantine.js';
import { type DetectedInput, openInputs, type ReadOptions, readInputs } from './import/read.js';

export { parseColumns } from './import/columns.js';
export { FORMATS, type Format } from './import/formats.js';
export type { Rejected } from './import/found.js';
export type { ReadOptions } from './import/read.js';
export type { DocumentRule } from './import/text.js';

export interface ImportOptions extends ReadOptions {
  /** The corpus to write: an Arrow file. What cannot be used goes to a .quarantine.jsonl beside it. */
  output: string;
  /** Replace the output where it exists. */
  overwrite?: boolean;
}

export interface ImportSummary {
  documents: number;
  /** UTF-8 of all texts. */
  bytes: number;
  /** Number of files by what they were read as. */
  formats: Record<string, number>;
  /** Number of documents by source. */
  sources: Record<string, number>;
  /** What was left out on purpose, by why. */
  skipped: Record<string, number>;
  /** What could not be used, in all and by reason. */
  quarantined: number;
  reasons: Record<string, number>;
  /** Where the quarantined rows are; absent when there are none. */
  quarantine?: string;
}

const BATCH_BYTES = 1 << 22;
const BATCH_ROWS = 8192;

/**
 * Text of any kind → a corpus. Streams: the memory needed does not grow with the files.
 * @throws UserError when there is nothing to read, no document in it, the output exists, or it cannot be written.
 */
export async function importCorpus(options: ImportOptions): Promise<ImportSummary> {
  const { output } = options;
  const aside = `${output}.quarantine.jsonl`;
  if (options.overwrite !== true && (await exists(output))) {
    throw new UserError(`import: the output must be new; ${output} exists already. Choose another, or say --overwrite`);
  }
  const found = new Found();
  const inputs = await openInputs(options, found);
  try {
    return await atomicFile(output, async (temporary) => {
      const quarantine = new Quarantine(temporary.replace(/(\.tmp-\d+)$/, '.quarantine.jsonl$1'));
      const scratch = temporary.replace(/(\.tmp-\d+)$/, '.posts$1');
      try {
        const makeScratch = async () => {
          await fs.mkdir(scratch, { recursive: true });
          return scratch;
        };
        const summary = await write(inputs, options, found, temporary, quarantine, makeScratch);
        await quarantine.close();
        if (quarantine.count > 0) await fs.rename(quarantine.path, aside);
        else await fs.rm(aside, { force: true }); // of an earlier import
        if (summary.documents === 0) throw nothingFound(options, summary, aside, quarantine.first);
        return quarantine.count > 0 ? { ...summary, quarantine: aside } : summary;
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

async function write(
  inputs: readonly DetectedInput[],
  options: ImportOptions,
  found: Found,
  temporary: string,
  quarantine: Quarantine,
  scratch: () => Promise<string>,
): Promise<Omit<ImportSummary, 'quarantine'>> {
  const formats = tally(inputs.map(({ format }) => format));
  const schema = corpusSchema(
    new Map([
      ['importer', Object.keys(formats).join(',')],
      ['source_sha256', await sha256Files(inputs)],
    ]),
  );
  const summary = { documents: 0, bytes: 0, formats, sources: {} as Record<string, number> };
  const corpus = new ArrowFile(temporary, schema);
  const flush = async () => {
    if (found.length === 0) return;
    const { bytes, offsets, sources } = found.take();
    summary.documents += sources.length;
    summary.bytes += bytes.length;
    tally(sources, summary.sources);
    for (let from = 0; from < sources.length; from += BATCH_ROWS) {
      const to = Math.min(from + BATCH_ROWS, sources.length);
      const own = offsets.slice(from, to + 1).map((offset) => offset - offsets[from]);
      await corpus.write(corpusBatchOf(schema, bytes.subarray(offsets[from], offsets[to]), own, sources.slice(from, to)));
    }
  };
  try {
    for await (const _ of readInputs(inputs, options, found, scratch)) {
      if (found.rejected.length > 0) await quarantine.write(found.takeRejected());
      if (found.size >= BATCH_BYTES || found.length >= BATCH_ROWS) await flush();
    }
    await quarantine.write(found.takeRejected());
    await flush();
    await corpus.close();
  } finally {
    await corpus.abandon();
  }
  return { ...summary, skipped: Object.fromEntries(found.skipped), quarantined: quarantine.count, reasons: quarantine.reasons };
}

/** Adds up how often each name is there; names come in runs. */
function tally(names: readonly string[], counts: Record<string, number> = {}): Record<string, number> {
  for (let from = 0, to = 1; from < names.length; from = to++) {
    while (names[to] === names[from]) to++;
    counts[names[from]] = (counts[names[from]] ?? 0) + to - from;
  }
  return counts;
}

function nothingFound({ paths }: ImportOptions, summary: Omit<ImportSummary, 'quarantine'>, aside: string, first?: Rejected): UserError {
  const counts = [...Object.entries(summary.reasons), ...Object.entries(summary.skipped)].map(([reason, count]) => `${reason}: ${count}`);
  const received = counts.length > 0 ? counts.join(', ') : 'nothing but blanks';
  const example = first === undefined ? '' : `. The first is in ${placeOf(first)}: ${first.detail}. ${aside} has all`;
  return new UserError(`import: there must be at least one document in ${paths.join(', ')}; received none (${received})${example}`);
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
