import path from 'node:path';
import { type DocumentRule, type ImportSummary, importCorpus } from './import.js';

export interface CorpusOptions {
  /** Anything that `data import` reads, or a corpus (.arrow). */
  path: string;
  /** `row` for rows; a corpus has its documents already. */
  document: DocumentRule | 'row';
  /** Column of a row that holds the text. */
  textColumn?: string;
  /** Where to write the corpus, if one has to be made; what lies there is replaced. */
  output: string;
}

/** The corpus that a path leads to, imported where it is not one yet. */
export async function corpusFrom(options: CorpusOptions): Promise<{ corpus: string; imported?: ImportSummary }> {
  const { document, textColumn, output } = options;
  if (path.extname(options.path).toLowerCase() === '.arrow') return { corpus: options.path };
  const imported = await importCorpus({
    paths: [options.path],
    output,
    document,
    columns: textColumn === undefined ? undefined : { text: textColumn },
    overwrite: true,
  });
  return { corpus: output, imported };
}
