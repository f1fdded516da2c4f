import type { ChatTemplate, Message, Tokenizer, TrainOn } from '../../tokenizer/index.js';
import { UserError } from '../../util/errors.js';
import { besides, defaultThreads, mapInWorkers } from '../../util/workers.js';
import { readBatches } from '../arrow.js';
import { type FoundMessage, readMessages, wrongRoles } from '../conversations.js';
import { columnOf, isText } from './columns.js';
import { countLength, type LengthCounts, noLengths } from './lengths.js';

/** Conversations end with an answer; prompts wait for one. */
export type ChatKind = 'conversations' | 'prompts';

/** How conversations become tokens. */
export interface ChatReader {
  kind: ChatKind;
  /** Missing where no tokenizer is named. */
  template?: ChatTemplate;
  trainOn: TrainOn;
  /** The most tokens that a model takes. */
  context?: number;
  /** Show tokens, and not the messages alone. */
  showTokens: boolean;
}

/** One row, measured. */
export interface MeasuredChat {
  source: string | null;
  roles: { role: string; bytes: number; characters: number }[];
  tokens?: number;
  /** How many of the tokens are to be predicted. */
  supervised?: number;
  /** Why it cannot be used. */
  problem?: string;
}

/** What is to be said of conversations beside their counts by source. */
export interface ChatFacts {
  /** In the order in which they come first. */
  roles: { role: string; messages: number; bytes: number; characters: number }[];
  /** How many rows have so many answers (of prompts: questions). */
  turns: LengthCounts;
  /** Rows that cannot be used, and why: all counted, the first few named. */
  unusable: { count: number; first: { row: number; reason: string }[] };
  /** Rows of more tokens than the context has: all counted, the first few named. */
  tooLong?: { count: number; context: number; first: number[] };
}

export interface ChatRow {
  source: string | null;
  messages: FoundMessage[];
}

/** What a thread that measures conversations is given. */
export interface ChatSetup {
  kind: ChatKind;
  trainOn: TrainOn;
  /** Jinja; missing where nothing is to be encoded. */
  template?: string;
  /** Contents of tokenizer.json and tokenizer_config.json. */
  tokenizer?: object;
  config?: object;
}

const NAMED_ROWS = 8;
const CHUNK = 200; // rows
const MOST_ROLES = 20; // a file may have another one in each message
const OTHER_ROLES = '(other roles)';
const FEW_ROWS = 2000; // are measured before threads have started

export const messagesColumn = (kind: ChatKind) => (kind === 'conversations' ? 'messages' : 'prompt');

/**
 * The tokens of a conversation and which of them are to be predicted (of a prompt: up to where its answer begins, and no mask), or why there are none.
 * @param template without it the roles alone are looked at.
 */
export function encodeChat(
  { kind, template, trainOn }: Pick<ChatReader, 'kind' | 'template' | 'trainOn'>,
  messages: readonly FoundMessage[],
): { ids?: number[]; supervised?: Uint8Array; problem?: string } {
  const silent = messages.findIndex(({ content }) => content === null);
  const problem =
    silent >= 0
      ? `message ${silent + 1} has no content`
      : wrongRoles(
          messages.map(({ role }) => role ?? ''),
          kind === 'conversations' ? 'assistant' : 'user',
        );
  if (problem !== undefined || !template) return { problem };
  try {
    if (kind === 'conversations') return template.encode(messages as Message[], { trainOn });
    return { ids: template.encode(messages as Message[], { addGenerationPrompt: true }).ids };
  } catch (error) {
    if (error instanceof UserError) return { problem: error.message };
    throw error;
  }
}

/**
 * Measures every row of a table, in order.
 * @param rows how many it has.
 */
export async function* measureChats(
  file: string,
  rows: number,
  { kind, template, trainOn }: ChatReader,
  tokenizer: Tokenizer | undefined,
): AsyncGenerator<MeasuredChat[]> {
  const setup: ChatSetup = { kind, trainOn, template: template?.source, tokenizer: tokenizer?.toJSON(), config: tokenizer?.config };
  const module = besides(import.meta.url, './chat-worker');
  const threads = rows > FEW_ROWS && tokenizer ? defaultThreads() : 1;
  yield* mapInWorkers<ChatRow[], MeasuredChat[]>(module, setup, chunksOf(file, kind), threads);
}

async function* chunksOf(file: string, kind: ChatKind): AsyncGenerator<ChatRow[]> {
  for await (const batch of readBatches(file)) {
    const messages = batch.getChild(messagesColumn(kind))!;
    const source = columnOf(batch, 'source', isText);
    for (let from = 0; from < batch.numRows; from += CHUNK) {
      const length = Math.min(CHUNK, batch.numRows - from);
      yield Array.from({ length }, (_, i) => ({
        source: (source?.get(from + i) as string | null | undefined) ?? null,
        messages: readMessages(messages, from + i),
      }));
    }
  }
}

/** Gathers what is to be said of all rows. */
export class ChatCounter {
  private readonly roles = new Map<string, { messages: number; bytes: number; characters: number }>();
  private readonly found: ChatFacts;
  private rows = 0;

  constructor(private readonly reader: ChatReader) {
    const { template, context } = reader;
    this.found = { roles: [], turns: noLengths(), unusable: { count: 0, first: [] } };
    if (template && context !== undefined) this.found.tooLong = { count: 0, context, first: [] };
  }

  add({ roles, tokens, problem }: MeasuredChat): void {
    const { turns, unusable, tooLong } = this.found;
    const row = this.rows++;
    for (const { role: name, bytes, characters } of roles) {
      const role = this.roles.has(name) || this.roles.size < MOST_ROLES ? name : OTHER_ROLES;
      const counts = this.roles.get(role) ?? { messages: 0, bytes: 0, characters: 0 };
      this.roles.set(role, counts);
      counts.messages++;
      counts.bytes += bytes;
      counts.characters += characters;
    }
    const turn = this.reader.kind === 'conversations' ? 'assistant' : 'user';
    countLength(turns, roles.filter(({ role }) => role === turn).length);
    if (problem !== undefined && ++unusable.count <= NAMED_ROWS) unusable.first.push({ row, reason: problem });
    if (tooLong && tokens !== undefined && tokens > tooLong.context && ++tooLong.count <= NAMED_ROWS) tooLong.first.push(row);
  }

  facts(): ChatFacts {
    return { ...this.found, roles: [...this.roles].map(([role, counts]) => ({ role, ...counts })) };
  }
}

/** Code points. */
export function charactersOf(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}
