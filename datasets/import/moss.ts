import { BadRow } from './bad-row.js';
import { messagesOfEntry, messagesOfList, parsed, type RawMessage } from './chat-messages.js';
import { isRow, namesOf } from './columns.js';

const TURN = /^turn_(\d+)$/;
const BEGIN = /^\s*<\|(?:Human|MOSS)\|>:?/;
const END = /<eo[a-z]>$/;
const CITED = '(?:<sup>)?<\\|/?\\d+\\|>(?:[, ]*<\\|/?\\d+\\|>)*(?:</sup>)?';
/** `<sup><|1|></sup>`: which result of a tool an answer rests on; and the space before it, where that parts nothing. */
const CITATIONS = new RegExp(` ${CITED}(?=\\s|$)|${CITED}`, 'g');

/**
 * Messages of a chat of MOSS: `turn_1 … turn_N` of Human and MOSS, or a list of such turns. What the model thought, commanded and got is no
 * part of a conversation, and is left out.
 * Source: moss-003-sft-data.
 */
export function messagesOfMoss(value: unknown, name: string): RawMessage[] {
  const chat = parsed(value);
  const messages = isRow(chat) ? turnsOf(chat, name) : messagesOfList(chat, name);
  return messages.map(({ role, content }) => ({ role, content: withoutMarkers(content) }));
}

function turnsOf(chat: Record<string, unknown>, name: string): RawMessage[] {
  const turns = Object.entries(chat).flatMap(([key, turn]) => {
    const [, number] = TURN.exec(key) ?? [];
    return number === undefined || turn === null || turn === undefined ? [] : [{ key, number: Number(number), turn }]; // Parquet gives every row the longest's turns
  });
  if (turns.length === 0) throw new BadRow('not a conversation', `"${name}" must have turn_1 and so on; it has ${namesOf(chat)}`);
  turns.sort((a, b) => a.number - b.number);
  return turns.flatMap(({ key, turn }) => messagesOfEntry(turn, `"${name}" at ${key}`));
}

/** `<|Human|>: text<eoh>` and `<|MOSS|>: text<sup><|1|></sup><eom>` without their marks. */
function withoutMarkers(content: string): string {
  let text = content.replace(BEGIN, '').trimEnd();
  while (END.test(text.slice(-5))) text = text.slice(0, -5).trimEnd(); // some answers have two
  return text.replace(CITATIONS, '').trim();
}
