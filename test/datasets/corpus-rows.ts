import fs from 'node:fs/promises';
import { readBatches } from '../../datasets/arrow.js';
import { type ImportOptions, type ImportSummary, importCorpus, type Rejected } from '../../datasets/import.js';

/** Documents of a corpus with their sources. */
export async function rowsOf(corpus: string): Promise<[text: string, source: string][]> {
  const rows: [string, string][] = [];
  for await (const batch of readBatches(corpus)) for (const row of batch) rows.push([row.text, row.source]);
  return rows;
}

export interface Imported {
  summary: ImportSummary;
  rows: [text: string, source: string][];
  texts: string[];
  /** What was put aside. */
  aside: Rejected[];
}

/** Imports a path and reads what came of it. */
export async function imported(path: string, output: string, options: Partial<ImportOptions> = {}): Promise<Imported> {
  const summary = await importCorpus({ paths: [path], output, overwrite: true, ...options });
  const rows = await rowsOf(output);
  const aside = summary.quarantine === undefined ? [] : await quarantined(summary.quarantine);
  return { summary, rows, texts: rows.map(([text]) => text), aside };
}

export async function quarantined(file: string): Promise<Rejected[]> {
  const text = await fs.readFile(file, 'utf8');
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}
