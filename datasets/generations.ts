import { type DataType, Field, Float32, Int32, List, makeData, type RecordBatch, Schema, Uint32, Utf8, type Vector } from 'apache-arrow';
import type { Message } from '../tokenizer/index.js';
import { batchOf, checkColumns, type Metadata, readBatches, textData } from './arrow.js';
import { messageList, messagesData, optionalTextData, promptsIn, requireKind } from './conversations.js';

export type FinishReason = 'stop' | 'length';

/** A model's answer to a prompt. */
export interface Answer {
  /** Without the mark that ends it, or the stop string and what follows. */
  text: string;
  /** `stop`: the model ended it, or a stop string appeared; `length`: it was cut at the limit of tokens or the end of the context. */
  finishReason: FinishReason;
  /** Sum over all tokens that were drawn, the mark included, of log p at the sampling temperature, before penalty and filters (top-k, top-p, min-p). */
  logProb: number;
  /** Tokens that were drawn, the mark included. */
  tokens: number;
  /** Of its draws: the prompt alone with this seed gives this answer. */
  seed: number;
}

/** A row of the generations table: some answers to one prompt. */
export interface Generation {
  prompt: Message[];
  reference?: string;
  source: string;
  answers: Answer[];
}

/** Columns beside those of a prompt: each a list with one item an answer. */
const COLUMNS = {
  responses: new Utf8(),
  finish_reasons: new Utf8(),
  log_probs: new Float32(),
  token_counts: new Int32(),
  seeds: new Uint32(),
};
const text = new Utf8();
const listOf = <T extends DataType>(type: T) => new List(new Field('item', type, false));

export function generationsSchema(metadata: Metadata): Schema {
  return new Schema(
    [
      new Field('prompt', messageList, false),
      new Field('reference', text, true),
      new Field('source', text, false),
      ...Object.entries(COLUMNS).map(([name, type]) => new Field(name, listOf<DataType>(type), false)),
    ],
    new Map(metadata),
  );
}

export function generationsBatch(schema: Schema, rows: readonly Generation[]): RecordBatch {
  const all = rows.flatMap(({ answers }) => answers);
  const valueOffsets = new Int32Array(rows.length + 1);
  rows.forEach(({ answers }, i) => {
    valueOffsets[i + 1] = valueOffsets[i] + answers.length;
  });
  const lists = (child: ReturnType<typeof makeData>) =>
    makeData({ type: listOf<DataType>(child.type), length: rows.length, nullCount: 0, valueOffsets, child });
  const flat = { length: all.length, nullCount: 0 };
  return batchOf(schema, rows.length, [
    messagesData(rows.map(({ prompt }) => prompt)),
    optionalTextData(rows.map(({ reference }) => reference)),
    textData(rows.map(({ source }) => source)),
    lists(textData(all.map((answer) => answer.text))),
    lists(textData(all.map(({ finishReason }) => finishReason))),
    lists(makeData({ type: COLUMNS.log_probs, ...flat, data: Float32Array.from(all, ({ logProb }) => logProb) })),
    lists(makeData({ type: COLUMNS.token_counts, ...flat, data: Int32Array.from(all, ({ tokens }) => tokens) })),
    lists(makeData({ type: COLUMNS.seeds, ...flat, data: Uint32Array.from(all, ({ seed }) => seed) })),
  ]);
}

/**
 * The rows of a table that `fourfold generate` has written, a record batch at a time.
 * @throws UserError when the file is no such table.
 */
export async function* readGenerations(path: string): AsyncGenerator<Generation[]> {
  await requireKind(path, ['generations']);
  let first = 0;
  for await (const batch of readBatches(path)) {
    checkColumns(path, batch, Object.keys(COLUMNS));
    const column = (name: string) => batch.getChild(name)!;
    const promptOf = promptsIn(path, batch, first);
    const [texts, reasons, logProbs, counts, seeds] = Object.keys(COLUMNS).map(column);
    const list = <T>(of: Vector, i: number): T[] => Array.from((of.get(i) as Iterable<T> | null) ?? []);
    yield Array.from({ length: batch.numRows }, (_, i) => {
      const [finishReasons, logProb, tokens, seed] = [
        list<FinishReason>(reasons, i),
        ...[logProbs, counts, seeds].map((of) => list<number>(of, i)),
      ];
      return {
        ...promptOf(i),
        answers: list<string>(texts, i).map((text, k) => ({
          text,
          finishReason: finishReasons[k] as FinishReason,
          logProb: logProb[k] as number,
          tokens: tokens[k] as number,
          seed: seed[k] as number,
        })),
      };
    });
    first += batch.numRows;
  }
}
