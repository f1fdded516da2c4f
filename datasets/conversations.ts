import { DataType, Field, Float32, List, makeData, type RecordBatch, Schema, Struct, Utf8, type Vector } from 'apache-arrow';
import { type Message, ROLES } from '../tokenizer/index.js';
import { UserError } from '../util/errors.js';
import { batchOf, type Metadata, openArrow, readBatches, textData } from './arrow.js';

/** A row of the conversations table: what was said, by whom, and how much it counts in training (1 where the table does not say). */
export interface Conversation {
  messages: Message[];
  source: string;
  weight?: number;
}

/** A row of the prompts table. */
export interface Prompt {
  prompt: Message[];
  /** A good answer, to compare with. */
  reference?: string;
  source: string;
}

/** What an Arrow file's columns make it. */
export type TableKind = 'corpus' | 'conversations' | 'preferences' | 'prompts' | 'generations' | 'tokens' | 'rows';

const text = new Utf8();
const message = new Struct<{ role: Utf8; content: Utf8 }>([new Field('role', text, false), new Field('content', text, false)]);
/** The type of a column of lists of messages. */
export const messageList = new List(new Field('item', message, false));

/** `messages: list<struct<role, content>>`, `source`, and `weight` where `weighted`. */
export function conversationsSchema(metadata: Metadata, { weighted = false } = {}): Schema {
  const weight = weighted ? [new Field('weight', new Float32(), false)] : [];
  return new Schema([new Field('messages', messageList, false), new Field('source', text, false), ...weight], new Map(metadata));
}

/** `prompt: list<struct<role, content>>`, `reference: utf8?`, `source`. */
export function promptsSchema(metadata: Metadata): Schema {
  return new Schema(
    [new Field('prompt', messageList, false), new Field('reference', text, true), new Field('source', text, false)],
    new Map(metadata),
  );
}

export function conversationsBatch(schema: Schema, rows: readonly Conversation[]): RecordBatch {
  const weights = Float32Array.from(rows, ({ weight = 1 }) => weight);
  const weight = schema.fields.length > 2 ? [makeData({ type: new Float32(), length: rows.length, nullCount: 0, data: weights })] : [];
  return batchOf(schema, rows.length, [
    messagesData(rows.map(({ messages }) => messages)),
    textData(rows.map(({ source }) => source)),
    ...weight,
  ]);
}

export function promptsBatch(schema: Schema, rows: readonly Prompt[]): RecordBatch {
  return batchOf(schema, rows.length, [
    messagesData(rows.map(({ prompt }) => prompt)),
    optionalTextData(rows.map(({ reference }) => reference)),
    textData(rows.map(({ source }) => source)),
  ]);
}

/** A column of lists of messages. */
export function messagesData(lists: readonly (readonly Message[])[]) {
  const valueOffsets = new Int32Array(lists.length + 1);
  lists.forEach((list, i) => {
    valueOffsets[i + 1] = valueOffsets[i] + list.length;
  });
  const all = lists.flat();
  const child = makeData({
    type: message,
    length: all.length,
    nullCount: 0,
    children: [textData(all.map(({ role }) => role)), textData(all.map(({ content }) => content))],
  });
  return makeData({ type: messageList, length: lists.length, nullCount: 0, valueOffsets, child });
}

/** A column of texts some of which may be missing. */
export function optionalTextData(values: readonly (string | undefined)[]) {
  const present = new Uint8Array(Math.ceil(values.length / 8));
  values.forEach((value, i) => {
    if (value !== undefined) present[i >> 3] |= 1 << (i & 7);
  });
  const { valueOffsets, values: data } = textData(values.map((value) => value ?? ''));
  const nullCount = values.filter((value) => value === undefined).length;
  return makeData({ type: text, length: values.length, nullCount, nullBitmap: present, valueOffsets, data });
}

export async function tableKind(path: string): Promise<TableKind> {
  const file = await openArrow(path);
  await file.close();
  return kindOfSchema(file.schema);
}

export function kindOfSchema(schema: Schema): TableKind {
  const types = new Map(schema.fields.map(({ name, type }) => [String(name), type]));
  const isMessages = (type: DataType | undefined) =>
    type !== undefined &&
    DataType.isList(type) &&
    DataType.isStruct(type.valueType) &&
    ['role', 'content'].every((name) => (type.valueType as Struct).children.some((field) => field.name === name));
  if (isMessages(types.get('messages'))) return 'conversations';
  if (isMessages(types.get('prompt'))) {
    if (!types.has('responses')) return 'prompts';
    return types.has('ranks') ? 'preferences' : types.has('log_probs') ? 'generations' : 'prompts';
  }
  if (types.has('ids')) return 'tokens';
  return types.has('text') ? 'corpus' : 'rows';
}

/**
 * The conversations of a table, a record batch at a time.
 * @throws UserError when the file is no such table, or a row has roles that no conversation has.
 */
export async function* readConversations(path: string): AsyncGenerator<Conversation[]> {
  await requireKind(path, ['conversations']);
  let first = 0;
  for await (const batch of readBatches(path)) {
    const [messages, source, weight] = ['messages', 'source', 'weight'].map((name) => batch.getChild(name));
    yield Array.from({ length: batch.numRows }, (_, i) => ({
      messages: messagesOf(path, messages!, i, first + i),
      source: (source?.get(i) as string | null) ?? '',
      ...(weight ? { weight: weight.get(i) as number } : {}),
    }));
    first += batch.numRows;
  }
}

/**
 * The prompts of a table, a record batch at a time. Of a conversations table each row is a prompt, too: what stands before its last answer,
 * which is the reference.
 * @throws UserError as `readConversations`.
 */
export async function* readPrompts(path: string): AsyncGenerator<Prompt[]> {
  if ((await requireKind(path, ['prompts', 'conversations'])) === 'conversations') {
    for await (const rows of readConversations(path)) {
      yield rows.map(({ messages, source }) => ({ prompt: messages.slice(0, -1), reference: messages.at(-1)!.content, source }));
    }
    return;
  }
  let first = 0;
  for await (const batch of readBatches(path)) {
    const promptOf = promptsIn(path, batch, first);
    yield Array.from({ length: batch.numRows }, (_, i) => promptOf(i));
    first += batch.numRows;
  }
}

/** The rows of a batch by their columns `prompt`, `reference` and `source`. @param first the batch's first row in the file. */
export function promptsIn(path: string, batch: RecordBatch, first: number): (i: number) => Prompt {
  const [prompt, reference, source] = ['prompt', 'reference', 'source'].map((name) => batch.getChild(name));
  return (i) => {
    const known = reference?.get(i) as string | null | undefined;
    return {
      prompt: messagesOf(path, prompt!, i, first + i),
      ...(typeof known === 'string' ? { reference: known } : {}),
      source: (source?.get(i) as string | null) ?? '',
    };
  };
}

/** What the hash decides by whether a conversation is held out: its first question, so that it stays held out in every stage and table. */
export function splitKey(messages: readonly Message[]): string {
  return messages.find(({ role }) => role === 'user')?.content ?? '';
}

/**
 * What is wrong with the order of roles, or undefined: a system message first or none, then user and assistant in turns.
 * @param last who must have the last word: the assistant in a conversation, the user in a prompt.
 */
export function wrongRoles(roles: readonly string[], last: 'assistant' | 'user'): string | undefined {
  for (const [i, role] of roles.entries()) {
    if (!ROLES.some((known) => known === role))
      return `message ${i + 1} has the role ${JSON.stringify(role)}; there are ${ROLES.join(', ')}`;
    if (role === 'system' && i > 0) return `message ${i + 1} is of the system, which may only have the first`;
    const turn = (i - Number(roles[0] === 'system')) % 2 === 0 ? 'user' : 'assistant';
    if (role !== 'system' && role !== turn) return `message ${i + 1} is of the ${role}, and it is the ${turn}'s turn`;
  }
  if (!roles.includes('user')) return 'nobody asks anything';
  return roles.at(-1) === last ? undefined : `the last message is of the ${roles.at(-1)}, and must be the ${last}'s`;
}

/** @throws UserError when the file is a table of none of these kinds. */
export async function requireKind(path: string, kinds: readonly TableKind[]): Promise<TableKind> {
  const kind = await tableKind(path);
  if (kinds.includes(kind)) return kind;
  throw new UserError(
    `read data: ${path} must be a table of ${kinds.join(' or ')}; it is one of ${kind}. Make one with fourfold data import`,
  );
}

/** A message as a file has it, whatever its role is; null where there is none. */
export interface FoundMessage {
  role: string | null;
  content: string | null;
}

/** The messages in row `i` of a column of lists of them. */
export function readMessages(column: Vector, i: number): FoundMessage[] {
  const list = column.get(i) as Vector<Struct<{ role: Utf8; content: Utf8 }>> | null;
  return Array.from({ length: list?.length ?? 0 }, (_, m) => {
    const entry = list!.get(m);
    return { role: entry?.role ?? null, content: entry?.content ?? null };
  });
}

/** The messages in row `i` of a batch's column; `row` is its number in the file. */
function messagesOf(path: string, column: Vector, i: number, row: number): Message[] {
  const messages = readMessages(column, i) as Message[];
  const wrong = messages.find(({ role, content }) => !ROLES.includes(role) || typeof content !== 'string');
  if (messages.length > 0 && !wrong) return messages;
  throw new UserError(
    `read data: row ${row} of ${path} must have messages with a role (${ROLES.join(', ')}) and a content; received ${wrong ? JSON.stringify(wrong).slice(0, 100) : 'none'}. Make the table with fourfold data import`,
  );
}
