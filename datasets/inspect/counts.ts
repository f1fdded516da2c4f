import type { RecordBatch } from 'apache-arrow';
import { mix } from '../../util/hashing.js';
import type { MeasuredChat } from './chats.js';
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
  /** Of the lengths: those beyond the context. */
  past?: LengthCounts;
  /** Conversations that cannot be used; they have no tokens. */
  unusable?: number;
}

/** Beyond so many, sources are counted together: a file may have another one in each row. */
const MAX_SOURCES = 1000;
export const OTHER_SOURCES = '(other sources)';
const NO_SOURCE = '(no source)';

const EXAMPLES = 4;

/** Counts the rows of record batches by source, and picks examples. */
export class SourceCounter {
  private readonly sources = new Map<string, SourceCounts>();
  /** Of each source: rows with the smallest hashes, in their order. */
  private readonly picked = new Map<string, number[]>();
  private rows = 0;

  add(batch: RecordBatch): void {
    const column = columnOf(batch, 'source', isText);
    const columns = countedColumns(batch);
    const name = column ? namesOf(column) : () => undefined;
    for (let from = 0; from < batch.numRows; ) {
      const source = name(from);
      let to = from + 1;
      while (to < batch.numRows && name(to) === source) to++;
      const counts = this.of(source ?? NO_SOURCE);
      addRows(counts, columns, from, to);
      for (let row = from; row < to; row++) pick(this.picked.get(counts.name)!, this.rows + row);
      from = to;
    }
    this.rows += batch.numRows;
  }

  /**
   * A few rows (places in the order of all that were added) from anywhere, the same for the same rows: of each source in turn, the sources
   * with the most rows first.
   */
  examples(): number[] {
    const sources = [...this.sources.values()].sort((a, b) => b.rows - a.rows);
    const inTurn = Array.from({ length: EXAMPLES }, (_, turn) =>
      sources.flatMap(({ name }) => this.picked.get(name)!.slice(turn, turn + 1)),
    );
    return inTurn
      .flat()
      .slice(0, EXAMPLES)
      .sort((a, b) => a - b);
  }

  /** What was counted, by source and in all. */
  counts(): { total: SourceCounts; sources: SourceCounts[] } {
    const sources = [...this.sources.values()];
    const total: SourceCounts = { name: 'all', rows: 0 };
    for (const source of sources) {
      const { lengths, past, longest } = source;
      for (const key of COUNTED) if (source[key] !== undefined) total[key] = (total[key] ?? 0) + source[key];
      if (past) total.past = addLengths(total.past, past);
      if (longest !== undefined) total.longest = Math.max(total.longest ?? 0, longest);
      if (lengths) total.lengths = addLengths(total.lengths, lengths);
    }
    return { total, sources };
  }

  /**
   * Adds measured conversations to what `add` has counted of their rows.
   * @param inTokens whether they were encoded. Their lengths are then in tokens, of those that can be used; otherwise in bytes, of all.
   */
  addChats(chats: readonly MeasuredChat[], { inTokens, context }: { inTokens: boolean; context?: number }): void {
    for (const { source, roles, tokens, supervised, problem } of chats) {
      const counts = this.of(source ?? NO_SOURCE);
      const bytes = sum(roles, 'bytes');
      counts.bytes = (counts.bytes ?? 0) + bytes;
      counts.characters = (counts.characters ?? 0) + sum(roles, 'characters');
      if (problem !== undefined) counts.unusable = (counts.unusable ?? 0) + 1;
      if (tokens !== undefined) counts.tokens = (counts.tokens ?? 0) + tokens;
      if (supervised !== undefined) counts.supervised = (counts.supervised ?? 0) + supervised;
      const length = inTokens ? tokens : bytes;
      if (length === undefined) continue;
      counts.lengths ??= noLengths();
      countLength(counts.lengths, length);
      counts.longest = Math.max(counts.longest ?? 0, length);
      if (!inTokens || context === undefined) continue;
      counts.past ??= noLengths();
      if (length > context) countLength(counts.past, length);
    }
  }

  private of(name: string): SourceCounts {
    const key = this.sources.has(name) || this.sources.size < MAX_SOURCES ? name : OTHER_SOURCES;
    const source = this.sources.get(key) ?? { name: key, rows: 0 };
    this.sources.set(key, source);
    if (!this.picked.has(key)) this.picked.set(key, []);
    return source;
  }
}

const COUNTED = ['rows', 'bytes', 'characters', 'tokens', 'supervised', 'unusable'] as const;

function sum(parts: MeasuredChat['roles'], key: 'bytes' | 'characters'): number {
  return parts.reduce((all, part) => all + part[key], 0);
}

/** Takes `row` into the few with the smallest hashes. */
function pick(picked: number[], row: number): void {
  const hash = hashOf(row);
  if (picked.length === EXAMPLES && hash >= hashOf(picked[EXAMPLES - 1])) return;
  let at = picked.length;
  while (at > 0 && hashOf(picked[at - 1]) > hash) at--;
  picked.splice(at, 0, row);
  picked.length = Math.min(picked.length, EXAMPLES);
}

/** 32 bits that look like nothing of the number. */
const hashOf = (row: number) => mix(row) >>> 0;

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
