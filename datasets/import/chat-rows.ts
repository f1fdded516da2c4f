import { BadRow } from './bad-row.js';
import { type ChatFormat, columnsOf, type Part } from './chat-formats.js';
import { messagesOfList, parsed, type RawMessage, textOf } from './chat-messages.js';
import type { Chats, Draft } from './chats.js';
import { type Columns, columnValue, isRow, kindOf, namesOf, type Row, type TakeRow } from './columns.js';
import { messagesOfMoss } from './moss.js';

/** Conversations or prompts from the rows of a format. A row may give several. */
export function chatsOfRows(chats: Chats, format: ChatFormat, columns: Columns): TakeRow {
  return (row, place, excerpt) => {
    try {
      for (const draft of draftsOf(format, new Cells(row, format, columns))) chats.add(draft, place, excerpt);
    } catch (error) {
      if (!(error instanceof BadRow)) throw error;
      chats.found.reject(place, error.reason, error.message, excerpt);
    }
  };
}

function draftsOf(format: ChatFormat, cells: Cells): Draft[] {
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

/** The columns of a row by what they hold. */
class Cells {
  constructor(
    private readonly row: Row,
    private readonly format: ChatFormat,
    private readonly columns: Columns,
  ) {}

  /** The value and its column's name; undefined where there is none, or nothing in it. */
  optional(part: Part): [value: unknown, name: string] | undefined {
    for (const name of columnsOf(this.format, part, this.columns)) {
      const value = columnValue(this.row, name);
      if (value !== undefined && value !== null && value !== '') return [value, name];
    }
    return undefined;
  }

  /** @throws BadRow where there is none. */
  required(part: Part): [value: unknown, name: string] {
    const names = columnsOf(this.format, part, this.columns);
    const name = names.find((name) => columnValue(this.row, name) !== undefined);
    if (name !== undefined) return [columnValue(this.row, name), name];
    const wanted = names.map((name) => `"${name}"`).join(' or ');
    throw new BadRow('no such column', `there is no ${wanted} in the row; it has ${namesOf(this.row)}`);
  }
}

/** Earlier turns, and the question. */
function asked(cells: Cells): RawMessage[] {
  return [...history(cells), ...spoken('user', ...cells.required('prompt'))];
}

function history(cells: Cells): RawMessage[] {
  const given = cells.optional('history');
  return given === undefined ? [] : messagesOfList(...given);
}

/** A text is what `role` says; a list has messages of its own, as TRL's conversational form. */
function spoken(role: 'user' | 'assistant', value: unknown, name: string): RawMessage[] {
  return Array.isArray(value) || (typeof value === 'string' && isListOfMessages(parsed(value)))
    ? messagesOfList(value, name)
    : [{ role, content: textOf(value, `"${name}"`) }];
}

/** Whether what a text of JSON stands for is messages, and not a text that happens to be JSON. */
function isListOfMessages(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((entry) => isRow(entry) && typeof entry.role === 'string' && Object.hasOwn(entry, 'content'))
  );
}

/** A system message of the messages' own goes before the column's. */
function withSystem(cells: Cells, messages: RawMessage[]): RawMessage[] {
  const system = cells.optional('system');
  if (system === undefined || messages[0]?.role === 'system') return messages;
  return [{ role: 'system', content: textOf(system[0], `"${system[1]}"`) }, ...messages];
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

const quoted = ([value, name]: [unknown, string]): [unknown, string] => [value, `"${name}"`];

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
