import { type Columns, columnValue, kindOf, namesOf, type Row, type TakeRow } from './columns.js';
import type { Found } from './found.js';

interface Answer {
  text: string;
  score: number;
  accepted: boolean;
  id?: unknown;
}

/** Names that data sets of questions and answers have for these. */
const TEXT = ['text', 'body', 'answer', 'content'];
const SCORE = ['score', 'pm_score', 'votes'];
const ACCEPTED = ['accepted', 'selected', 'is_accepted', 'is_selected'];
const ID = ['id', 'answer_id'];

/** The document of a question: it, then the accepted answer, then the others by their score. */
export function questionDocument(question: string, answers: readonly Omit<Answer, 'id'>[]): string {
  const ordered = [...answers].sort((a, b) => Number(b.accepted) - Number(a.accepted) || b.score - a.score);
  return [question, ...ordered.map(({ text }) => text)].map((text) => text.trim()).join('\n\n');
}

/** Columns of a row that hold answers where none is named. */
export const ANSWER_COLUMNS = ['answers', 'answer'];

/**
 * Documents from rows of a question and its answers. The answers are text, a list of texts, or a list of objects with their text, score and whether
 * they are accepted. The accepted one may be said beside them, too: by its index from 0, its id or its text.
 */
export function questionsOfRows(found: Found, columns: Columns): TakeRow {
  const questionColumn = columns.question ?? 'question';
  return (row, place, excerpt) => {
    const question = columnValue(row, questionColumn);
    const answersColumn = columns.answers ?? ANSWER_COLUMNS.find((name) => columnValue(row, name) !== undefined) ?? 'answers';
    const given = columnValue(row, answersColumn);
    for (const [name, value] of [
      [questionColumn, question],
      [answersColumn, given],
    ] as const) {
      if (value !== undefined) continue;
      return found.reject(place, 'no such column', `there is no "${name}" in the row; it has ${namesOf(row)}`, excerpt);
    }
    if (typeof question !== 'string')
      return found.reject(place, 'not text', `"${questionColumn}" must be text; it is ${kindOf(question)}`, excerpt);
    const answers = answersOf(given, columnValue(row, columns.accepted ?? 'accepted'));
    if (typeof answers === 'string') return found.reject(place, 'not text', `"${answersColumn}" ${answers}`, excerpt);
    if (question.trim() === '') found.reject(place, 'empty', `"${questionColumn}" is empty`, excerpt);
    else if (answers.length === 0) found.skip('questions without answers');
    else found.addText(questionDocument(question, answers), place);
  };
}

/** The answers of a row, or what is wrong with them. */
function answersOf(given: unknown, accepted: unknown): Answer[] | string {
  const list = typeof given === 'string' ? [given] : given === null ? [] : given;
  if (!Array.isArray(list)) return `must be text or a list; it is ${kindOf(given)}`;
  const answers: Answer[] = [];
  for (const [i, entry] of list.entries()) {
    const answer = answerOf(entry);
    if (answer === undefined) return `must hold texts or objects with ${TEXT.join(' or ')}; the one at ${i} is ${kindOf(entry)}`;
    answer.accepted ||= accepted !== undefined && accepted !== null && [i, answer.text, answer.id].some((way) => isSame(way, accepted));
    if (answer.text.trim() !== '') answers.push(answer);
  }
  return answers;
}

function answerOf(entry: unknown): Answer | undefined {
  if (typeof entry === 'string') return { text: entry, score: 0, accepted: false };
  if (typeof entry !== 'object' || entry === null) return undefined;
  const first = (names: readonly string[]) =>
    names.map((name) => (entry as Row)[name]).find((value) => value !== undefined && value !== null);
  const text = first(TEXT);
  if (typeof text !== 'string') return undefined;
  const accepted = first(ACCEPTED);
  const score = first(SCORE);
  return { text, score: typeof score === 'object' ? 0 : Number(score ?? 0), accepted: accepted === true || accepted === 1, id: first(ID) };
}

/** Parquet gives large numbers as BigInt. */
function isSame(a: unknown, b: unknown): boolean {
  const isNumber = (value: unknown) => typeof value === 'number' || typeof value === 'bigint';
  return isNumber(a) && isNumber(b) ? Number(a) === Number(b) : a !== undefined && a === b;
}
