import { BadRow } from './bad-row.js';
import { isRow, kindOf, namesOf, type Row } from './columns.js';

/** A message whose role may be any word yet. */
export interface RawMessage {
  role: string;
  content: string;
}

/** Who says it, by the names that data sets have for them. Another name stays, for the rule of roles to refuse. */
const ROLE_OF = new Map([
  ...['human', 'user'].map((name) => [name, 'user'] as const),
  ...['gpt', 'chatgpt', 'assistant', 'bing', 'bard', 'moss'].map((name) => [name, 'assistant'] as const),
  ...['system', 'developer'].map((name) => [name, 'system'] as const),
]);

const ROLE = ['role', 'from'];
const CONTENT = ['content', 'value'];

/**
 * Messages of a list, whatever its entries are: `{role, content}`, `{from, value}`, a question with its answer as `{human, assistant}`,
 * `{Human, MOSS}` or `[question, answer]`. The list may be JSON in a text.
 * @param name of the column, for messages.
 */
export function messagesOfList(value: unknown, name: string): RawMessage[] {
  const list = parsed(value);
  if (!Array.isArray(list)) throw new BadRow('not a conversation', `"${name}" must be a list of messages; it is ${kindOf(list)}`);
  return list.flatMap((entry, i) => messagesOfEntry(entry, `"${name}" at ${i}`));
}

/** Messages of an entry: one, or a question with its answer. */
export function messagesOfEntry(entry: unknown, where: string): RawMessage[] {
  if (Array.isArray(entry) && entry.length === 2) return pair(entry[0], entry[1], where);
  if (!isRow(entry)) throw new BadRow('not a conversation', `${where} must be a message; it is ${kindOf(entry)}`);
  const role = ROLE.find((key) => Object.hasOwn(entry, key));
  if (role !== undefined) return [messageOf(entry, entry[role], where)];
  const sides = ['user', 'assistant'].map((side) => Object.keys(entry).find((key) => ROLE_OF.get(key.toLowerCase()) === side));
  if (sides[0] !== undefined && sides[1] !== undefined) return pair(entry[sides[0]], entry[sides[1]], where);
  throw new BadRow('not a conversation', `${where} must have a role and content (or from and value); it has ${namesOf(entry)}`);
}

/** Text, or a list of parts that are `{type: 'text', text}`. */
export function contentOf(value: unknown, where: string): string {
  if (!Array.isArray(value)) return textOf(value, where);
  return value.map((part) => textOf(isRow(part) && (part.type ?? 'text') === 'text' ? part.text : part, `a part of ${where}`)).join('');
}

/** @throws BadRow for what is no text, or text that is not UTF-8. */
export function textOf(value: unknown, where: string): string {
  if (typeof value === 'string') return value;
  if (Buffer.isBuffer(value)) throw new BadRow('not the right encoding', `${where} has bytes that are not UTF-8`);
  if (value === null || value === undefined) throw new BadRow('empty', `${where} is null`);
  const what = isRow(value) && typeof value.type === 'string' ? `an object of the type ${JSON.stringify(value.type)}` : kindOf(value);
  throw new BadRow('not text', `${where} must be text; it is ${what}`);
}

/** What JSON in a text stands for; anything else as it is. CSV has no lists. */
export function parsed(value: unknown): unknown {
  if (typeof value !== 'string' || !/^\s*[[{]/.test(value)) return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

function pair(question: unknown, answer: unknown, where: string): RawMessage[] {
  return [
    { role: 'user', content: contentOf(question, `the question of ${where}`) },
    { role: 'assistant', content: contentOf(answer, `the answer of ${where}`) },
  ];
}

function messageOf(entry: Row, given: unknown, where: string): RawMessage {
  const name = textOf(given, `the role of ${where}`);
  const role = ROLE_OF.get(name.trim().toLowerCase()) ?? name;
  const key = CONTENT.find((key) => Object.hasOwn(entry, key));
  if (key === undefined) throw new BadRow('not a conversation', `${where} must have a content (or value); it has ${namesOf(entry)}`);
  // OpenAI's fine-tuning gives messages weights of 0 or 1: to train on what is not to be trained on would be worse than to leave it out.
  if (entry.weight !== undefined && entry.weight !== null && Number(entry.weight) !== 1) {
    throw new BadRow('wrong weight', `${where} has a weight of its own; a weight is of a whole conversation`);
  }
  return { role, content: contentOf(entry[key], `the content of ${where}`) };
}
