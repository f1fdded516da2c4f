import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Template } from '@huggingface/jinja';
import { UserError } from '../util/errors.js';
import { CHAT_TEMPLATE } from './chat-template.js';
import { SPECIAL_TOKENS } from './special-tokens.js';
import { NAMED_TEMPLATES, type NamedTemplate } from './templates.js';
import type { Tokenizer } from './tokenizer.js';

/** Roles in the order in which a conversation may have them: a system message first or none, then user and assistant in turns. */
export const ROLES = ['system', 'user', 'assistant'] as const;

export interface Message {
  role: (typeof ROLES)[number];
  content: string;
}

/** Which tokens of a conversation are to be predicted. */
export type TrainOn = 'assistant' | 'last_assistant' | 'all';

export interface ChatEncodeOptions {
  /** `assistant`: every answer and the mark that ends it; `last_assistant`: the last one; `all`: all tokens but the first. */
  trainOn?: TrainOn;
  /** Go on to where the assistant's next answer begins. */
  addGenerationPrompt?: boolean;
  /** Read contents that spell a special token as that token. */
  allowSpecial?: boolean;
  /** Ids to take for the content of the message at an index instead of encoding it: those a model gave. */
  known?: ReadonlyMap<number, readonly number[]>;
}

export interface EncodedChat {
  ids: number[];
  /** 1 = the token is to be predicted. */
  supervised: Uint8Array;
}

/** A chat template over a tokenizer. The template holds the mark that begins a text; nothing is added to what it renders. */
export interface ChatTemplate {
  /** The Jinja text. */
  readonly source: string;
  /** Ids that end an answer: the tokenizer's eos, and the mark that the template puts after answers. */
  readonly stopIds: ReadonlySet<number>;
  /** @throws UserError when the template refuses the messages. */
  render(messages: readonly Message[], options?: { addGenerationPrompt?: boolean }): string;
  /**
   * The tokens of a conversation and which of them are to be predicted. Masks come from structure: the template is rendered with placeholders for
   * the contents, what lies between two marks is encoded by itself, and the whole is asserted equal to encoding the rendered string (where
   * contents spell special tokens, which stay text, the string cannot tell them from marks; then nothing is compared).
   * @throws UserError when the template changes or leaves out a content, ends an answer with no mark, or joins an answer and its own text in one token.
   */
  encode(messages: readonly Message[], options?: ChatEncodeOptions): EncodedChat;
}

/** A text between two contents, or the content of a message. */
type Part = { literal: string } | { message: number };

/** Text, or a mark by its id. */
interface Piece {
  text?: string;
  id?: number;
  ids?: readonly number[];
  supervised: boolean;
}

const placeholder = (i: number) => `\ue000${i}\ue001`;
const PLACEHOLDER = /\ue000(\d+)\ue001/;

/** @throws UserError when the Jinja cannot be read. */
export function chatTemplate(source: string, tokenizer: Tokenizer): ChatTemplate {
  const template = parsed(source);
  const marks = new Marks(tokenizer);
  const token = (id: number) => (id < 0 ? '' : tokenizer.tokenOf(id)!);
  const { bos, eos, pad } = tokenizer.special;
  const globals = { bos_token: token(bos), eos_token: token(eos), pad_token: token(pad) };
  const structures = new Map<string, Part[]>();

  const render: ChatTemplate['render'] = (messages, { addGenerationPrompt = false } = {}) => {
    try {
      return template.render({ ...globals, messages, add_generation_prompt: addGenerationPrompt });
    } catch (cause) {
      const roles = messages.map(({ role }) => role).join(', ');
      throw new UserError(
        `chat template: it must render the messages (${roles}); it refuses: ${(cause as Error).message}. Choose another template`,
        1,
        { cause },
      );
    }
  };

  /** The template's own text and the places of the contents, which depend on the roles alone. */
  const structure = (messages: readonly Message[], addGenerationPrompt: boolean): Part[] => {
    const key = `${messages.map(({ role }) => role).join()} ${addGenerationPrompt}`;
    const known = structures.get(key);
    if (known) return known;
    const text = render(
      messages.map(({ role }, i) => ({ role, content: placeholder(i) })),
      { addGenerationPrompt },
    );
    const parts = text.split(PLACEHOLDER).map((part, i): Part => (i % 2 ? { message: Number(part) } : { literal: part }));
    for (const [i, { role }] of messages.entries()) {
      if (parts.filter((part) => 'message' in part && part.message === i).length === 1) continue;
      throw new UserError(
        `chat template: it must have each message's content once; it has not that of message ${i + 1} (${role}). Choose another template, or leave such messages out`,
      );
    }
    structures.set(key, parts);
    return parts;
  };

  /** The contents as the template has them: as they are, or trimmed. */
  const renderedContents = (messages: readonly Message[], parts: readonly Part[], whole: string): string[] => {
    const contents: string[] = messages.map(({ content }) => content);
    let at = 0;
    for (const [p, part] of parts.entries()) {
      if ('literal' in part) {
        if (!whole.startsWith(part.literal, at)) throw changed(messages, part, whole.slice(at));
        at += part.literal.length;
        continue;
      }
      const next = parts[p + 1] as { literal: string }; // a literal, if an empty one, follows each content
      const { content } = messages[part.message];
      const found = [content, content.trim()].find((text) => whole.startsWith(text + next.literal, at));
      if (found === undefined) throw changed(messages, part, whole.slice(at));
      contents[part.message] = found;
      at += found.length;
    }
    return contents;
  };

  /** The text of a literal; before an answer that a model gave (`ids`), without a space that the generation prompt has not: the ids hold it. */
  const asGenerated = (messages: readonly Message[], parts: readonly Part[], p: number, known: ChatEncodeOptions['known']): string => {
    const { literal } = parts[p] as { literal: string };
    const next = parts[p + 1];
    if (!next || !('message' in next) || !known?.has(next.message) || messages[next.message].role !== 'assistant') return literal;
    const asked = structure(messages.slice(0, next.message), true).at(-1) as { literal: string };
    return literal === `${asked.literal} ` ? asked.literal : literal;
  };

  const encode: ChatTemplate['encode'] = (messages, options = {}) => {
    const { trainOn = 'assistant', addGenerationPrompt = false, allowSpecial = false, known } = options;
    const whole = render(messages, { addGenerationPrompt });
    const parts = structure(messages, addGenerationPrompt);
    const contents = renderedContents(messages, parts, whole);
    const last = messages.findLastIndex(({ role }) => role === 'assistant');
    const answers = new Set(
      messages.flatMap(({ role }, i) => (role === 'assistant' && (trainOn !== 'last_assistant' || i === last) ? [i] : [])),
    );

    // 1. Marks and texts, each with its mask.
    const pieces: Piece[] = [];
    for (const [p, part] of parts.entries()) {
      if ('message' in part) {
        const ids = known?.get(part.message);
        pieces.push({ ...(ids ? { ids } : { text: contents[part.message] }), supervised: answers.has(part.message) });
        continue;
      }
      const before = parts[p - 1];
      const answered = before && 'message' in before && messages[before.message].role === 'assistant';
      const found = marks.split(asGenerated(messages, parts, p, known));
      if (answered && found[0]?.id === undefined) {
        throw new UserError(
          `chat template: a special token of the tokenizer must end each answer, or generation would never stop; after one it has ${JSON.stringify(part.literal.slice(0, 40))}. Choose another template, or a tokenizer that has its tokens`,
        );
      }
      found.forEach((piece, i) => {
        pieces.push({ ...piece, supervised: i === 0 && answered === true && answers.has((before as { message: number }).message) });
      });
    }

    // 2. What lies between two marks with one mask is encoded together.
    const ids: number[] = [];
    const mask: number[] = [];
    const add = (more: readonly number[], supervised: boolean) => {
      for (const id of more) {
        ids.push(id);
        mask.push(Number(supervised));
      }
    };
    let text = '';
    pieces.forEach((piece, i) => {
      if (piece.text === undefined) {
        add(piece.ids ?? [piece.id!], piece.supervised);
        return;
      }
      text += piece.text;
      const next = pieces[i + 1];
      if (next?.text !== undefined && next.supervised === piece.supervised) return;
      // A space before an answer is a part of its first token, as byte-level BPE has it.
      const own = text.length - Number(next?.text !== undefined && next.supervised && text.endsWith(' '));
      add(tokenizer.encode(text.slice(0, own), { allowSpecial }), piece.supervised);
      text = text.slice(own);
    });

    // 3. The same as encoding the whole string.
    const spelt = contents.some((content) => marks.spelt(content));
    if (!known && (allowSpecial || !spelt)) checkWhole(tokenizer, whole, ids);
    const supervised = trainOn === 'all' ? new Uint8Array(ids.length).fill(1).fill(0, 0, 1) : Uint8Array.from(mask);
    return { ids, supervised };
  };

  const stopIds = (): ReadonlySet<number> => {
    const stops = new Set(eos < 0 ? [] : [eos]);
    const [, , , , after] = structure(
      [
        { role: 'user', content: '' },
        { role: 'assistant', content: '' },
      ],
      false,
    ) as { literal?: string }[];
    const mark = marks.split(after?.literal ?? '')[0]?.id;
    return mark === undefined ? stops : stops.add(mark);
  };

  return { source, stopIds: stopIds(), render, encode };
}

/**
 * The chat template of a checkpoint, a folder with a tokenizer, or a tokenizer.json: the one that is named, else the one that lies beside it
 * (tokenizer_config.json, chat_template.jinja), else fourfold's own where the tokenizer has its special tokens.
 * @param named a name such as `chatml`, or a file with Jinja.
 * @throws UserError when there is none.
 */
export async function readChatTemplate(path: string, tokenizer: Tokenizer, named?: string): Promise<ChatTemplate> {
  if (named !== undefined) return chatTemplate(await templateNamed(named), tokenizer);
  const isFolder = (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
  const folder = isFolder ? path : dirname(path);
  const config = await readFile(join(folder, 'tokenizer_config.json'), 'utf8').catch(() => undefined);
  const own = config === undefined ? undefined : templateOf(JSON.parse(config) as object);
  const source = own ?? (await readFile(join(folder, 'chat_template.jinja'), 'utf8').catch(() => undefined)) ?? ownTemplate(tokenizer);
  if (source !== undefined) return chatTemplate(source, tokenizer);
  throw new UserError(
    `chat template: ${path} must come with one (tokenizer_config.json or chat_template.jinja); it has none. Name one: ${Object.keys(NAMED_TEMPLATES).join(', ')} or a file of Jinja`,
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

function parsed(source: string): Template {
  try {
    return new Template(source);
  } catch (cause) {
    throw new UserError(`chat template: it must be Jinja; ${(cause as Error).message}. Correct it`, 1, { cause });
  }
}

/** The special tokens of a tokenizer, found in a template's own text. */
class Marks {
  private readonly ids = new Map<string, number>();
  private readonly pattern: RegExp | undefined;

  constructor(tokenizer: Tokenizer) {
    for (let id = 0; id < tokenizer.vocabSize; id++) {
      const token = tokenizer.byteLength(id) === 0 ? tokenizer.tokenOf(id) : undefined;
      if (token) this.ids.set(token, id);
    }
    const longestFirst = [...this.ids.keys()].sort((a, b) => b.length - a.length);
    if (longestFirst.length > 0)
      this.pattern = new RegExp(`(${longestFirst.map((token) => token.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')).join('|')})`);
  }

  split(text: string): Pick<Piece, 'text' | 'id'>[] {
    const parts = this.pattern ? text.split(this.pattern) : [text];
    return parts.flatMap((part, i): Pick<Piece, 'text' | 'id'>[] =>
      i % 2 ? [{ id: this.ids.get(part)! }] : part === '' ? [] : [{ text: part }],
    );
  }

  /** Whether a content spells a special token. */
  spelt(text: string): boolean {
    return this.pattern?.test(text) ?? false;
  }
}

function changed(messages: readonly Message[], part: Part, found: string): UserError {
  const what =
    'message' in part ? `message ${part.message + 1} (${messages[part.message].role})` : JSON.stringify(part.literal.slice(0, 40));
  return new UserError(
    `chat template: it must leave contents as they are, or trim them; at ${what} it has ${JSON.stringify(found.slice(0, 40))}. Choose another template`,
  );
}

function checkWhole(tokenizer: Tokenizer, whole: string, ids: readonly number[]): void {
  const expected = tokenizer.encode(whole, { allowSpecial: true });
  const at = expected.findIndex((id, i) => id !== ids[i]);
  if (at < 0 && expected.length === ids.length) return;
  const near = (tokens: readonly number[]) => JSON.stringify(tokenizer.decode(tokens.slice(Math.max(0, at - 2), at + 3)));
  throw new UserError(
    `chat template: an answer must begin and end where tokens do; at token ${at} the whole text has ${near(expected)}, its parts ${near(ids)}. ` +
      'Remove the white space around the answer, or choose a template that trims',
  );
}
