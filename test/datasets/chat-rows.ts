import { type Conversation, type Prompt, readConversations, readPrompts } from '../../datasets/conversations.js';
import { type ChatSummary, type ImportOptions, importData, type Rejected } from '../../datasets/import.js';
import type { Message } from '../../tokenizer/index.js';
import { quarantined } from './corpus-rows.js';

export interface ImportedChats {
  summary: ChatSummary;
  conversations: Conversation[];
  /** Who says what, of each conversation. */
  said: string[][];
  /** What was put aside. */
  aside: Rejected[];
}

/** Imports a path and reads the conversations that came of it. */
export async function importedChats(path: string | string[], output: string, options: Partial<ImportOptions> = {}): Promise<ImportedChats> {
  const summary = await importData({ paths: [path].flat(), output, overwrite: true, ...options });
  if (summary.table !== 'conversations') throw new Error(`${path} became ${summary.table}`);
  const conversations: Conversation[] = [];
  for await (const rows of readConversations(output)) conversations.push(...rows);
  const aside = summary.quarantine === undefined ? [] : await quarantined(summary.quarantine);
  return { summary, conversations, said: conversations.map(({ messages }) => messages.map(line)), aside };
}

/** Imports a path and reads the prompts that came of it. */
export async function importedPrompts(path: string, output: string, options: Partial<ImportOptions> = {}) {
  const summary = await importData({ paths: [path], output, overwrite: true, ...options });
  if (summary.table !== 'prompts') throw new Error(`${path} became ${summary.table}`);
  const prompts: Prompt[] = [];
  for await (const rows of readPrompts(output)) prompts.push(...rows);
  return { summary, prompts };
}

const line = ({ role, content }: Message) => `${role}: ${content}`;

/** A table as CSV; what is no text or number is JSON in its cell. */
export function csvOf(rows: readonly Record<string, unknown>[]): string {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const cell = (value: unknown) => {
    const text = value === null || value === undefined ? '' : typeof value === 'object' ? JSON.stringify(value) : String(value);
    return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [names, ...rows.map((row) => names.map((name) => row[name]))].map((record) => `${record.map(cell).join(',')}\n`).join('');
}
