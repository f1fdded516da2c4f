import path from 'node:path';
import { UserError } from '../util/errors.js';
import { type DocumentRule, type ImportSummary, importJsonl, importText } from './import.js';

export interface CorpusOptions {
  /** Text (.txt, .md, or a folder of them), rows (.jsonl, .json) or a corpus (.arrow). */
  path: string;
  /** `row` for rows; a corpus has its documents already. */
  document: DocumentRule | 'row';
  /** Field of a row that holds the text. */
  textColumn?: string;
  /** Where to write the corpus, if one has to be made. */
  output: string;
}

/** The corpus that a path leads to, imported where it is not one yet. */
export async function corpusFrom(options: CorpusOptions): Promise<{ corpus: string; imported?: ImportSummary }> {
  const { document, textColumn, output } = options;
  const ending = path.extname(options.path).toLowerCase();
  if (ending === '.arrow') return { corpus: options.path };
  if (ending === '.csv' || ending === '.parquet') {
    throw new UserError(`import: data must be .txt, .md, .jsonl, .json or .arrow; received ${options.path}. Convert it to .jsonl`);
  }
  const paths = [options.path];
  if (ending === '.jsonl' || ending === '.json') return { corpus: output, imported: await importJsonl({ paths, output, textColumn }) };
  if (document === 'row') {
    throw new UserError(
      `import: a document of text must be a file, a line or what blank lines part; received document: row for ${options.path}`,
    );
  }
  return { corpus: output, imported: await importText({ paths, output, document }) };
}
