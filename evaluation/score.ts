import { requireKind } from '../datasets/conversations.js';
import { readGenerations } from '../datasets/generations.js';
import { readPreferences } from '../datasets/preferences.js';
import type { Message } from '../tokenizer/index.js';
import { UserError, writeError } from '../util/errors.js';
import { exists, writeFileAtomic } from '../util/files.js';
import { table } from '../util/terminal.js';
import { type RewardModel, scoreResponses } from './reward-model.js';

/** A prompt and some answers to it. */
export interface Answers {
  prompt: Message[];
  responses: string[];
}

export interface ScoredAnswers extends Answers {
  /** Raw, one a response. */
  scores: number[];
  /** Less the mean of the scores of reference answers, in their standard deviations. */
  normalised: number[];
  /** Of an ensemble: how far its members are apart, standard deviation. */
  std?: number[];
}

export async function scoreAnswers(model: RewardModel, { prompt, responses }: Answers): Promise<ScoredAnswers> {
  const scored = await scoreResponses(model, prompt, responses);
  return {
    ...{ prompt, responses, scores: scored.map(({ score }) => score), normalised: scored.map(({ normalised }) => normalised) },
    ...(model.members.length > 1 && { std: scored.map(({ std }) => std) }),
  };
}

/** Scores as people read them in a terminal, the best answer first. */
export function scoresText({ responses, scores, normalised, std }: ScoredAnswers, members: number): string {
  const order = scores.map((_, i) => i).sort((a, b) => scores[b] - scores[a] || a - b);
  const header = ['score', 'normalised', ...(members > 1 ? ['± members'] : []), 'response'];
  const rows = order.map((i) => [scores[i].toFixed(4), normalised[i].toFixed(2), ...(std ? [std[i].toFixed(3)] : []), responses[i]]);
  return table(rows, { header, align: header.map((name) => (name === 'response' ? 'left' : 'right')) });
}

/**
 * Scores all answers of a table of preferences or generations: a line of JSON a prompt, in a file that appears when it is complete, or as text.
 * @throws UserError for what cannot be read or written.
 */
export async function scoreTable(
  model: RewardModel,
  data: string,
  { output, overwrite = false, json = false }: { output?: string; overwrite?: boolean; json?: boolean },
): Promise<string> {
  if (output !== undefined && !overwrite && (await exists(output)))
    throw new UserError(`score: ${output} exists already. Choose another output, or say --overwrite`);
  const lines: string[] = [];
  const shown: string[] = [];
  let answers = 0;
  for await (const row of answersIn(data)) {
    const scored = await scoreAnswers(model, row);
    answers += row.responses.length;
    if (output === undefined && !json)
      shown.push(`${row.prompt.at(-1)!.content}\n${scoresText(scored, model.members.length).replace(/^/gm, '  ')}`);
    else lines.push(JSON.stringify(scored));
  }
  if (output === undefined) return json ? lines.join('\n') : shown.join('\n\n');
  try {
    await writeFileAtomic(output, `${lines.join('\n')}\n`);
  } catch (error) {
    throw writeError(output, error);
  }
  return `${output}: scores of ${answers.toLocaleString('en')} answers to ${lines.length.toLocaleString('en')} prompts`;
}

async function* answersIn(data: string): AsyncGenerator<Answers> {
  if ((await requireKind(data, ['preferences', 'generations'])) === 'preferences') {
    for await (const rows of readPreferences(data)) yield* rows;
    return;
  }
  for await (const rows of readGenerations(data)) {
    for (const { prompt, answers } of rows) yield { prompt, responses: answers.map(({ text }) => text) };
  }
}
