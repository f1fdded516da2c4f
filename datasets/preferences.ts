import { type DataType, Field, Float32, Int32, List, makeData, type RecordBatch, Schema, Utf8, type Vector } from 'apache-arrow';
import type { Message } from '../tokenizer/index.js';
import { UserError } from '../util/errors.js';
import { batchOf, checkColumns, type Metadata, readBatches, textData } from './arrow.js';
import { messageList, messagesData, optionalTextData, promptsIn, requireKind } from './conversations.js';

/** A row of the preferences table: answers to one prompt, as one annotator ranked them. */
export interface Preference {
  prompt: Message[];
  /** Two or more. */
  responses: string[];
  /** One a response: lower is better, equal is a tie. */
  ranks: number[];
  source: string;
  /** One a response: how far above 0 a response stands; the margin of a pair is the difference of its two. */
  margins?: number[];
  annotator?: string;
  /** One a response: what the annotator gave it, for example the gold reward. */
  scores?: number[];
}

const text = new Utf8();
const listOf = <T extends DataType>(type: T) => new List(new Field('item', type, false));
const COLUMNS = ['prompt', 'responses', 'ranks', 'source'];

/** `prompt`, `responses: list<utf8>`, `ranks: list<int32>`, `source`, and `margins: list<float32>?`, `annotator: utf8?`, `scores: list<float32>?`. */
export function preferencesSchema(metadata: Metadata): Schema {
  return new Schema(
    [
      new Field('prompt', messageList, false),
      new Field('responses', listOf<DataType>(text), false),
      new Field('ranks', listOf<DataType>(new Int32()), false),
      new Field('source', text, false),
      new Field('margins', listOf<DataType>(new Float32()), true),
      new Field('annotator', text, true),
      new Field('scores', listOf<DataType>(new Float32()), true),
    ],
    new Map(metadata),
  );
}

export function preferencesBatch(schema: Schema, rows: readonly Preference[]): RecordBatch {
  return batchOf(schema, rows.length, [
    messagesData(rows.map(({ prompt }) => prompt)),
    listData(
      rows.map(({ responses }) => responses),
      (all) => textData(all),
    ),
    listData(
      rows.map(({ ranks }) => ranks),
      (all) => makeData({ type: new Int32(), length: all.length, nullCount: 0, data: Int32Array.from(all) }),
    ),
    textData(rows.map(({ source }) => source)),
    listData(
      rows.map(({ margins }) => margins),
      floats,
    ),
    optionalTextData(rows.map(({ annotator }) => annotator)),
    listData(
      rows.map(({ scores }) => scores),
      floats,
    ),
  ]);
}

function floats(all: readonly number[]) {
  return makeData({ type: new Float32(), length: all.length, nullCount: 0, data: Float32Array.from(all) });
}

/** A column of lists, some of which may be missing. */
function listData<T>(lists: readonly (readonly T[] | undefined)[], childOf: (all: T[]) => ReturnType<typeof makeData>) {
  const valueOffsets = new Int32Array(lists.length + 1);
  const nullBitmap = new Uint8Array(Math.ceil(lists.length / 8));
  lists.forEach((list, i) => {
    valueOffsets[i + 1] = valueOffsets[i] + (list?.length ?? 0);
    if (list !== undefined) nullBitmap[i >> 3] |= 1 << (i & 7);
  });
  const child = childOf(lists.flatMap((list) => list ?? []));
  const nullCount = lists.filter((list) => list === undefined).length;
  return makeData({ type: listOf<DataType>(child.type), length: lists.length, nullCount, nullBitmap, valueOffsets, child });
}

/**
 * The rows of a preferences table, a record batch at a time.
 * @throws UserError when the file is no such table, or a row has fewer than two responses, not one rank (margin, score) for each, or a rank that is no
 * whole number.
 */
export async function* readPreferences(path: string): AsyncGenerator<Preference[]> {
  await requireKind(path, ['preferences']);
  let first = 0;
  for await (const batch of readBatches(path)) {
    const preferenceOf = preferencesIn(path, batch, first);
    yield Array.from({ length: batch.numRows }, (_, i) => preferenceOf(i));
    first += batch.numRows;
  }
}

/** The rows of a batch of preferences. @param first the batch's first row in the file. @throws UserError as `readPreferences`. */
export function preferencesIn(path: string, batch: RecordBatch, first: number): (i: number) => Preference {
  checkColumns(path, batch, COLUMNS);
  const promptOf = promptsIn(path, batch, first);
  const [responses, ranks, margins, annotator, scores] = ['responses', 'ranks', 'margins', 'annotator', 'scores'].map((name) =>
    batch.getChild(name),
  );
  return (i) => {
    const { prompt, source } = promptOf(i);
    const known = annotator?.get(i) as string | null | undefined;
    const row: Preference = { prompt, responses: list<string>(responses, i) ?? [], ranks: numbers(ranks, i) ?? [], source };
    const [given, scored] = [numbers(margins, i), numbers(scores, i)];
    if (given) row.margins = given;
    if (known != null) row.annotator = known;
    if (scored) row.scores = scored;
    checkRow(path, row, first + i);
    return row;
  };
}

function list<T>(column: Vector | null, i: number): T[] | undefined {
  const found = column?.get(i) as Iterable<T> | null | undefined;
  return found ? Array.from(found) : undefined;
}

/** Other programs write whole numbers of 64 bits. A missing one is none. */
const numbers = (column: Vector | null, i: number) =>
  list<number | bigint | null>(column, i)?.map((value) => (value === null ? Number.NaN : Number(value)));

function checkRow(path: string, preference: Preference, row: number): void {
  const fault = faultOf(preference);
  if (fault === undefined) return;
  throw new UserError(
    `read data: row ${row} of ${path} must have two or more responses, and a rank for each that is a whole number (and a margin and a score that are numbers, or none); received ${fault}. Make the table with fourfold data import or data rank`,
  );
}

function faultOf({ responses, ranks, margins, scores }: Preference): string | undefined {
  const K = responses.length;
  if (K < 2) return `${K} responses`;
  if (responses.some((response) => typeof response !== 'string')) return 'a response that is no text';
  for (const [name, list] of Object.entries({ ranks, margins, scores })) {
    if (list === undefined) continue;
    if (list.length !== K) return `${K} responses with ${list.length} ${name}`;
    if (!list.every(name === 'ranks' ? Number.isInteger : Number.isFinite)) return `${name} ${list.join(', ')}`;
  }
  return undefined;
}

/** Whether a row holds a comparison: two responses of different ranks. */
export function comparable({ ranks }: Pick<Preference, 'ranks'>): boolean {
  return ranks.some((rank) => rank !== ranks[0]);
}

/** Pairs of responses by whether their ranks differ. */
export function pairCounts(ranks: readonly number[]): { comparisons: number; ties: number } {
  const pairs = ranks.flatMap((rank, i) => ranks.slice(i + 1).map((other) => rank !== other));
  const comparisons = pairs.filter(Boolean).length;
  return { comparisons, ties: pairs.length - comparisons };
}
