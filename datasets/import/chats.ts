import type { Message } from '../../tokenizer/index.js';
import { type Conversation, type Prompt, wrongRoles } from '../conversations.js';
import type { RawMessage } from './chat-messages.js';
import { type Excerpt, type Found, isWellFormed, MAX_DOCUMENT_BYTES, type Place, type Reason } from './found.js';

/** What a row gives, before the rules are asked. */
export interface Draft {
  messages: RawMessage[];
  weight?: number;
  /** Of a prompt. */
  reference?: string;
}

/** A row of the table of conversations or of prompts. */
export interface Chat extends Conversation, Pick<Prompt, 'reference'> {}

/** Conversations or prompts that an importer finds, as they wait to be taken; what breaks the rules goes to `found`. */
export class Chats {
  /** UTF-8 of the messages that wait. */
  size = 0;
  private rows: Chat[] = [];

  /** @param last who has the last word: the assistant in a conversation, the user in a prompt. */
  constructor(
    readonly found: Found,
    private readonly last: 'assistant' | 'user',
  ) {}

  get length(): number {
    return this.rows.length;
  }

  /** Adds what follows the rules: a system message first or none (an empty one is none), user and assistant in turns, each with text. */
  add({ messages: given, weight, reference }: Draft, place: Place, excerpt: Excerpt): void {
    const messages = withoutEmptySystem(given);
    const texts = [...messages.map(({ content }) => content), ...(reference === undefined ? [] : [reference])];
    const size = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
    const wrong = this.wrong(messages, texts);
    if (wrong !== undefined) this.found.reject(place, ...wrong, excerpt);
    else if (size > MAX_DOCUMENT_BYTES) this.found.tooLarge(place, size, Buffer.from(texts[0].slice(0, 200)));
    else {
      this.size += size;
      const { source } = this.found;
      const optional = { ...(weight === undefined ? {} : { weight }), ...(reference === undefined ? {} : { reference }) };
      this.rows.push({ messages: messages as Message[], source, ...optional });
    }
  }

  /** What waits. It is the caller's now. */
  take(): Chat[] {
    this.size = 0;
    return this.rows.splice(0);
  }

  private wrong(messages: readonly RawMessage[], texts: readonly string[]): [Reason, detail: string] | undefined {
    const order = wrongRoles(messages.map(({ role }) => role), this.last); // biome-ignore format: short
    if (order !== undefined) return ['wrong roles', order];
    for (const [i, text] of texts.entries()) {
      const wrong = wrongText(text, i < messages.length ? `message ${i + 1}` : 'the reference', this.found);
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  }
}

/** What a text that was found must not be. @param what it is, for messages. */
export function wrongText(text: string, what: string, { encoding }: Pick<Found, 'encoding'>): [Reason, detail: string] | undefined {
  if (text.trim() === '') return ['empty', `${what} has no text`];
  if (encoding !== undefined && text.includes('\ufffd'))
    return ['not the right encoding', `${what} has bytes that are not ${encoding} (where U+FFFD stands now)`];
  return isWellFormed(text) ? undefined : ['not text', `${what} holds half of a character (a lone surrogate)`];
}

/** Messages without a system message that says nothing. */
export function withoutEmptySystem(messages: RawMessage[]): RawMessage[] {
  return messages[0]?.role === 'system' && messages[0].content.trim() === '' ? messages.slice(1) : messages;
}
