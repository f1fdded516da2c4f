import { ArrowFile, corpusBatchOf, corpusSchema, type Metadata } from '../arrow.js';
import type { Found } from './found.js';
import { BATCH_BYTES, BATCH_ROWS, type TableWriter, tally } from './tables.js';

/** Writes the documents that are found to a corpus. */
export class CorpusTable implements TableWriter {
  rows = 0;
  bytes = 0;
  readonly sources: Record<string, number> = {};
  private readonly file: ArrowFile;

  constructor(
    path: string,
    metadata: Metadata,
    private readonly found: Found,
  ) {
    this.file = new ArrowFile(path, corpusSchema(metadata));
  }

  async flush(all = false): Promise<void> {
    const enough = this.found.size >= BATCH_BYTES || this.found.length >= BATCH_ROWS;
    if (this.found.length === 0 || !(all || enough)) return;
    const { bytes, offsets, sources } = this.found.take();
    this.rows += sources.length;
    this.bytes += bytes.length;
    tally(sources, this.sources);
    for (let from = 0; from < sources.length; from += BATCH_ROWS) {
      const to = Math.min(from + BATCH_ROWS, sources.length);
      const own = offsets.slice(from, to + 1).map((offset) => offset - offsets[from]);
      await this.file.write(corpusBatchOf(this.file.schema, bytes.subarray(offsets[from], offsets[to]), own, sources.slice(from, to)));
    }
  }

  close(): Promise<void> {
    return this.file.close();
  }

  abandon(): Promise<void> {
    return this.file.abandon();
  }
}
