import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { readChatTemplate, type Tokenizer, type TrainOn } from '../../tokenizer/index.js';
import { UserError } from '../../util/errors.js';
import type { ChatFacts, ChatKind, ChatReader } from './chats.js';

/** What is said about how conversations become tokens. */
export interface ChatOptions {
  tokens?: boolean;
  template?: string;
  trainOn?: TrainOn;
  contextLength?: number;
}

/**
 * @param path where the tokenizer lies.
 * @throws UserError when there is no tokenizer and an option speaks of tokens; when there is no chat template.
 */
export async function chatReader(
  kind: ChatKind,
  path: string | undefined,
  tokenizer: Tokenizer | undefined,
  { tokens = false, template, trainOn, contextLength }: ChatOptions,
): Promise<ChatReader> {
  if (kind === 'prompts' && trainOn !== undefined)
    throw new UserError('inspect data: --train-on says which tokens of conversations are trained on; received prompts. Leave it out');
  const given = Object.entries({ template, 'train-on': trainOn, 'context-length': contextLength }).find(([, value]) => value !== undefined);
  if (path === undefined || !tokenizer) {
    if (given)
      throw new UserError(`inspect data: --${given[0]} speaks of tokens, which need a tokenizer; none is named. Say --tokenizer PATH`);
    return { kind, trainOn: 'assistant', showTokens: false };
  }
  return {
    kind,
    template: await readChatTemplate(path, tokenizer, template),
    trainOn: trainOn ?? 'assistant',
    context: contextLength ?? (await contextBeside(path)),
    showTokens: tokens,
  };
}

/** @throws UserError when an option is for conversations. */
export function refuseChatOptions(kind: string, { template, trainOn, contextLength }: ChatOptions): void {
  const given = Object.entries({ template, 'train-on': trainOn, 'context-length': contextLength }).find(([, value]) => value !== undefined);
  if (given) throw new UserError(`inspect data: --${given[0]} is for conversations and prompts; received ${kind}. Leave it out`);
}

/** The longest context, in tokens, of the model whose tokenizer is at `path`; undefined where no config.json lies there. */
async function contextBeside(path: string): Promise<number | undefined> {
  const isFolder = (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
  const file = join(isFolder ? path : dirname(path), 'config.json');
  const contents = await readFile(file, 'utf8').catch(() => undefined);
  if (contents === undefined) return undefined;
  try {
    const { max_position_embeddings: longest, n_positions: positions } = JSON.parse(contents) as Record<string, unknown>;
    return [longest, positions].find((value): value is number => Number.isSafeInteger(value) && (value as number) > 0);
  } catch (cause) {
    throw new UserError(
      `inspect data: ${file} must be JSON; ${(cause as Error).message}. Write or copy it again, or say --context-length`,
      1,
      { cause },
    );
  }
}

/** What a reader should know of conversations, and the figures do not say. */
export function chatNotes(
  { kind, template, context, showTokens }: ChatReader,
  { chats, total }: { chats?: ChatFacts; total: { rows: number } },
): string[] {
  const of = (count: number) => `${count.toLocaleString('en')} of ${total.rows.toLocaleString('en')} ${kind}`;
  const { unusable, tooLong } = chats!;
  const notes: string[] = [];
  if (unusable.count > 0) notes.push(`${of(unusable.count)} cannot be used; which and why stands below.`);
  if (tooLong && tooLong.count > 0) {
    const rows = `row${tooLong.count > 1 ? 's' : ''} ${tooLong.first.join(', ')}${tooLong.count > tooLong.first.length ? ' …' : '.'}`;
    notes.push(
      `${of(tooLong.count)} ${tooLong.count > 1 ? 'are' : 'is'} longer than the context of ${context!.toLocaleString('en')} tokens: ${rows}`,
    );
  }
  if (template && context === undefined)
    notes.push(
      'No config.json beside the tokenizer says how long the context is: --context-length N marks what is too long for one of N tokens.',
    );
  if (!template)
    notes.push('In messages: --tokenizer CHECKPOINT counts the tokens of a chat template, --tokens shows them and which are trained on.');
  else if (!showTokens) notes.push('In messages: --tokens shows the tokens, and which of them are trained on.');
  return notes;
}
