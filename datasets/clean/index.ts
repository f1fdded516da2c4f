import fs from 'node:fs/promises';
import path from 'node:path';
import { UserError } from '../../util/errors.js';
import { errorCode, exists, makeFolder, removeOrphans, syncFile, writeFileAtomic } from '../../util/files.js';
import { defaultThreads } from '../../util/workers.js';
import { readMetadata } from '../arrow.js';
import { originOf } from '../origin.js';
import { BitSet } from './bit-set.js';
import { type Link, passesOf, resolveChain } from './chain.js';
import { type EvaluationIndex, readEvaluationSets } from './evaluation-index.js';
import type { Example } from './examples.js';
import type { Value, Values } from './rule.js';
import { type PassSource, runPass, type Tally } from './run-pass.js';

export type { Example } from './examples.js';
export { guessLanguage, type Language } from './language.js';
export { DEFAULT_RULES, RULES } from './rules.js';

export interface CleanOptions {
  /** Corpora, as the importers write them; their documents come in this order. */
  corpora: readonly string[];
  /** Corpus to write; the report lies beside it, see `reportPath`. */
  output: string;
  /** Names of rules, in the order in which they are run; absent: the default chain, with `decontaminate` where `against` is given. */
  rules?: readonly string[];
  /** `rule.key` → value, or its text as on the command line. */
  parameters?: Readonly<Record<string, Value | string>>;
  /** Evaluation sets: .txt, .jsonl, .json, .arrow. */
  against?: readonly string[];
  threads?: number;
  /** Replace an output that is there. */
  overwrite?: boolean;
}

/** What one rule did. Sizes are in bytes of UTF-8. */
export interface RuleReport {
  rule: string;
  parameters: Values;
  /** Documents that came to it. */
  documents: number;
  dropped: number;
  dropped_bytes: number;
  changed: number;
  /** By how much the changed texts became shorter. */
  changed_bytes: number;
  /** Up to 20, spread over the corpora, the same for any number of threads. */
  examples: Example[];
}

/** The report beside a cleaned corpus. */
export interface CleanReport {
  corpora: string[];
  output: string;
  before: { documents: number; bytes: number };
  after: { documents: number; bytes: number };
  rules: RuleReport[];
}

/** `clean.arrow` → `clean.clean.json`. */
export function reportPath(output: string): string {
  return `${output.replace(/\.arrow$/, '')}.clean.json`;
}

/**
 * Corpora → one corpus without what the rules drop, and a report of what they did. Documents are read piece by piece; in memory stand, of a document,
 * 5 bytes while a corpus-wide rule compares and a bit or two otherwise. The output does not depend on the number of threads and appears when
 * it is complete.
 * @throws UserError when a rule, parameter or file is not what it must be, the output exists, or nothing is left.
 */
export async function cleanCorpus(options: CleanOptions): Promise<CleanReport> {
  const { corpora, output, against = [], threads = defaultThreads(), overwrite = false } = options;
  const chain = resolveChain(options.rules, options.parameters ?? {}, against.length > 0);
  if (corpora.length === 0)
    throw new UserError('clean: at least one corpus is required; received none. Make one with fourfold data import');
  await checkOutput(output, overwrite);
  const evaluation = await evaluationOf(chain, against);
  const metadata = await metadataOf(corpora, chain, evaluation);
  const folder = await temporaryFolder(output);
  try {
    return await run({ chain, corpora, output, threads, evaluation, metadata, folder });
  } catch (error) {
    const code = errorCode(error) ?? (error instanceof UserError ? errorCode(error.cause) : undefined);
    throw code === 'ENOSPC'
      ? new UserError(
          `clean: ${output} needs about as much space as the corpora, twice while it is made; there is none left. Free some, or choose another disk`,
        )
      : error;
  } finally {
    await fs.rm(folder, { recursive: true, force: true });
  }
}

interface Run {
  chain: readonly Link[];
  corpora: readonly string[];
  output: string;
  threads: number;
  evaluation?: EvaluationIndex;
  metadata: ReadonlyMap<string, string>;
  folder: string;
}

async function run({ chain, corpora, output, threads, evaluation, metadata, folder }: Run): Promise<CleanReport> {
  const sizes: Size[] = [];
  const counted = (corpus: string, documents: number, bytes: number) => {
    if (sizes.length < corpora.length) sizes.push({ corpus, documents, bytes }); // the first pass, in the order of the corpora
  };
  const resourceOf = (rule: string) => (rule === 'decontaminate' ? evaluation : undefined);
  const context = { threads, folder, metadata, counted, resourceOf };
  const tallies: Tally[] = [];
  let source: PassSource = { corpora, gone: new BitSet() };
  let written: { path: string; documents: number; bytes: number } | undefined;
  for (const [number, pass] of passesOf(chain).entries()) {
    const result = await runPass(pass, number, source, context);
    if (result.written && written) await fs.rm(written.path);
    written = result.written ?? written;
    tallies.push(...result.tallies);
    source = result.next;
  }
  const report: CleanReport = {
    corpora: corpora.map((corpus) => path.basename(corpus)),
    output: path.basename(output),
    before: { documents: sum(sizes.map(({ documents }) => documents)), bytes: sum(sizes.map(({ bytes }) => bytes)) },
    after: { documents: written!.documents, bytes: written!.bytes },
    rules: tallies.map((tally) => ruleReport(tally, sizes)),
  };
  if (report.after.documents === 0) throw nothingLeft(report);
  await syncFile(written!.path);
  await writeFileAtomic(reportPath(output), `${JSON.stringify(report, null, 2)}\n`);
  await fs.rename(written!.path, output);
  return report;
}

interface Size {
  corpus: string;
  documents: number;
  bytes: number;
}

function ruleReport(
  { rule, values, documents, dropped, droppedBytes, changed, changedBytes, examples }: Tally,
  sizes: readonly Size[],
): RuleReport {
  const place = (document: number) => {
    let row = document;
    for (const { corpus, documents } of sizes) {
      if (row < documents) return { corpus: path.basename(corpus), row };
      row -= documents;
    }
    throw new RangeError(`there is no document ${document}`);
  };
  return {
    rule,
    parameters: values,
    documents,
    dropped,
    dropped_bytes: droppedBytes,
    changed,
    changed_bytes: changedBytes,
    examples: examples.map(({ document, source, reason, text, after, like }) => ({
      ...place(document),
      source,
      reason,
      text,
      ...(after === undefined ? {} : { after }),
      ...(like && { like: { ...place(like.document), text: like.text } }),
    })),
  };
}

function nothingLeft({ before, rules }: CleanReport): UserError {
  const drops = rules
    .filter(({ dropped }) => dropped > 0)
    .map(({ rule, dropped, examples }) => `${rule} ${count(dropped)} (such as: ${examples[0].reason})`);
  return new UserError(
    `clean: at least one document must be left; of ${count(before.documents)} the rules dropped all: ${drops.join(', ') || 'there were none'}. Change their parameters, or choose others with --rules`,
  );
}

async function checkOutput(output: string, overwrite: boolean): Promise<void> {
  if ((await fs.stat(output).catch(() => undefined))?.isDirectory())
    throw new UserError(
      `clean: the output must be a file; ${output} is a folder. Name a file in it, such as ${path.join(output, 'clean.arrow')}`,
    );
  for (const file of [output, reportPath(output)]) {
    if (!overwrite && (await exists(file))) throw new UserError(`clean: ${file} exists already. Choose another, or say --overwrite`);
  }
}

async function evaluationOf(chain: readonly Link[], against: readonly string[]): Promise<EvaluationIndex | undefined> {
  const values = chain.find(({ rule }) => rule.name === 'decontaminate')?.values as { words: number; min_words: number } | undefined;
  return values && readEvaluationSets(against, values.words, values.min_words);
}

/** Where the texts came from, as the corpora say, and what they were cleaned with: now, and before. */
async function metadataOf(
  corpora: readonly string[],
  chain: readonly Link[],
  evaluation?: EvaluationIndex,
): Promise<ReadonlyMap<string, string>> {
  const given = await Promise.all(corpora.map(readMetadata));
  const { importer, sourceSha256 } = originOf(given);
  const earlier = [...new Set(given.flatMap((metadata) => metadata.get('cleaned_with') ?? []))].flatMap(parsedOrText);
  const now = chain.map(({ rule, values }) => ({
    rule: rule.name,
    ...(Object.keys(values).length > 0 && { parameters: values }),
    ...(rule.name === 'decontaminate' && { against: evaluation!.files }),
  }));
  return new Map([
    ['importer', importer],
    ['source_sha256', sourceSha256],
    ['cleaned_with', JSON.stringify([...earlier, ...now])],
  ]);
}

/** What another program wrote there, if anything, is kept as it is. */
function parsedOrText(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return json;
  }
}

/** A new folder beside the output. What a killed process left for the same output is cleared away. */
async function temporaryFolder(output: string): Promise<string> {
  const parent = path.dirname(output);
  await makeFolder(parent);
  await removeOrphans(output);
  const folder = path.join(parent, `.${path.basename(output)}.tmp-${process.pid}`);
  await fs.rm(folder, { recursive: true, force: true });
  await fs.mkdir(folder);
  return folder;
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
const count = (n: number) => n.toLocaleString('en');
