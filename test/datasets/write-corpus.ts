import { ArrowFile, corpusBatch, corpusSchema } from '../../datasets/arrow.js';

export interface CorpusRow {
  text: string;
  source: string;
}

/** Writes a corpus in record batches of `rowsInBatch` documents; gives its path. */
export async function writeCorpus(
  path: string,
  rows: readonly CorpusRow[],
  { metadata = { importer: 'test' }, rowsInBatch = 100 }: { metadata?: Record<string, string>; rowsInBatch?: number } = {},
): Promise<string> {
  const file = new ArrowFile(path, corpusSchema(new Map(Object.entries(metadata))));
  for (let from = 0; from < rows.length; from += rowsInBatch) {
    const some = rows.slice(from, from + rowsInBatch);
    const column = (name: keyof CorpusRow) => some.map((row) => row[name]);
    await file.write(corpusBatch(file.schema, column('text'), column('source')));
  }
  await file.close();
  return path;
}
