import { chatTemplate, loadTokenizer } from '../../tokenizer/index.js';
import type { WorkerTask } from '../../util/workers.js';
import { type ChatRow, type ChatSetup, charactersOf, encodeChat, type MeasuredChat } from './chats.js';

/** Measures conversations in a thread of its own. */
export function start({ kind, trainOn, template: source, tokenizer: json, config }: ChatSetup): WorkerTask<ChatRow[], MeasuredChat[]> {
  const template = source !== undefined && json ? chatTemplate(source, loadTokenizer(json, config)) : undefined;
  return {
    run: (rows) =>
      rows.map(({ source, messages }) => {
        const { ids, supervised, problem } = encodeChat({ kind, template, trainOn }, messages);
        return {
          source,
          roles: messages.map(({ role, content }) => ({
            role: role ?? '',
            bytes: Buffer.byteLength(content ?? ''),
            characters: charactersOf(content ?? ''),
          })),
          tokens: ids?.length,
          supervised: supervised?.reduce((sum, each) => sum + each, 0),
          problem,
        };
      }),
  };
}
