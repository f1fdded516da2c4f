import { ArrowFile } from '../../datasets/arrow.js';
import { type ImportOptions, importData, type PreferenceSummary, type Rejected } from '../../datasets/import.js';
import { type Preference, preferencesBatch, preferencesSchema, readPreferences } from '../../datasets/preferences.js';
import type { Message } from '../../tokenizer/index.js';
import { quarantined } from './corpus-rows.js';

export const system = (content: string): Message => ({ role: 'system', content });
export const user = (content: string): Message => ({ role: 'user', content });
export const assistant = (content: string): Message => ({ role: 'assistant', content });

/** Two answers to a question, the first the better one. */
export const pairOf = (question: string, better: string, worse: string, more: Partial<Preference> = {}): Preference => ({
  ...{ prompt: [user(question)], responses: [better, worse], ranks: [0, 1], source: 'a' },
  ...more,
});

/** Writes a table of preferences, record batches of `batchRows` rows, and gives its path. */
export async function writePreferences(path: string, rows: readonly Preference[], batchRows = 100): Promise<string> {
  const schema = preferencesSchema(new Map([['importer', 'test']]));
  const file = new ArrowFile(path, schema);
  for (let from = 0; from < rows.length; from += batchRows) await file.write(preferencesBatch(schema, rows.slice(from, from + batchRows)));
  await file.close();
  return path;
}

export async function preferencesIn(path: string): Promise<Preference[]> {
  const all: Preference[] = [];
  for await (const rows of readPreferences(path)) all.push(...rows);
  return all;
}

export interface ImportedPreferences {
  summary: PreferenceSummary;
  rows: Preference[];
  /** What was put aside. */
  aside: Rejected[];
}

/** Imports a path and reads the preferences that came of it. */
export async function importedPreferences(
  path: string | string[],
  output: string,
  options: Partial<ImportOptions> = {},
): Promise<ImportedPreferences> {
  const summary = await importData({ paths: [path].flat(), output, overwrite: true, ...options });
  if (summary.table !== 'preferences') throw new Error(`${path} became ${summary.table}`);
  const aside = summary.quarantine === undefined ? [] : await quarantined(summary.quarantine);
  return { summary, rows: await preferencesIn(output), aside };
}
