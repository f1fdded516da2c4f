import type { ChatTemplate, Message } from '../tokenizer/index.js';
import { UserError } from '../util/errors.js';
import { type AnswerTokens, answerTokens } from './answer-tokens.js';
import { splitKey, wrongRoles } from './conversations.js';
import { isHeldOut } from './documents.js';
import { comparable, type Preference, pairCounts, readPreferences } from './preferences.js';

/** The answers to one prompt, as tokens. All have the same prompt before them. */
export interface RankedTokens {
  /** One a response: from the mark that begins a text, over prompt and response, to the mark that ends the response. */
  ids: Int32Array[];
  /** One a response: lower is better, equal is a tie. There are two different ones. */
  ranks: number[];
  /** One a response; the margin of a pair is the difference of its two. */
  margins?: number[];
  /** One a response: what the annotator gave it, for example the gold reward. */
  scores?: number[];
  source: string;
  /** Place in its table, from 0. */
  row: number;
  /** One a response: how many of its last ids are the response, the mark that ends it included. */
  responseTokens: number[];
}

/** What became of the rows of a source; `rows = kept + withoutComparison + dropped + beyondLimit`. */
export interface PreferenceCounts {
  rows: number;
  kept: number;
  /** Rows all of whose responses have the same rank. */
  withoutComparison: number;
  /** Rows with an answer that does not fit, however much of the prompt is cut. */
  dropped: number;
  /** Training rows after the first `limit`. */
  beyondLimit: number;
  /** Of the kept ones: those whose prompt lost its beginning. */
  promptsCut: number;
  /** Of the kept ones: all responses, their pairs of different and of equal ranks. */
  answers: number;
  comparisons: number;
  ties: number;
}

export interface PreparedPreferences {
  train: RankedTokens[];
  heldOut: RankedTokens[];
  /** By source, in the order in which they are met. */
  counts: Record<string, PreferenceCounts>;
}

export interface PreparePreferencesOptions {
  /** Tokens that prompt and answer may have together. */
  contextLength: number;
  /** Part of the prompts that is held out, in [0, 1). */
  evalFraction: number;
  /** The first so many training rows only; what is held out does not depend on it. */
  limit?: number;
}

/**
 * Tables of preferences → tokens, ready for the reward model. A row is held out by the hash of its first question, so that all its pairs, and all rows
 * of one prompt, are on one side. Where a prompt and its longest answer are too long, the prompt loses its left part, the same for all answers: first
 * whole turns, the oldest first, then the beginning of the last question. The system message and the mark before the question stay, and at least one
 * token of the question. An answer is never cut.
 *
 * All is held in memory: 4 bytes a token, the prompt once for each answer (100,000 answers of 500 tokens: 200 MB).
 * @throws UserError when a file is no table of preferences, the template refuses a row, or nothing is left to train on or to hold out.
 */
export async function preparePreferences(
  paths: readonly string[],
  template: ChatTemplate,
  options: PreparePreferencesOptions,
): Promise<PreparedPreferences> {
  const { contextLength, evalFraction, limit = Number.POSITIVE_INFINITY } = options;
  const prepared: PreparedPreferences = { train: [], heldOut: [], counts: {} };
  for (const path of paths) {
    let row = 0;
    for await (const rows of readPreferences(path)) {
      for (const preference of rows) {
        const place = row++;
        prepared.counts[preference.source] ??= noCounts();
        const counts = prepared.counts[preference.source];
        counts.rows++;
        const part = isHeldOut(splitKey(preference.prompt), evalFraction) ? 'heldOut' : 'train';
        if (!comparable(preference)) counts.withoutComparison++;
        else if (part === 'train' && prepared.train.length >= limit) counts.beyondLimit++;
        else {
          const encoded = encodeRow(preference, template, contextLength, `row ${place} of ${path}`);
          if (encoded === undefined) counts.dropped++;
          else prepared[part].push(countKept(counts, preference, place, encoded));
        }
      }
      await new Promise(setImmediate);
    }
  }
  checkParts(prepared, paths, options);
  return prepared;
}

/** The sum over all sources. */
export function totalCounts(counts: PreparedPreferences['counts']): PreferenceCounts {
  const total = noCounts();
  for (const source of Object.values(counts)) for (const key of Object.keys(total) as (keyof PreferenceCounts)[]) total[key] += source[key];
  return total;
}

interface EncodedRow {
  answers: AnswerTokens[];
  cut: boolean;
}

/** A row's answers behind as much of the prompt as fits with the longest of them; undefined where none of it does. */
function encodeRow(
  { prompt, responses }: Preference,
  template: ChatTemplate,
  contextLength: number,
  place: string,
): EncodedRow | undefined {
  const wrong = wrongRoles(prompt.map(({ role }) => role), 'user'); // biome-ignore format: short
  if (wrong !== undefined)
    throw new UserError(`prepare preferences: a prompt must end with a question; ${place}: ${wrong}. Correct it or leave it out`);
  const encode = (messages: readonly Message[]) => responses.map((response) => encodeAnswer(messages, response, template, place));
  const system = prompt[0].role === 'system' ? 1 : 0;

  // 1. Whole turns leave, the oldest first.
  let messages: readonly Message[] = prompt;
  let answers = encode(messages);
  while (longest(answers) > contextLength && messages.length > system + 1) {
    messages = [...messages.slice(0, system), ...messages.slice(system + 2)];
    answers = encode(messages);
  }
  const over = longest(answers) - contextLength;
  if (over <= 0) return { answers, cut: messages.length < prompt.length };

  // 2. The question loses its first tokens.
  const [begin, end] = questionIn(answers[0], messages, responses[0], template, place);
  if (over >= end - begin) return undefined;
  return { answers: answers.map(({ ids, from }) => ({ ids: ids.toSpliced(begin, over), from: from - over })), cut: true };
}

function encodeAnswer(messages: readonly Message[], response: string, template: ChatTemplate, place: string): AnswerTokens {
  try {
    return answerTokens(template, messages, response);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(`prepare preferences: ${place}: ${error.message}`, 1, { cause: error });
  }
}

/** The place of the last question's tokens, [begin, end): what is not there when it is empty. */
function questionIn(
  { ids }: AnswerTokens,
  messages: readonly Message[],
  response: string,
  template: ChatTemplate,
  place: string,
): [begin: number, end: number] {
  const { ids: without } = encodeAnswer([...messages.slice(0, -1), { role: 'user', content: '' }], response, template, place);
  let begin = 0;
  while (begin < without.length && ids[begin] === without[begin]) begin++;
  return [begin, begin + ids.length - without.length];
}

const longest = (answers: readonly AnswerTokens[]) => Math.max(...answers.map(({ ids }) => ids.length));

function countKept(counts: PreferenceCounts, preference: Preference, row: number, { answers, cut }: EncodedRow): RankedTokens {
  const { ranks, margins, scores, source } = preference;
  const { comparisons, ties } = pairCounts(ranks);
  counts.kept++;
  counts.answers += ranks.length;
  counts.comparisons += comparisons;
  counts.ties += ties;
  if (cut) counts.promptsCut++;
  return {
    ids: answers.map(({ ids }) => Int32Array.from(ids)),
    ranks,
    ...(margins && { margins }),
    ...(scores && { scores }),
    source,
    row,
    responseTokens: answers.map(({ ids, from }) => ids.length - from),
  };
}

function noCounts(): PreferenceCounts {
  const outcome = { rows: 0, kept: 0, withoutComparison: 0, dropped: 0, beyondLimit: 0 };
  return { ...outcome, promptsCut: 0, answers: 0, comparisons: 0, ties: 0 };
}

function checkParts({ train, heldOut, counts }: PreparedPreferences, paths: readonly string[], options: PreparePreferencesOptions): void {
  const { contextLength, evalFraction } = options;
  const missing = train.length === 0 ? 'train on' : heldOut.length === 0 && evalFraction > 0 ? 'hold out' : undefined;
  if (missing === undefined) return;
  const { rows, withoutComparison, dropped } = totalCounts(counts);
  throw new UserError(
    `prepare preferences: there must be rows to ${missing}; of ${rows} in ${paths.join(', ')}, ${withoutComparison} hold no comparison, ${dropped} are longer than ${contextLength} tokens, and with eval_fraction: ${evalFraction} none is left. ` +
      'Add data, raise context_length, or change data.eval_fraction (0 holds none out)',
  );
}
