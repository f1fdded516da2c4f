import type { Message } from '../../tokenizer/index.js';

/** A conversation of the table. */
export interface Row {
  /** In the table, from 0. */
  row: number;
  messages: readonly Message[];
  source: string;
}

/** The conversations that are left, in the order of the table; read anew by each call. */
export type Rows = () => AsyncIterable<Row>;

/** Why a conversation is dropped. */
export interface Drop {
  /** The rule, by which drops are counted: `tokens > 512`. */
  rule: string;
  /** The same of this one, in numbers: `831 tokens > 512`. */
  reason: string;
}

/** A number of each conversation, or a word such as its language; some may have none. */
export interface Figure {
  name: string;
  values: Map<number, number | string>;
}

/** What a strategy made of the conversations that came to it; all by row. */
export interface Outcome {
  dropped: Map<number, Drop>;
  figures: Figure[];
  /** An order in which the conversations are the better the earlier; a budget can cut it. */
  ranking?: Ranking;
}

export interface Ranking {
  /** Such as `highest ifd first`. */
  by: string;
  /** Place of each conversation that has one, from 0. */
  places: Map<number, number>;
}

/** @throws UserError */
export type Strategy = (rows: Rows) => Promise<Outcome>;

/** What a conversation says, for rules about text. */
export function textOf({ messages }: Pick<Row, 'messages'>): string {
  return messages.map(({ content }) => content).join('\n\n');
}

/** What the assistant says in it. */
export function answersOf({ messages }: Pick<Row, 'messages'>): string {
  return textOf({ messages: messages.filter(({ role }) => role === 'assistant') });
}
