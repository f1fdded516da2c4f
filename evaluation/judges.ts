import type { Answer } from '../datasets/generations.js';
import type { Preference } from '../datasets/preferences.js';
import { ANNOTATORS, rankByGold, simulatedRanks } from '../datasets/world/annotators.js';
import type { Gold } from '../datasets/world/gold.js';
import type { Message } from '../tokenizer/index.js';
import { UserError } from '../util/errors.js';

/** Different answers to one prompt, to be ranked. */
export interface RankingTask {
  /** Place of the prompt in the table of generations. */
  row: number;
  prompt: Message[];
  source: string;
  answers: Answer[];
}

/** How somebody ranks the answers of a task, in their order. */
export type Judgement = Required<Pick<Preference, 'annotator' | 'ranks'>> & Pick<Preference, 'scores'>;

/** Ranks a task; may be several annotators. */
export type Judge = (task: RankingTask) => Promise<Judgement[]>;

/** Scores of some responses to a prompt, the higher the better. */
export type Scorer = (prompt: readonly Message[], responses: readonly string[]) => Promise<number[]>;

/** By the gold reward; its scores are kept. */
export function goldJudge(gold: Gold): Judge {
  return async (task) => {
    const scores = goldScores(gold, task);
    return [{ annotator: 'gold', ranks: rankByGold(scores), scores }];
  };
}

/** The world's annotators take turns; every tenth prompt is ranked by all of them, so that their agreement can be measured. */
export function simulatedJudge(gold: Gold, seed: number): Judge {
  return async (task) => {
    const scores = goldScores(gold, task);
    const { row } = task;
    const annotators = row % 10 === 0 ? ANNOTATORS : [ANNOTATORS[row % ANNOTATORS.length]];
    return annotators.map((annotator) => ({ annotator: annotator.name, ranks: simulatedRanks(scores, annotator, { seed, row }), scores }));
  };
}

/** By scores, such as a reward model's: 1 is the best, equal scores are a tie. */
export function scoreJudge(annotator: string, scorer: Scorer): Judge {
  return async ({ prompt, answers }) => {
    const scores = await scorer(
      prompt,
      answers.map(({ text }) => text),
    );
    const order = [...new Set(scores)].sort((a, b) => b - a);
    return [{ annotator, ranks: scores.map((score) => order.indexOf(score) + 1), scores }];
  };
}

function goldScores(gold: Gold, { prompt, answers, row }: RankingTask): number[] {
  try {
    return answers.map(({ text, finishReason }) => gold(prompt, text, finishReason === 'stop').total);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(`rank: row ${row}: ${error.message}`, 1, { cause: error });
  }
}
