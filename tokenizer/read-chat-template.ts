import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { UserError } from '../util/errors.js';
import { type ChatTemplate, chatTemplate } from './chat.js';
import { CHAT_TEMPLATE } from './chat-template.js';
import { SPECIAL_TOKENS } from './special-tokens.js';
import { NAMED_TEMPLATES, type NamedTemplate } from './templates.js';
import type { Tokenizer } from './tokenizer.js';

/**
 * The chat template of a checkpoint, a folder with a tokenizer, or a tokenizer.json: the one that is named, else the one that lies beside it
 * (chat_template.jinja, tokenizer_config.json), else fourfold's own where the tokenizer has its special tokens.
 * @param named a name such as `chatml`, or a file with Jinja.
 * @throws UserError when there is none.
 */
export async function readChatTemplate(path: string, tokenizer: Tokenizer, named?: string): Promise<ChatTemplate> {
  if (named !== undefined) return chatTemplate(await templateNamed(named), tokenizer);
  const isFolder = (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
  const folder = isFolder ? path : dirname(path);
  const config = await readFile(join(folder, 'tokenizer_config.json'), 'utf8').catch(() => undefined);
  const file = await readFile(join(folder, 'chat_template.jinja'), 'utf8').catch(() => undefined);
  const source = file ?? (config === undefined ? undefined : templateOf(JSON.parse(config) as object)) ?? ownTemplate(tokenizer);
  if (source !== undefined) return chatTemplate(source, tokenizer);
  throw new UserError(
    `chat template: ${path} must come with one (chat_template.jinja or tokenizer_config.json); it has none. Name one: ${Object.keys(NAMED_TEMPLATES).join(', ')} or a file of Jinja`,
  );
}

/** The template in the contents of a tokenizer_config.json; of several, the one named default. */
export function templateOf(tokenizerConfig: object): string | undefined {
  const { chat_template: template } = tokenizerConfig as { chat_template?: unknown };
  if (typeof template === 'string') return template;
  if (!Array.isArray(template)) return undefined;
  const entries = template as { name?: unknown; template?: unknown }[];
  const chosen = entries.find(({ name }) => name === 'default') ?? entries[0];
  return typeof chosen?.template === 'string' ? chosen.template : undefined;
}

function ownTemplate(tokenizer: Tokenizer): string | undefined {
  return SPECIAL_TOKENS.every((token) => tokenizer.idOf(token) !== undefined) ? CHAT_TEMPLATE : undefined;
}

async function templateNamed(name: string): Promise<string> {
  if (Object.hasOwn(NAMED_TEMPLATES, name)) return NAMED_TEMPLATES[name as NamedTemplate];
  return readFile(name, 'utf8').catch((cause) => {
    throw new UserError(
      `chat template: it must be ${Object.keys(NAMED_TEMPLATES).join(', ')} or a file of Jinja; received ${name}, which cannot be read (${cause.code}). Correct the name`,
      1,
      { cause },
    );
  });
}
