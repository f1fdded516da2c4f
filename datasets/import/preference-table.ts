import { ArrowFile, type Metadata } from '../arrow.js';
import { pairCounts, preferencesBatch, preferencesSchema } from '../preferences.js';
import type { Rankings } from './rankings.js';
import { BATCH_BYTES, BATCH_ROWS, type TableWriter, tally } from './tables.js';

/** Pairs were ranked both ways, and the first row of each is written: the table must be begun anew, without them. */
export class Contradicted extends Error {
  constructor(readonly pairs: ReadonlySet<string>) {
    super();
  }
}

/** Writes the rankings that are found. */
export class PreferenceTable implements TableWriter {
  rows = 0;
  bytes = 0;
  /** In all rows: answers, their pairs of different and of equal ranks. */
  answers = 0;
  comparisons = 0;
  ties = 0;
  readonly sources: Record<string, number> = {};
  private readonly file: ArrowFile;

  constructor(
    path: string,
    metadata: Metadata,
    private readonly rankings: Rankings,
  ) {
    this.file = new ArrowFile(path, preferencesSchema(metadata));
  }

  async flush(all = false): Promise<void> {
    const { rankings } = this;
    if (all && rankings.contradicted.size > 0) throw new Contradicted(rankings.contradicted);
    if (!all && rankings.size < BATCH_BYTES && rankings.length < BATCH_ROWS) return;
    this.bytes += rankings.size;
    const rows = rankings.take();
    this.rows += rows.length;
    for (const { ranks } of rows) {
      const { comparisons, ties } = pairCounts(ranks);
      this.answers += ranks.length;
      this.comparisons += comparisons;
      this.ties += ties;
    }
    tally(rows.map(({ source }) => source), this.sources); // biome-ignore format: short
    for (let from = 0; from < rows.length; from += BATCH_ROWS)
      await this.file.write(preferencesBatch(this.file.schema, rows.slice(from, from + BATCH_ROWS)));
  }

  async close(): Promise<void> {
    await this.file.close();
  }

  async abandon(): Promise<void> {
    await this.file.abandon();
  }
}
