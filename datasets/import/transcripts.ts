import { BadRow } from './bad-row.js';
import type { RawMessage } from './chat-messages.js';

const TURN = /(?:^|\n\n)(Human|Assistant):/;
const ASKS = /\n\nAssistant:\s*$/;

/**
 * The messages of a conversation written as HH-RLHF has it: `\n\nHuman: …\n\nAssistant: …`. White space around each is not of it.
 * @param name of the column, for messages.
 */
export function messagesOfTranscript(text: string, name: string): RawMessage[] {
  const [before, ...turns] = text.trimStart().split(TURN);
  if (turns.length === 0 || before !== '') {
    const begins = JSON.stringify(text.slice(0, 40));
    throw new BadRow(
      'not a conversation',
      `"${name}" must be a transcript (Human: …, a blank line, Assistant: …), or a prompt must stand beside it; it begins ${begins}. If a column holds the prompt, name it with --columns prompt=NAME`,
    );
  }
  return Array.from({ length: turns.length / 2 }, (_, i) => ({
    role: turns[2 * i] === 'Human' ? 'user' : 'assistant',
    content: turns[2 * i + 1].trim(),
  }));
}

/** The messages of a transcript that ends where the assistant is to answer; undefined for any other text. */
export function messagesOfAsking(text: string, name: string): RawMessage[] | undefined {
  return /^\s*Human:/.test(text) && ASKS.test(text) ? messagesOfTranscript(text.replace(ASKS, ''), name) : undefined;
}
