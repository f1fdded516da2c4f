import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { RewardSource } from '../configs/ppo-schema.js';
import { answerTokens } from '../datasets/answer-tokens.js';
import { optimality, type WalkGraph, walkGraph } from '../datasets/random-walks.js';
import { type Gold, openGold } from '../datasets/world/gold.js';
import type { Message } from '../tokenizer/index.js';
import { UserError } from '../util/errors.js';
import { distance, outsideShare } from './boundary.js';
import { pooler } from './mean-pooled-states.js';
import { packedRows } from './packed-sequences.js';
import { loadRewardModel, type RewardModel } from './reward-model.js';
import { type Scorer, scorer } from './scorer.js';

/** An answer that is to get a score. */
export interface Answered {
  prompt: readonly Message[];
  /** A good answer, where the table has one. */
  reference?: string;
  /** The text as its reader sees it. */
  response: string;
  /** Whether the model ended it. */
  ended: boolean;
}

/** Gives answers their scores. */
export interface RewardFunction {
  /** In the order of the answers, finite; a reward model's are normalised by what reference answers get. */
  score(answers: readonly Answered[]): Promise<number[]>;
  /** Share of the answers that are outside the boundary of what the reward model was trained on; absent where no boundary is known. */
  outside?(answers: readonly Answered[]): Promise<number>;
  /** The reward model, where there is one. */
  model?: RewardModel;
  dispose(): void;
}

/**
 * @param policy what the answers are of: its tokenizer's hash, and the tokens that prompt and answer may have together.
 * @throws UserError for a reward that cannot be used with the policy.
 */
export async function openReward(source: RewardSource, policy: { tokenizer: string; longest: number }): Promise<RewardFunction> {
  if ('model' in source) return modelReward(await loadRewardModel(source.model), source, policy);
  if (source.function === 'gold') return goldReward(await openGold(source.world!));
  if (source.function === 'random_walks') return walksReward(walkGraph());
  return moduleReward(source.function);
}

function goldReward(gold: Gold): RewardFunction {
  return {
    score: async (answers) => answers.map(({ prompt, response, ended }) => gold(prompt, response, ended).total),
    dispose() {},
  };
}

function walksReward(graph: WalkGraph): RewardFunction {
  return {
    score: async (answers) => answers.map(({ prompt, response }) => optimality(graph, prompt, response)),
    dispose() {},
  };
}

async function moduleReward(file: string): Promise<RewardFunction> {
  let module: { default?: unknown };
  try {
    module = (await import(pathToFileURL(path.resolve(file)).href)) as { default?: unknown };
  } catch (cause) {
    throw new UserError(`reward.function: ${file} must be a module that can be loaded; ${(cause as Error).message}. Correct it`, 1, {
      cause,
    });
  }
  const { default: given } = module;
  if (typeof given !== 'function') {
    throw new UserError(
      `reward.function: ${file} must export a function as its default; its default is ${given === undefined ? 'missing' : `of type ${typeof given}`}. Write export default (answers) => answers.map(…)`,
    );
  }
  return {
    async score(answers) {
      const scores = (await given(answers)) as unknown;
      const sound = Array.isArray(scores) && scores.length === answers.length && scores.every(Number.isFinite);
      if (sound) return scores as number[];
      throw new UserError(
        `reward.function: ${file} must give a finite number for each of ${answers.length} answers; received ${JSON.stringify(scores)?.slice(0, 100)}. Correct the function`,
      );
    },
    dispose() {},
  };
}

function modelReward(
  model: RewardModel,
  { model: name, combine }: Extract<RewardSource, { model: string }>,
  { tokenizer, longest }: { tokenizer: string; longest: number },
): RewardFunction {
  const refuse = (rule: string) => {
    model.dispose();
    throw new UserError(`reward.model: ${name} ${rule}`);
  };
  if (model.head === 'pair')
    refuse('must have a scalar head, which scores one answer; its head compares pairs. Train one with head: scalar');
  if (model.tokenizer.hash() !== tokenizer) {
    refuse("must have the policy's tokenizer; it has another. Train it from the model that init_from names, or from that one's base");
  }
  if (model.contextLength < longest) {
    refuse(
      `must read prompt and answer of ${longest} tokens; its context has ${model.contextLength}. Lower max_new_tokens, or leave long prompts out`,
    );
  }
  const { members, normal, boundary } = model;
  // One that was cut is read with the mark that ends it; in other tokens than it was drawn in, it may be longer still. Two of the usual ones share a row.
  const T = Math.min(model.contextLength, 2 * (longest + 1));
  const scorers = members.map(({ config, parameters }): Scorer => scorer(config, parameters, T));
  const pooling = boundary && pooler(members[0], { B: packedRows(T), T });
  const single = members.length === 1;
  return {
    model,
    async score(answers) {
      const texts = answers.map((answer) => textOf(model, answer, T));
      const scores: Float32Array[] = [];
      for (const one of scorers) scores.push(await one.score(texts));
      return texts.map((_, i) => {
        const own = scores.map((values, m) => values[i] - (single ? normal.mean : (members[m].config.score_mean ?? 0)));
        return combined(own, combine) / normal.std;
      });
    },
    ...(pooling && {
      async outside(answers: readonly Answered[]) {
        const states = await pooling.states(answers.map((answer) => textOf(model, answer, T)));
        return outsideShare(boundary, states.map((state) => distance(boundary, state))); // biome-ignore format: short
      },
    }),
    dispose() {
      for (const one of [...scorers, pooling]) one?.dispose();
      model.dispose();
    },
  };
}

/** One score of those of an ensemble's members. Source: Coste et al. 2023, section 4. */
function combined(scores: readonly number[], how: 'mean' | 'min' | 'mean_minus_std'): number {
  const mean = scores.reduce((a, b) => a + b, 0) / scores.length;
  if (how === 'min') return Math.min(...scores);
  if (how === 'mean' || scores.length === 1) return mean;
  return mean - Math.sqrt(scores.reduce((sum, score) => sum + (score - mean) ** 2, 0) / (scores.length - 1));
}

/** Prompt and answer as the reward model was trained to read them, up to the mark that ends the answer; one that is too long loses its left part. */
function textOf({ template }: RewardModel, { prompt, response }: Answered, T: number): Int32Array {
  return Int32Array.from(answerTokens(template, prompt, response).ids.slice(-T));
}
