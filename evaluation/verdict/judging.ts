import { answerTokens } from '../../datasets/answer-tokens.js';
import type { Prompt } from '../../datasets/conversations.js';
import type { Gold, GoldScore } from '../../datasets/world/gold.js';
import { UserError } from '../../util/errors.js';
import { type RewardModel, scoreTexts } from '../reward-model.js';
import type { Answer } from './answers.js';

/** The gold reward of an answer. @throws UserError, with the prompt's row, where it asks nothing that the world knows of. */
export function goldAt(gold: Gold, prompts: readonly Prompt[], row: number, { text, ended }: Answer): GoldScore {
  try {
    return gold(prompts[row].prompt, text, ended);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(`verdict: row ${row}: ${error.message}`, 1, { cause: error });
  }
}

/**
 * A reward model's scores of the answers to each prompt, normalised by what reference answers get. The same text to a prompt is scored once; one that
 * is longer than the model's context loses its left part, as in PPO.
 */
export async function scoresOf(
  { template, contextLength, normal, ...model }: RewardModel,
  prompts: readonly Prompt[],
  answers: readonly (readonly Answer[])[],
  signal?: AbortSignal,
): Promise<number[][]> {
  const ids: Int32Array[] = [];
  const places = answers.map((own, row) => {
    const known = new Map<string, number>();
    return own.map(({ text }) => {
      if (!known.has(text))
        known.set(text, ids.push(Int32Array.from(answerTokens(template, prompts[row].prompt, text).ids.slice(-contextLength))) - 1);
      return known.get(text)!;
    });
  });
  const { mean } = await scoreTexts({ ...model, template, contextLength, normal }, ids, signal);
  return places.map((own) => own.map((place) => (mean[place] - normal.mean) / normal.std));
}

/** The place of the highest score, of equal ones the first. */
export function bestOf(scores: readonly number[]): number {
  return scores.indexOf(Math.max(...scores));
}
