import { ArrowFile } from '../../datasets/arrow.js';
import { type Conversation, conversationsBatch, conversationsSchema, readConversations } from '../../datasets/conversations.js';
import type { Outcome, Row, Strategy } from '../../evaluation/select/strategy.js';

/** A conversation of one question and its answer. */
export function asked(question: string, answer: string, source = 'a'): Conversation {
  return {
    messages: [
      { role: 'user', content: question },
      { role: 'assistant', content: answer },
    ],
    source,
  };
}

/** Writes a table of conversations. */
export async function writeChats(path: string, rows: readonly Conversation[], metadata: [string, string][] = []): Promise<string> {
  const schema = conversationsSchema(new Map(metadata), { weighted: rows.some(({ weight }) => weight !== undefined) });
  const file = new ArrowFile(path, schema);
  for (let from = 0; from < rows.length; from += 4) await file.write(conversationsBatch(schema, rows.slice(from, from + 4)));
  await file.close();
  return path;
}

export async function readChats(path: string): Promise<Conversation[]> {
  const all: Conversation[] = [];
  for await (const rows of readConversations(path)) all.push(...rows);
  return all;
}

/** What a strategy makes of some conversations. */
export async function outcomeOf(strategy: Strategy, conversations: readonly Conversation[]): Promise<Outcome> {
  const rows = conversations.map((conversation, row): Row => ({ ...conversation, row }));
  return strategy(async function* () {
    yield* rows;
  });
}

/** The reasons of what was dropped, by row. */
export function reasons({ dropped }: Outcome): Record<number, string> {
  return Object.fromEntries([...dropped].map(([row, { reason }]) => [row, reason]));
}
