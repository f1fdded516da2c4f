import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import path from 'node:path';
import { readChunks } from '../../datasets/chunks.js';
import { readConversations, readPrompts, wrongRoles } from '../../datasets/conversations.js';
import { importData } from '../../datasets/import.js';
import { readPreferences } from '../../datasets/preferences.js';
import type { Message } from '../../tokenizer/index.js';
import { csvOf } from '../datasets/chat-rows.js';
import { mutateValue, pick } from './mutate.js';
import { fixture, type OpenTarget, type Target } from './target.js';

const FOLDERS = ['chats', 'preferences'];
const sets = (folder: string): [name: string, rows: Record<string, unknown>[]][] =>
  Object.entries(JSON.parse(fixture(`datasets/fixtures/${folder}/rows.json`).toString('utf8')));
const SETS = Object.fromEntries(FOLDERS.flatMap(sets));
const NAMES = Object.keys(SETS);
const jsonl = (rows: readonly unknown[]) => Buffer.from(rows.map((row) => `${JSON.stringify(row)}\n`).join(''));

/** A file called `name`, imported into whatever table its columns make it, which is read again and must follow the rules. */
function chatTarget(name: string, target: Omit<Target, 'run'>): OpenTarget {
  return async (folder) => {
    const output = path.join(folder, 'chats', 'table.arrow');
    const file = path.join(folder, name);
    return {
      ...target,
      async run(input) {
        await fs.writeFile(file, input);
        await fs.rm(path.dirname(output), { recursive: true, force: true });
        try {
          const summary = await importData({ paths: [file], output });
          if (summary.table === 'corpus') {
            for await (const _ of readChunks(output));
            return;
          }
          const last = summary.table === 'conversations' ? 'assistant' : 'user';
          let rows = 0;
          for await (const messages of messagesOf(output, summary.table)) {
            rows++;
            checkMessages(messages, last);
          }
          assert.equal(rows, summary.rows);
          const aside = summary.quarantined === 0 ? '' : await fs.readFile(summary.quarantine!, 'utf8');
          assert.equal(aside.split('\n').length - 1, summary.quarantined);
        } finally {
          const left = (await fs.readdir(path.dirname(output)).catch(() => [])).filter((entry) => entry.startsWith('.'));
          assert.deepEqual(left, [], 'temporary files are left');
        }
      },
    };
  };
}

async function* messagesOf(table: string, kind: 'conversations' | 'prompts' | 'preferences'): AsyncGenerator<readonly Message[]> {
  if (kind === 'preferences') for await (const rows of readPreferences(table)) yield* rows.map(({ prompt }) => prompt);
  else if (kind === 'prompts') for await (const rows of readPrompts(table)) yield* rows.map(({ prompt }) => prompt);
  else for await (const rows of readConversations(table)) yield* rows.map(({ messages }) => messages);
}

function checkMessages(messages: readonly Message[], last: 'user' | 'assistant'): void {
  assert.equal(wrongRoles(messages.map(({ role }) => role), last), undefined); // biome-ignore format: short
  for (const { content } of messages) assert.notEqual(content.trim(), '');
}

export const chatsTarget = chatTarget('chats.jsonl', {
  seeds: NAMES.map((name) => jsonl(SETS[name])),
  mutate: (random) => jsonl([mutateValue(random, SETS[pick(random, NAMES)])].flat()),
});
export const chatCsvTarget = chatTarget('chats.csv', { seeds: NAMES.map((name) => Buffer.from(csvOf(SETS[name]))) });
const files = (ending: string) =>
  FOLDERS.flatMap((folder) => sets(folder).map(([name]) => fixture(`datasets/fixtures/${folder}/${name}.${ending}`)));
export const chatParquetTarget = chatTarget('chats.parquet', { seeds: files('parquet'), binary: true });
export const chatArrowTarget = chatTarget('chats.arrow', { seeds: files('arrow'), binary: true });
