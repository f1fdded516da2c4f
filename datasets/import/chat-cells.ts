import { BadRow } from './bad-row.js';
import { type ChatFormat, columnsOf, type Part } from './chat-formats.js';
import { messagesOfList, parsed, type RawMessage, textOf } from './chat-messages.js';
import { type Columns, columnValue, isRow, namesOf, type Row } from './columns.js';

/** The columns of a row by what they hold. */
export class Cells {
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
export function asked(cells: Cells): RawMessage[] {
  return [...history(cells), ...spoken('user', ...cells.required('prompt'))];
}

export function history(cells: Cells): RawMessage[] {
  const given = cells.optional('history');
  return given === undefined ? [] : messagesOfList(...given);
}

/** A text is what `role` says; a list has messages of its own, as TRL's conversational form. */
export function spoken(role: 'user' | 'assistant', value: unknown, name: string): RawMessage[] {
  return listOfMessages(value, name) ?? [{ role, content: textOf(value, `"${name}"`) }];
}

/** The messages of a list, or of a text that is JSON of one; undefined for anything else, such as a text that happens to be JSON. */
function listOfMessages(value: unknown, name: string): RawMessage[] | undefined {
  const isList = Array.isArray(value) || (typeof value === 'string' && isMessages(parsed(value)));
  return isList ? messagesOfList(value, name) : undefined;
}

function isMessages(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((entry) => isRow(entry) && typeof entry.role === 'string' && Object.hasOwn(entry, 'content'))
  );
}

/** A system message of the messages' own goes before the column's. */
export function withSystem(cells: Cells, messages: RawMessage[]): RawMessage[] {
  const system = cells.optional('system');
  if (system === undefined || messages[0]?.role === 'system') return messages;
  return [{ role: 'system', content: textOf(system[0], `"${system[1]}"`) }, ...messages];
}

/** A value with its column's name as messages show it. */
export const quoted = ([value, name]: [unknown, string]): [unknown, string] => [value, `"${name}"`];
