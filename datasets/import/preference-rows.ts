import { BadRow } from './bad-row.js';
import { asked, Cells, withSystem } from './chat-cells.js';
import { IS_CORRECT, type Part, type PreferenceFormat } from './chat-formats.js';
import { messagesOfEntry, messagesOfList, parsed, type RawMessage, textOf } from './chat-messages.js';
import { type Columns, isRow, kindOf, namesOf, type Row, type TakeRow } from './columns.js';
import type { Ranking, Rankings } from './rankings.js';
import { messagesOfAsking, messagesOfTranscript } from './transcripts.js';

/** Preferences from the rows of a format. */
export function rankingsOfRows(rankings: Rankings, format: PreferenceFormat, columns: Columns): TakeRow {
  return (row, place, excerpt) => {
    try {
      const cells = new Cells(row, format, columns);
      const ranking = format === 'solutions' ? solutions(row, cells) : format === 'rankings' ? ranked(cells) : pair(format, cells);
      if (ranking === undefined) rankings.found.skip('questions whose answers are all right or all wrong');
      else rankings.add({ ...ranking, prompt: withSystem(cells, ranking.prompt) }, place, excerpt);
    } catch (error) {
      if (!(error instanceof BadRow)) throw error;
      rankings.found.reject(place, error.reason, error.message, excerpt);
    }
  };
}

type Value = [value: unknown, name: string];

/** A better and a worse answer. */
function pair(format: PreferenceFormat, cells: Cells): Ranking {
  const before = format === 'sharegpt_dpo' ? messagesOfList(...cells.required('messages')) : promptBefore(cells);
  const sides = [cells.required('chosen'), cells.required('rejected')].map((side) => saidIn(side, before === undefined));
  const margin = cells.optional('margin');
  return {
    ...(sides.every(isAnswer) && before !== undefined ? { prompt: before, responses: sides.map(contentOfLast) } : parted(sides)),
    ...{ ranks: [0, 1], margins: margin && [numberOf(...margin), 0], scores: scoresOfPair(cells), annotator: annotatorOf(cells) },
  };
}

const isAnswer = (messages: readonly RawMessage[]) => messages.length === 1 && messages[0].role === 'assistant';
const contentOfLast = (messages: readonly RawMessage[]) => messages.at(-1)!.content;

/** Earlier turns and the question, where a column holds them. A text may be a transcript that ends where the answer is to begin. */
function promptBefore(cells: Cells): RawMessage[] | undefined {
  const given = cells.optional('prompt');
  if (given === undefined) return undefined;
  const [value, name] = given;
  return (typeof value === 'string' ? messagesOfAsking(value, name) : undefined) ?? asked(cells);
}

/** What a side of a pair says: an answer, or a whole conversation. @param whole a text is a conversation. */
function saidIn([value, name]: Value, whole: boolean): RawMessage[] {
  const given = parsed(value);
  if (Array.isArray(value) || (Array.isArray(given) && given.length > 0 && given.every(isMessage))) return messagesOfList(given, name);
  if (isRow(value) || isMessage(given)) return messagesOfEntry(given, `"${name}"`);
  const text = textOf(value, `"${name}"`);
  return whole ? messagesOfTranscript(text, name) : [{ role: 'assistant', content: text }];
}

const isMessage = (value: unknown) =>
  isRow(value) &&
  ['role', 'from'].some((key) => typeof value[key] === 'string') &&
  ['content', 'value'].some((key) => Object.hasOwn(value, key));

/** Two conversations that share all but their last answers. */
function parted([chosen, rejected]: RawMessage[][]): Pick<Ranking, 'prompt' | 'responses'> {
  const most = Math.min(chosen.length, rejected.length) - 1;
  let shared = 0;
  while (shared < most && chosen[shared].role === rejected[shared].role && chosen[shared].content === rejected[shared].content) shared++;
  if (shared !== most || chosen.length !== rejected.length) {
    throw new BadRow(
      'not a comparison',
      `"chosen" and "rejected" must be the same conversation up to their last answers; of ${chosen.length} and ${rejected.length} messages they share ${shared}`,
    );
  }
  const last = [chosen, rejected].map((messages) => messages.at(-1)?.role ?? 'nobody').find((role) => role !== 'assistant');
  if (last !== undefined) throw new BadRow('wrong roles', `the last message is of the ${last}, and must be the assistant's`);
  return { prompt: chosen.slice(0, shared), responses: [chosen, rejected].map(contentOfLast) };
}

function scoresOfPair(cells: Cells): number[] | undefined {
  const [chosen, rejected] = (['chosen_score', 'rejected_score'] as const).map((part) => cells.optional(part));
  return chosen && rejected && [numberOf(...chosen), numberOf(...rejected)];
}

/** Answers with their ranks. */
function ranked(cells: Cells): Ranking {
  const [given, name] = cells.required('responses');
  const list = listOf(given, name);
  const responses = list.map((value, i) => {
    const messages = saidIn([value, `${name}.${i}`], false);
    if (!isAnswer(messages))
      throw new BadRow('not a comparison', `"${name}" at ${i} must be one answer; it has ${messages.length} messages`);
    return messages[0].content;
  });
  if (responses.length < 2) throw new BadRow('not a comparison', `"${name}" must hold two or more answers; it has ${responses.length}`);
  const numbers = (part: Part, value: Value | undefined) => value && numbersOf(value, part, responses.length);
  const ranks = numbers('ranks', cells.required('ranks'))!;
  const wrong = ranks.find((rank) => !Number.isInteger(rank) || Math.abs(rank) >= 2 ** 31);
  if (wrong !== undefined) throw new BadRow('wrong ranks', `a rank must be a whole number, the lower the better; it is ${wrong}`);
  return {
    ...{ prompt: asked(cells), responses, ranks },
    ...{ margins: numbers('margins', cells.optional('margins')), scores: numbers('scores', cells.optional('scores')) },
    annotator: annotatorOf(cells),
  };
}

/** Right answers (rank 0) and wrong ones (rank 1), wherever in the row they are; undefined where all are the one or the other. */
function solutions(row: Row, cells: Cells): Ranking | undefined {
  const found = Object.values(row)
    .flatMap((value) => parsed(value))
    .flatMap((value) => (isRow(value) && IS_CORRECT.some((key) => typeof value[key] === 'boolean') ? [value] : []));
  if (found.length < 2) {
    throw new BadRow(
      'not a comparison',
      `the row must hold two or more objects with ${IS_CORRECT.join(' or ')} and a solution; it has ${namesOf(row)}`,
    );
  }
  const ranks = found.map((solution) => Number(!IS_CORRECT.some((key) => solution[key] === true)));
  if (ranks.every((rank) => rank === ranks[0])) return undefined;
  const responses = found.map((solution) =>
    textOf(
      SOLUTION.map((key) => solution[key]).find((text) => text !== undefined),
      'a solution',
    ),
  );
  return { prompt: asked(cells), responses, ranks };
}

const SOLUTION = ['solution', 'answer', 'text', 'response'];

function annotatorOf(cells: Cells): string | undefined {
  const [value, name] = cells.optional('annotator') ?? [];
  if (name === undefined) return undefined;
  return typeof value === 'number' || typeof value === 'bigint' ? String(value) : textOf(value, `"${name}"`);
}

function listOf(value: unknown, name: string): unknown[] {
  const list = parsed(value);
  if (Array.isArray(list)) return list;
  throw new BadRow('not a comparison', `"${name}" must be a list; it is ${kindOf(list)}`);
}

function numbersOf([value, name]: Value, part: Part, length: number): number[] {
  const numbers = listOf(value, name).map((entry) => numberOf(entry, name));
  if (numbers.length === length) return numbers;
  throw new BadRow('wrong ranks', `there must be one of ${part} for each answer; there are ${numbers.length} for ${length}`);
}

function numberOf(value: unknown, name: string): number {
  const number = typeof value === 'object' || value === '' || typeof value === 'boolean' ? Number.NaN : Number(value);
  if (Number.isFinite(number)) return number;
  const shown = typeof value === 'object' ? kindOf(value) : JSON.stringify(String(value).slice(0, 40));
  throw new BadRow('wrong ranks', `"${name}" must be a number; it is ${shown}`);
}
