import { UserError } from '../../util/errors.js';
import { type ImportTable, tableOf } from './chat-formats.js';
import type { DetectedInput } from './read.js';

/** A table as it is being written. */
export interface TableWriter {
  /** Rows written. */
  readonly rows: number;
  /** UTF-8 of all their texts. */
  readonly bytes: number;
  /** Number of rows by source. */
  readonly sources: Record<string, number>;
  /** Writes what was found, where it is enough for a record batch, or `all` of it. */
  flush(all?: boolean): Promise<void>;
  close(): Promise<void>;
  /** Closes the file as it is, after an error. */
  abandon(): Promise<void>;
}

/** From when on what was found is enough for a record batch. */
export const BATCH_BYTES = 1 << 22;
export const BATCH_ROWS = 8192;

/**
 * The table that files become.
 * @throws UserError where they become different ones.
 */
export function tableOfInputs(inputs: readonly DetectedInput[]): ImportTable {
  const byTable = new Map<ImportTable, DetectedInput[]>();
  for (const input of inputs) {
    const table = tableOf(input.format);
    byTable.set(table, [...(byTable.get(table) ?? []), input]);
  }
  const [first = 'corpus', ...others] = byTable.keys();
  if (others.length === 0) return first;
  const named = [...byTable].map(([table, files]) => `${withArticle(table)} from ${someOf(files)}`);
  throw new UserError(
    `import: all files must become one table; received ${named.join(' and ')}. Import them one by one, or say what all are with --format or --columns`,
  );
}

/** @throws UserError where files hold conversations or prompts, and texts are wanted. */
export function requireCorpus(inputs: readonly DetectedInput[]): void {
  const chats = inputs.filter(({ format }) => tableOf(format) !== 'corpus');
  if (chats.length === 0) return;
  throw new UserError(
    `read text: the files must hold text; ${someOf(chats)} holds ${tableOf(chats[0].format)}. Say which column is the text: --columns text=NAME in fourfold data import, data.columns.text in a configuration`,
  );
}

const withArticle = (table: ImportTable) => (table === 'corpus' ? 'a corpus' : `a table of ${table}`);

function someOf(inputs: readonly DetectedInput[]): string {
  const named = inputs.slice(0, 3).map(({ path, format }) => `${path} (${format})`);
  return named.join(', ') + (inputs.length > named.length ? ` and ${inputs.length - named.length} more` : '');
}

/** Adds up how often each name is there; names come in runs. */
export function tally(names: readonly string[], counts: Record<string, number> = {}): Record<string, number> {
  for (let from = 0, to = 1; from < names.length; from = to++) {
    while (names[to] === names[from]) to++;
    counts[names[from]] = (counts[names[from]] ?? 0) + to - from;
  }
  return counts;
}
