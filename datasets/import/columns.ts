import { UserError } from '../../util/errors.js';
import type { Excerpt, Found, Place } from './found.js';

/** Which column of a row holds what. A name with dots (`meta.text`) leads into nested columns. */
export interface Columns {
  text?: string;
  question?: string;
  answers?: string;
  accepted?: string;
  prompt?: string;
  response?: string;
  system?: string;
  history?: string;
  weight?: string;
  messages?: string;
  reference?: string;
  chosen?: string;
  rejected?: string;
  responses?: string;
  ranks?: string;
  margin?: string;
  margins?: string;
  scores?: string;
  chosen_score?: string;
  rejected_score?: string;
  annotator?: string;
}

const OF_CHATS = ['prompt', 'response', 'system', 'history', 'weight', 'messages', 'reference'] as const;
const OF_PAIRS = ['chosen', 'rejected', 'margin', 'chosen_score', 'rejected_score', 'annotator'] as const;
const OF_RANKINGS = ['responses', 'ranks', 'margins', 'scores'] as const;
const KNOWN = ['text', 'question', 'answers', 'accepted', ...OF_CHATS, ...OF_PAIRS, ...OF_RANKINGS] as const;

/**
 * Reads `text=body`, `question=q,answers=a,accepted=best` or `prompt=q,response=a`.
 * @throws UserError when it is not of that form.
 */
export function parseColumns(mapping: string): Columns {
  const columns: Columns = {};
  for (const part of mapping.split(',')) {
    const [, name, column] = /^\s*(\w+)\s*=\s*(.+?)\s*$/.exec(part) ?? [];
    const known = KNOWN.find((key) => key === name);
    if (known === undefined) {
      throw new UserError(`import: columns must be NAME=COLUMN with the names ${KNOWN.join(', ')}, as in text=body; received ${part}`);
    }
    columns[known] = column;
  }
  return columns;
}

export type Row = Record<string, unknown>;

export const isRow = (value: unknown): value is Row => typeof value === 'object' && value !== null && !Array.isArray(value);

/** The value of a column, by its very name or else along the dots; undefined where there is none. */
export function columnValue(row: Row, column: string): unknown {
  if (Object.hasOwn(row, column)) return row[column];
  const dot = column.indexOf('.');
  const parent = dot > 0 ? row[column.slice(0, dot)] : undefined;
  return isRow(parent) ? columnValue(parent, column.slice(dot + 1)) : undefined;
}

/** What a value is, in words for a message. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  return Array.isArray(value) ? 'a list' : typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/** The columns of a row, for a message: not all of them where they are many. */
export function namesOf(row: Row): string {
  const names = Object.keys(row).join(', ') || 'nothing';
  return names.length > 200 ? `${names.slice(0, 197)}...` : names;
}

/**
 * Requires columns of a file whose columns are known before its rows.
 * @param needed of each list one must be there.
 */
export function checkNeeded(
  path: string,
  needed: readonly (readonly string[])[],
  names: readonly string[],
  has: (column: string) => boolean,
): void {
  for (const columns of needed) {
    if (columns.some(has)) continue;
    throw new UserError(
      `import: ${path} must have the column ${columns.join(' or ')}; it has ${names.join(', ')}. Say which holds what with --columns, as in prompt=NAME,response=NAME or text=NAME`,
    );
  }
}

/** Makes documents of rows, or puts them aside. */
export type TakeRow = (row: Row, place: Place, excerpt: Excerpt) => void;

/** Documents from the column that holds the text. */
export function textOfRows(found: Found, column: string): TakeRow {
  const name = JSON.stringify(column);
  return (row, place, excerpt) => {
    const text = columnValue(row, column);
    if (typeof text === 'string') found.addText(text, place);
    else if (Buffer.isBuffer(text)) found.addBytes(text, 0, text.length, place);
    else if (text === undefined) {
      found.reject(place, 'no such column', `there is no ${name} in the row; it has ${namesOf(row)}`, excerpt);
    } else if (text === null) found.reject(place, 'empty', `${name} is null`, excerpt);
    else found.reject(place, 'not text', `${name} must be text; it is ${kindOf(text)}`, excerpt);
  };
}
