import type { VerdictConfig, VerdictEntry } from '../../configs/verdict-schema.js';
import type { Prompt } from '../../datasets/conversations.js';
import type { Gold } from '../../datasets/world/gold.js';
import type { LoadedModel } from '../../sampler/model.js';
import type { ChatTemplate } from '../../tokenizer/index.js';
import { bestOfNDivergence } from '../best-of-n.js';
import { evaluateConversations } from '../evaluate-conversations.js';
import { evaluateText } from '../evaluate-text.js';
import { type Interval, meanInterval } from '../intervals.js';
import { responseSequence } from '../packed-sequences.js';
import type { RewardModel } from '../reward-model.js';
import { sequenceLogProbs } from '../sequence-losses.js';
import { type Answer, type DrawOptions, drawAnswers } from './answers.js';
import { decoded, type JudgedAnswer } from './decoded.js';
import { bestOf, goldAt, scoresOf } from './judging.js';
import type { AskedModel } from './models.js';
import type { Decoded, VerdictModel } from './types.js';

/** What a model is judged with. */
export interface Court {
  config: VerdictConfig;
  prompts: readonly Prompt[];
  gold: Gold;
  reward?: RewardModel;
  reference: AskedModel;
  signal?: AbortSignal;
  onProgress?: (text: string) => void;
}

/** A model with its answers, one to each prompt. */
export interface Judged {
  found: VerdictModel;
  sampled: JudgedAnswer[];
  greedy?: JudgedAnswer[];
}

/** Lets a model answer all prompts, and measures what there is to measure of it alone. */
export async function judgeModel(name: string, asked: AskedModel, court: Court): Promise<Judged> {
  const { config, prompts, signal, onProgress } = court;
  const { model, template, entry, asking } = asked;
  const { best_of: n = 1 } = entry;
  const say = (what: string) => onProgress?.(`${name}: ${what}`);
  const draw = (options: Pick<DrawOptions, 'temperature' | 'indices'>) =>
    drawAnswers(model, asking, {
      ...{ ...options, maxTokens: config.max_tokens, seed: config.seed, signal },
      onProgress: (finished, total) => say(`${finished.toLocaleString('en')} of ${total.toLocaleString('en')} answers`),
    });

  // 1. Answers at temperature 1, of several the one that the reward model chooses, and what they are worth.
  const drawn = await draw({ temperature: 1, indices: n === 1 ? [0] : Array.from({ length: n }, (_, i) => i + 1) });
  const sampled = await judgedAnswers(drawn, court);
  const figures = decoded(prompts, sampled, model.tokenizer, 1);
  Object.assign(figures, await departure(asked, sampled, court));
  const checkpoint = { checkpoint: entry.checkpoint, how: howOf(entry), gold_reward: figures.gold_reward };
  if (n > 1) return { found: { ...checkpoint, decodings: { sampled: figures } }, sampled };

  // 2. The likeliest answers.
  const greedy = await judgedAnswers(await draw({ temperature: 0, indices: [0] }), court);
  const decodings = { sampled: figures, greedy: decoded(prompts, greedy, model.tokenizer, 0) };

  // 3. What the model makes of held-out conversations and text.
  say('held-out text');
  return { found: { ...checkpoint, ...(await losses(model, template, court)), decodings }, sampled, greedy };
}

/** Of the answers to each prompt the one with the highest score, with its gold reward. */
async function judgedAnswers(answers: readonly (readonly Answer[])[], { prompts, reward, gold, signal }: Court): Promise<JudgedAnswer[]> {
  const scores = reward && (await scoresOf(reward, prompts, answers, signal));
  return answers.map((own, row) => {
    const best = scores ? bestOf(scores[row]) : 0;
    return { ...own[best], gold: goldAt(gold, prompts, row, own[best]), ...(scores && { score: scores[row][best] }) };
  });
}

/**
 * How far a model is from the reference, and how sure of itself, on answers that it drew. The divergence needs both to read the same tokens; of the best of
 * n of the reference's own answers it is known, and its entropy is not.
 * Source: k1 of Schulman, "Approximating KL divergence", summed over the answer; Stiennon et al. 2020 for the best of n.
 */
async function departure(
  asked: AskedModel,
  sampled: readonly JudgedAnswer[],
  { reference, signal }: Court,
): Promise<Pick<Decoded, 'kl' | 'entropy'>> {
  const { model, entry, asking } = asked;
  const isReference = model === reference.model && entry.few_shot === reference.entry.few_shot && reference.entry.best_of === undefined;
  if (entry.best_of !== undefined) return isReference ? { kl: exactly(bestOfNDivergence(entry.best_of), sampled.length) } : {};
  const sequences = sampled.map(({ tokens }, i) => responseSequence(asking.questions[i].ids, tokens));
  const own = await sequenceLogProbs(model, sequences, signal);
  const tokens = sampled.reduce((sum, answer) => sum + answer.tokens.length, 0);
  const entropy = own.reduce((sum, answer) => sum + answer.entropy, 0) / tokens;
  if (isReference) return { kl: exactly(0, sampled.length), entropy };
  if (!readsTheSame(asked, reference)) return { entropy };
  const other = await sequenceLogProbs(reference.model, sequences, signal);
  return { kl: meanInterval(own.map(({ logProb }, i) => logProb - other[i].logProb)), entropy };
}

/** What is known, and not measured. */
function exactly(mean: number, n: number): Interval {
  return { mean, ci95: [mean, mean], n };
}

/** Whether the reference is asked in the same tokens and answers by itself, so that answers have a probability by it. */
function readsTheSame({ model, asking }: AskedModel, reference: AskedModel): boolean {
  return (
    reference.entry.best_of === undefined &&
    model.tokenizer.hash() === reference.model.tokenizer.hash() &&
    model.config.max_position_embeddings <= reference.model.config.max_position_embeddings &&
    asking.questions.every(({ ids }, row) => ids.join() === reference.asking.questions[row].ids.join())
  );
}

async function losses(
  model: LoadedModel,
  template: ChatTemplate,
  { config: { conversations, eval_fraction: evalFraction = 0, text }, signal }: Court,
): Promise<Pick<VerdictModel, 'eval_loss' | 'text_bits_per_byte'>> {
  const talk = { split: 'eval', evalFraction, trainOn: 'assistant', generate: false, maxTokens: 0, batchSize: 1, examples: 0 } as const;
  return {
    ...(conversations !== undefined && {
      eval_loss: (await evaluateConversations(model, template, conversations, { ...talk, signal })).all.loss,
    }),
    ...(text !== undefined && {
      text_bits_per_byte: (await evaluateText(model, text, { split: 'eval', evalFraction, packing: 'segments', signal })).all.bits_per_byte,
    }),
  };
}

/** How a model is asked, in words. */
function howOf({ few_shot, best_of }: VerdictEntry): string {
  const question =
    few_shot === undefined ? 'chat template' : `few-shot: ${few_shot} example${few_shot === 1 ? '' : 's'} before the question`;
  if (best_of === undefined) return question;
  return `best of ${best_of} by the reward model${few_shot === undefined ? '' : `, ${question}`}`;
}
