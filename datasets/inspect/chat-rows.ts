import type { RecordBatch } from 'apache-arrow';
import type { Tokenizer } from '../../tokenizer/index.js';
import { type FoundMessage, readMessages } from '../conversations.js';
import { type ChatReader, encodeChat, messagesColumn } from './chats.js';
import { columnOf, isNumber, isText } from './columns.js';
import { beginning, maskedPieces, more, otherColumns, type Row, type RowLimits, type RowMessage, type RowTokens } from './rows.js';

/** Row `i` of a batch of conversations or prompts, which is row `row` of all. */
export function readChatRow(
  batch: RecordBatch,
  i: number,
  row: number,
  chat: ChatReader,
  tokenizer: Tokenizer | undefined,
  limits: RowLimits,
): Row {
  const { kind, template, context, showTokens } = chat;
  const column = messagesColumn(kind);
  const source = columnOf(batch, 'source', isText);
  const weight = kind === 'conversations' ? columnOf(batch, 'weight', isNumber) : undefined;
  const reference = kind === 'prompts' ? columnOf(batch, 'reference', isText) : undefined;
  const messages = readMessages(batch.getChild(column)!, i);
  const units = messages.reduce((sum, { content }) => sum + (content?.length ?? 0), 0);
  const { ids, supervised, problem } = encodeChat({ ...chat, template: units > limits.encoded ? undefined : template }, messages);
  const result: Row = { row, source: source?.get(i) ?? undefined, ...messagesOf(messages, limits) };
  const answer = reference?.get(i) as string | null | undefined;
  if (typeof answer === 'string') result.reference = cutMessage('reference', answer, limits);
  if (weight?.isValid(i)) result.weight = Number(weight.get(i));
  if (problem !== undefined) result.problem = problem;
  if (ids && tokenizer) {
    result.tokens = tokensOf(tokenizer, ids, supervised, showTokens ? limits.chatTokens : 0);
    if (context !== undefined && ids.length > context) result.beyond = context;
    if (showTokens) result.left = more(ids.length - limits.chatTokens, 'tokens');
  }
  const shown = ['source', column, ...(weight ? ['weight'] : []), ...(reference ? ['reference'] : [])];
  return { ...result, ...otherColumns(batch, i, shown, limits) };
}

export function messagesOf(messages: readonly FoundMessage[], limits: RowLimits): Pick<Row, 'bytes' | 'messages' | 'left'> {
  const shown = messages.slice(0, limits.items);
  return {
    bytes: messages.reduce((sum, { content }) => sum + Buffer.byteLength(content ?? ''), 0),
    messages: shown.map(({ role, content }) => cutMessage(role ?? '(no role)', content ?? '(no content)', limits)),
    left: more(messages.length - shown.length, 'messages'),
  };
}

/** @param shown how many of the tokens; 0: they are only counted. */
function tokensOf(tokenizer: Tokenizer, ids: readonly number[], supervised: Uint8Array | undefined, shown: number): RowTokens {
  const predicted = supervised?.reduce((sum, each) => sum + each, 0);
  if (shown === 0) return { count: ids.length, predicted };
  const first = ids.slice(0, shown);
  const mask = supervised && Array.from(first, (_, n) => supervised[n] === 1);
  return { count: ids.length, ids: first, pieces: maskedPieces(tokenizer, first, mask), supervised: mask, predicted };
}

export function cutMessage(role: string, whole: string, { characters }: RowLimits): RowMessage {
  const content = beginning(whole, characters);
  return { role, content, left: more(whole.length - content.length, 'characters') };
}
