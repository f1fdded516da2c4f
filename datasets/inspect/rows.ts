import { DataType, type RecordBatch, type Vector } from 'apache-arrow';
import type { Tokenizer } from '../../tokenizer/index.js';
import { tokenPieces } from '../../tokenizer/pieces.js';
import type { TokenPiece } from '../../util/visible.js';
import { columnOf, isIds, isMask, isText, isWhole, lengthsOf, onesIn } from './columns.js';

/** One row, or the beginning of it. */
export interface Row {
  /** Place in the file, or among all rows of prepared tokens, from 0. */
  row: number;
  /** Of prepared tokens: the shard it is in. */
  file?: string;
  source?: string;
  /** UTF-8 bytes of its text. */
  bytes?: number;
  /** Of its tokens, or of a corpus's text. */
  text?: string;
  tokens?: RowTokens;
  /** Of a conversation or a prompt. */
  messages?: RowMessage[];
  /** Of a prompt: an answer to compare with. */
  reference?: RowMessage;
  /** Of preferences: the answers from the best to the worst, each with its rank as its role. */
  answers?: RowMessage[];
  /** Of preferences: who ranked them. */
  annotator?: string;
  /** Of a conversation: how much it counts in training. */
  weight?: number;
  /** Why it cannot be trained on. */
  problem?: string;
  /** The context, where the row is longer than that, in tokens. */
  beyond?: number;
  /** Columns that are neither text nor tokens, as JSON. */
  others?: string;
  /** What was left out: `1,234 more characters`. */
  left?: string;
}

export interface RowMessage {
  role: string;
  content: string;
  /** What was left out of it. */
  left?: string;
}

export interface RowTokens {
  /** All of the row, where `ids` and `pieces` may be its beginning. */
  count: number;
  /** Missing where the messages are shown and the tokens only counted. */
  ids?: number[];
  /** Missing where no tokenizer is known. */
  pieces?: TokenPiece[];
  /** 1 = the token is to be predicted. Missing where the file does not say. */
  supervised?: boolean[];
  /** How many of all are to be predicted. */
  predicted?: number;
}

/** How much of a row is shown. */
export interface RowLimits {
  characters: number;
  /** A text of more characters is shown without its tokens. */
  encoded: number;
  tokens: number;
  /** Of a conversation. */
  chatTokens: number;
  /** Messages, and items of a list in another column. */
  items: number;
}

const ALL = Number.POSITIVE_INFINITY;
export const WHOLE: RowLimits = { characters: ALL, encoded: ALL, tokens: ALL, chatTokens: ALL, items: ALL };
export const BEGINNING: RowLimits = { characters: 500, encoded: 1e6, tokens: 120, chatTokens: 300, items: 8 };

/** Row `i` of a batch, which is row `row` of all. */
export function readRow(batch: RecordBatch, i: number, row: number, tokenizer: Tokenizer | undefined, limits: RowLimits): Row {
  const [ids, text, source] = [columnOf(batch, 'ids', isIds), columnOf(batch, 'text', isText), columnOf(batch, 'source', isText)];
  const shown = ids
    ? { ids, bytes: columnOf(batch, 'bytes', isWhole), supervised: columnOf(batch, 'supervised', isMask), source }
    : { text, source };
  const result: Row = { row, source: source?.get(i) ?? undefined };
  if (ids?.isValid(i)) Object.assign(result, tokensOf(batch, ids, i, tokenizer, limits));
  else if (text?.isValid(i)) Object.assign(result, textOf(text, i, tokenizer, limits));
  const others = otherColumns(
    batch,
    i,
    Object.keys(shown).filter((name) => shown[name as keyof typeof shown]),
    limits,
  );
  return { ...result, ...others };
}

/** @param mask 1 = the token is to be predicted; missing where nothing says. */
export function maskedPieces(tokenizer: Tokenizer, ids: readonly number[], mask: readonly boolean[] | undefined): TokenPiece[] {
  const pieces = tokenPieces(tokenizer, ids);
  return mask ? pieces.map((piece, n) => ({ ...piece, faint: !mask[n] })) : pieces;
}

/** Columns but those of `shown`, as JSON. */
export function otherColumns(batch: RecordBatch, i: number, shown: readonly string[], limits: RowLimits): Pick<Row, 'others'> {
  const others = batch.schema.fields.filter(({ name }) => !shown.includes(name));
  if (others.length === 0) return {};
  const values = others.map(({ name, type }) => [name, plain(type, batch.getChild(name)!.get(i), limits)]);
  return { others: JSON.stringify(Object.fromEntries(values), null, 2) };
}

function textOf(column: Vector, i: number, tokenizer: Tokenizer | undefined, limits: RowLimits): Partial<Row> {
  const whole: string = column.get(i);
  const text = beginning(whole, limits.characters);
  const row: Partial<Row> = { text, bytes: lengthsOf(column)(i), left: more(whole.length - text.length, 'characters') };
  if (!tokenizer || whole.length > limits.encoded) return row;
  const all = tokenizer.encode(whole);
  const ids = all.slice(0, limits.tokens);
  const tokens = { count: all.length, ids, pieces: tokenPieces(tokenizer, ids) };
  return { ...row, tokens, left: more(all.length - ids.length, 'tokens') };
}

function tokensOf(batch: RecordBatch, column: Vector, i: number, tokenizer: Tokenizer | undefined, limits: RowLimits): Partial<Row> {
  const bytes = columnOf(batch, 'bytes', isWhole)?.get(i);
  const masks = columnOf(batch, 'supervised', isMask);
  const mask = masks?.get(i) as Vector | null | undefined;
  const list = column.get(i) as Vector;
  const ids: number[] = [];
  for (let n = 0; n < Math.min(list.length, limits.tokens); n++) ids.push(Number(list.get(n)));
  const supervised = mask ? ids.map((_, n) => mask.get(n) === true) : undefined;
  const pieces = tokenizer && maskedPieces(tokenizer, ids, supervised);
  return {
    tokens: { count: list.length, ids, pieces, supervised, predicted: mask ? onesIn(masks!, i, i + 1) : undefined },
    text: pieces && decoded(tokenizer, ids),
    bytes: bytes === undefined || bytes === null ? undefined : Number(bytes),
    left: more(list.length - ids.length, 'tokens'),
  };
}

/** The text of those ids that are tokens. */
function decoded(tokenizer: Tokenizer, ids: readonly number[]): string {
  return tokenizer.decode(ids.filter((id) => id >= 0 && id < tokenizer.vocabSize));
}

/** `1,234 more tokens`, or nothing where there are none. */
export function more(count: number, what: string): string | undefined {
  return count > 0 ? `${count.toLocaleString('en')} more ${what}` : undefined;
}

/** At most `length` UTF-16 units of a text, and no half of a character. */
export function beginning(text: string, length: number): string {
  if (text.length <= length) return text;
  const last = text.charCodeAt(length - 1);
  return text.slice(0, last >= 0xd800 && last < 0xdc00 ? length - 1 : length);
}

/** A value of any column as JSON has it; what is left out of it is said within it. */
function plain(type: DataType, value: unknown, limits: RowLimits): unknown {
  if (value === null || value === undefined) return null;
  if (typeof value === 'string') {
    const text = beginning(value, limits.characters);
    return text === value ? text : `${text} … ${more(value.length - text.length, 'characters')}`;
  }
  if (DataType.isList(type) || DataType.isLargeList(type) || DataType.isFixedSizeList(type)) {
    const list = value as Vector;
    const items: unknown[] = [];
    for (let n = 0; n < Math.min(list.length, limits.items); n++) items.push(plain(type.children[0].type, list.get(n), limits));
    return list.length > items.length ? [...items, `… ${more(list.length - items.length, 'items')}`] : items;
  }
  if (DataType.isStruct(type)) {
    const row = value as Record<string, unknown>;
    return Object.fromEntries(type.children.map((field) => [field.name, plain(field.type, row[field.name], limits)]));
  }
  if ((DataType.isTimestamp(type) || DataType.isDate(type)) && Math.abs(Number(value)) <= 8.64e15)
    return new Date(Number(value)).toISOString();
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (value instanceof Uint8Array) {
    const shown = Buffer.from(value.subarray(0, 4 * limits.items)).toString('hex');
    return `${shown}${value.length > 4 * limits.items ? ` … ${more(value.length - 4 * limits.items, 'bytes')}` : ''}`;
  }
  return typeof value === 'boolean' ? value : String(value);
}
