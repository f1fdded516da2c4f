import { BadRow } from './bad-row.js';
import { asked, Cells, history, quoted, spoken, withSystem } from './chat-cells.js';
import type { ChatFormat, PreferenceFormat } from './chat-formats.js';
import { messagesOfList, parsed, type RawMessage, textOf } from './chat-messages.js';
import type { Chats, Draft } from './chats.js';
import { type Columns, isRow, kindOf, type TakeRow } from './columns.js';
import { messagesOfMoss } from './moss.js';

/** The formats whose rows are conversations or prompts. */
export type ConversationFormat = Exclude<ChatFormat, PreferenceFormat>;

/** Conversations or prompts from the rows of a format. A row may give several. */
export function chatsOfRows(chats: Chats, format: ConversationFormat, columns: Columns): TakeRow {
  return (row, place, excerpt) => {
    try {
      for (const draft of draftsOf(format, new Cells(row, format, columns))) chats.add(draft, place, excerpt);
    } catch (error) {
      if (!(error instanceof BadRow)) throw error;
      chats.found.reject(place, error.reason, error.message, excerpt);
    }
  };
}

function draftsOf(format: ConversationFormat, cells: Cells): Draft[] {
  const weight = weightOf(cells.optional('weight'));
  switch (format) {
    case 'alpaca':
      return alpaca(cells).map((messages) => ({ messages, weight }));
    case 'moss':
      return [{ messages: messagesOfMoss(...cells.required('messages')), weight }];
    case 'sharegpt':
    case 'messages':
      return [{ messages: withSystem(cells, messagesOfList(...cells.required('messages'))), weight }];
    case 'prompts':
      return [{ messages: withSystem(cells, asked(cells)), reference: referenceOf(cells.optional('reference')) }];
    default:
      return [{ messages: withSystem(cells, [...asked(cells), ...spoken('assistant', ...cells.required('response'))]), weight }];
  }
}

/** An instruction with its input and output, or with several of them (self-instruct's instances): a conversation each. */
function alpaca(cells: Cells): RawMessage[][] {
  const instruction = textOf(...quoted(cells.required('prompt')));
  const conversation = (input: unknown, output: unknown, name: string) =>
    withSystem(cells, [
      ...history(cells),
      { role: 'user', content: joined(instruction, input) },
      { role: 'assistant', content: textOf(output, name) },
    ]);
  const instances = cells.optional('instances');
  if (instances === undefined) return [conversation(cells.optional('input')?.[0], ...quoted(cells.required('response')))];
  const [value, name] = instances;
  const list = parsed(value);
  if (!Array.isArray(list) || !list.every(isRow)) {
    throw new BadRow('not a conversation', `"${name}" must be a list of objects with input and output; it is ${kindOf(list)}`);
  }
  return list.map(({ input, output }, i) => conversation(input, output, `the output of "${name}" at ${i}`));
}

/**
 * The question of an instruction and its input. A blank line parts them, as in the prompt that Alpaca was trained with: many inputs have lines of their
 * own, and a single line break (LLaMA-Factory) would make one text of both.
 */
function joined(instruction: string, input: unknown): string {
  const given = input === undefined || input === null ? '' : textOf(input, '"input"');
  return [instruction, given].filter((text) => text.trim() !== '').join('\n\n');
}

function weightOf(given: [value: unknown, name: string] | undefined): number | undefined {
  if (given === undefined) return undefined;
  const [value, name] = given;
  const weight = Math.fround(typeof value === 'object' ? Number.NaN : Number(value));
  if (Number.isFinite(weight) && weight >= 0) return weight;
  throw new BadRow(
    'wrong weight',
    `"${name}" must be a number, 0 or more; it is ${typeof value === 'object' ? kindOf(value) : String(value).slice(0, 40)}`,
  );
}

/** An answer to compare with may be a number. */
function referenceOf(given: [value: unknown, name: string] | undefined): string | undefined {
  if (given === undefined) return undefined;
  const [value, name] = given;
  const text = typeof value === 'number' || typeof value === 'bigint' ? String(value) : textOf(value, `"${name}"`);
  return text.trim() === '' ? undefined : text;
}
