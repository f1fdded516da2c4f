import type { Prompt } from '../../datasets/conversations.js';
import type { GoldScore } from '../../datasets/world/gold.js';
import type { Tokenizer } from '../../tokenizer/index.js';
import { groupBy } from '../../util/group-by.js';
import { distinct } from '../diversity.js';
import { type Interval, meanInterval } from '../intervals.js';
import { normalisedMatch } from '../match.js';
import type { Answer } from './answers.js';
import type { Decoded, GoldParts } from './types.js';

/** An answer with what it is worth. */
export interface JudgedAnswer extends Answer {
  gold: GoldScore;
  /** The reward model's, where there is one. */
  score?: number;
}

/**
 * The figures of a model's answers, one to each prompt, but for those that need the model or another one.
 * @param tokenizer whose tokens the different ones are counted in.
 */
export function decoded(prompts: readonly Prompt[], answers: readonly JudgedAnswer[], tokenizer: Tokenizer, temperature: number): Decoded {
  const golds = answers.map(({ gold }) => gold.total);
  const scores = answers.flatMap(({ score }) => (score === undefined ? [] : [score]));
  const matches = prompts.flatMap(({ reference }, i) => (reference === undefined ? [] : [normalisedMatch(answers[i].text, reference)]));
  const texts = answers.map(({ text }) => tokenizer.encode(text));
  const kinds = groupBy(golds.keys(), (i) => kindOf(prompts[i]));
  return {
    temperature,
    gold_reward: meanInterval(golds),
    parts: {
      facts: mean(answers, ({ gold }) => gold.facts),
      complete: mean(answers, ({ gold }) => gold.complete),
      courteous: mean(answers, ({ gold }) => gold.courteous),
      concise: mean(answers, ({ gold }) => gold.concise),
      ended: mean(answers, ({ gold }) => gold.ended),
    },
    by_kind: Object.fromEntries([...kinds].map(([kind, rows]) => [kind, meanInterval(rows.map((i) => golds[i]))])),
    ...(scores.length > 0 && { score: meanInterval(scores) }),
    ...(matches.length > 0 && { exact_match: mean(matches, Number) }),
    distinct_1: distinct(texts, 1),
    distinct_2: distinct(texts, 2),
    response_length: mean(answers, ({ tokens }) => tokens.length),
    ended: mean(answers, ({ ended }) => Number(ended)),
  };
}

/** The kind of a prompt: its source up to the first stroke. */
export function kindOf({ source }: Pick<Prompt, 'source'>): string {
  return source.split('/', 1)[0];
}

/** How often the first of two models is better, by the gold rewards of their answers to the same prompts; equal ones count half. */
export function winRate(own: readonly number[], other: readonly number[]): Interval {
  return meanInterval(own.map((gold, i) => (gold > other[i] ? 1 : gold < other[i] ? 0 : 0.5)));
}

/** The parts of a gold reward. */
export function partsOf({ total: _, ...parts }: GoldScore): GoldParts {
  return parts;
}

/** So many prompts in their order, from each kind equally many where it has them, each kind's first. */
export function examplesOf(prompts: readonly Prompt[], count: number): number[] {
  const kinds = [...groupBy(prompts.keys(), (i) => kindOf(prompts[i])).values()];
  const rounds = Math.max(0, ...kinds.map((rows) => rows.length));
  const inTurns = Array.from({ length: rounds }, (_, round) => kinds.flatMap((rows) => rows.slice(round, round + 1))).flat();
  return inTurns.slice(0, count).sort((a, b) => a - b);
}

function mean<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((sum, item) => sum + of(item), 0) / items.length;
}
