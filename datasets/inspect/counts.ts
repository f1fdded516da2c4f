import type { RecordBatch } from 'apache-arrow';
import { charactersIn, columnOf, isIds, isMask, isText, isWhole, lengthsOf, namesOf, onesIn } from './columns.js';
import { addLengths, countLength, type LengthCounts, noLengths } from './lengths.js';

/** Rows of one source. What the columns do not tell is missing. */
export interface SourceCounts {
  name: string;
  rows: number;
  /** UTF-8 of the texts. */
  bytes?: number;
  /** Unicode code points. */
  characters?: number;
  tokens?: number;
  /** Tokens that are to be predicted. */
  supervised?: number;
  longest?: number;
  lengths?: LengthCounts;
}

/** Beyond so many, sources are counted together: a file may have another one in each row. */
const MAX_SOURCES = 1000;
export const OTHER_SOURCES = '(other sources)';
const NO_SOURCE = '(no source)';

/** Counts the rows of record batches by source. */
export class SourceCounter {
  private readonly sources = new Map<string, SourceCounts>();

  add(batch: RecordBatch): void {
    const column = columnOf(batch, 'source', isText);
    const columns = countedColumns(batch);
    const name = column ? namesOf(column) : () => undefined;
    for (let from = 0; from < batch.numRows; ) {
      const source = name(from);
      let to = from + 1;
      while (to < batch.numRows && name(to) === source) to++;
      addRows(this.of(source ?? NO_SOURCE), columns, from, to);
      from = to;
    }
  }

  /** What was counted, by source and in all. */
  counts(): { total: SourceCounts; sources: SourceCounts[] } {
    const sources = [...this.sources.values()];
    const total: SourceCounts = { name: 'all', rows: 0 };
    for (const { name: _, lengths, longest, ...counts } of sources) {
      for (const [key, count] of Object.entries(counts) as [Counted, number][]) total[key] = (total[key] ?? 0) + count;
      if (longest !== undefined) total.longest = Math.max(total.longest ?? 0, longest);
      if (lengths) total.lengths = addLengths(total.lengths, lengths);
    }
    return { total, sources };
  }

  private of(name: string): SourceCounts {
    const key = this.sources.has(name) || this.sources.size < MAX_SOURCES ? name : OTHER_SOURCES;
    const source = this.sources.get(key) ?? { name: key, rows: 0 };
    this.sources.set(key, source);
    return source;
  }
}

type Counted = 'rows' | 'bytes' | 'characters' | 'tokens' | 'supervised';

function countedColumns(batch: RecordBatch) {
  const ids = columnOf(batch, 'ids', isIds);
  const text = ids ? undefined : columnOf(batch, 'text', isText);
  const sized = ids ?? text;
  return {
    text,
    lengthOf: sized && lengthsOf(sized),
    bytes: ids && columnOf(batch, 'bytes', isWhole),
    mask: ids && columnOf(batch, 'supervised', isMask),
  };
}

function addRows(counts: SourceCounts, { text, lengthOf, bytes, mask }: ReturnType<typeof countedColumns>, from: number, to: number): void {
  counts.rows += to - from;
  if (!lengthOf) return;
  counts.lengths ??= noLengths();
  counts.longest ??= 0;
  let sum = 0;
  for (let row = from; row < to; row++) {
    const length = lengthOf(row);
    countLength(counts.lengths, length);
    sum += length;
    if (length > counts.longest) counts.longest = length;
  }
  if (text) {
    counts.bytes = (counts.bytes ?? 0) + sum;
    counts.characters = (counts.characters ?? 0) + charactersIn(text, from, to);
    return;
  }
  counts.tokens = (counts.tokens ?? 0) + sum;
  if (bytes) {
    counts.bytes ??= 0;
    for (let row = from; row < to; row++) counts.bytes += Number(bytes.get(row));
  }
  if (mask) counts.supervised = (counts.supervised ?? 0) + onesIn(mask, from, to);
}
