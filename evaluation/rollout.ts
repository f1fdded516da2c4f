// Legend: B rows of a batch, T tokens of a row.
import type { PromptTokens } from '../datasets/prepare-prompts.js';
import type { ModelConfig } from '../model/config.js';
import { divergence, targetLogProbs, tokenScores } from '../model/heads.js';
import type { Parameters } from '../model/parameters.js';
import { type Batch, forward } from '../model/transformer.js';
import { generate } from '../sampler/generate.js';
import { answerText } from '../sampler/output.js';
import type { ChatTemplate, Tokenizer } from '../tokenizer/index.js';
import { type BatchPasses, batchPasses } from '../training/batch-passes.js';
import type { PpoBatch } from '../training/ppo-step.js';
import { packedSequences, responseSequence } from './packed-sequences.js';

/** An answer that was drawn. */
export interface Episode {
  of: PromptTokens;
  /** The mark that ends it included. */
  response: number[];
  /** As its reader sees it. */
  text: string;
  /** Whether it ended; otherwise it was cut at the longest. */
  ended: boolean;
  /** Of each token, by the sampler. */
  sampled: number[];
}

/** What policy and reference say of an episode, of each token of the response. */
export interface Compared extends Episode {
  /** Log-probabilities and entropies of the policy, by the pass that learns. */
  logProbs: Float32Array;
  entropy: Float32Array;
  refLogProbs: Float32Array;
  /** Σ π·log(π/π_ref) over the vocabulary. */
  divergence: Float32Array;
}

/** The same, and what the critic says. */
export interface Judged extends Compared {
  /** Of the text before the token. */
  values: Float32Array;
}

interface Model {
  config: ModelConfig;
  parameters: Parameters;
}

export interface RolloutOptions {
  temperature: number;
  maxTokens: number;
  seed: number;
  /** One a prompt; a draw is a function of the seed, this number and the token's place. */
  numbers: readonly number[];
  signal?: AbortSignal;
}

/** Answers each prompt once. */
export async function rollOut(
  policy: Model,
  prompts: readonly PromptTokens[],
  { tokenizer, template }: { tokenizer: Tokenizer; template: ChatTemplate },
  { temperature, maxTokens, seed, numbers, signal }: RolloutOptions,
): Promise<Episode[]> {
  const { tokens, logProbs, finishReasons } = await generate(
    policy,
    prompts.map(({ ids }) => ids),
    {
      ...{ sampling: { temperature }, maxTokens, eos: template.stopIds, seed, numbers, signal },
      ...{ batchSize: Math.min(64, prompts.length), pastContext: 'stop' },
    },
  );
  return prompts.map((of, i) => {
    const output = answerText(tokenizer, { stopIds: template.stopIds, stop: [], maxTokens });
    const text = tokens[i].map((id) => output.push(id)).join('') + output.end();
    return { of, response: tokens[i], text, ended: finishReasons[i] === 'stop', sampled: logProbs[i] };
  });
}

export interface Judges {
  compare(episodes: readonly Episode[]): Promise<Compared[]>;
  judge(episodes: readonly Episode[]): Promise<Judged[]>;
  dispose(): void;
}

/**
 * @param critic a model of its own, or one whose only parameter is a head: it reads the policy's hidden states.
 * @param shape  rows of a batch, at most, and their tokens; an episode is no longer.
 */
export function judges(policy: Model, reference: Model, critic: Model, shape: { B: number; T: number }, temperature: number): Judges {
  const read = ({ parameters, config }: Model, batch: Required<Batch>) => forward(parameters, config, batch, { wanted: batch.targets });
  const models = batchPasses((batch) => {
    const [own, other] = [policy, reference].map((model) => ({ ...model, hidden: read(model, batch) }));
    const said = targetLogProbs(own.parameters, own.config, own.hidden, batch.targets, temperature);
    const refSaid = targetLogProbs(other.parameters, other.config, other.hidden, batch.targets, temperature);
    return [said.logProbs, said.entropy, refSaid.logProbs, divergence(own, other, batch.targets, temperature)];
  });
  const trunk = critic.parameters.size === 1 ? policy : critic;
  const critics = batchPasses((batch) => [tokenScores(critic.parameters, read(trunk, batch))]);
  const compare = async (episodes: readonly Episode[]) => {
    const said = await ofResponses(models, episodes, shape);
    return said.map(([logProbs, entropy, refLogProbs, divergence], i): Compared => {
      return { ...episodes[i], logProbs, entropy, refLogProbs, divergence };
    });
  };
  return {
    compare,
    async judge(episodes) {
      const compared = await compare(episodes);
      return (await ofResponses(critics, episodes, shape)).map(([values], i): Judged => ({ ...compared[i], values }));
    },
    dispose() {
      models.dispose();
      critics.dispose();
    },
  };
}

/** Of each episode what passes give, [B·T] each, at the tokens of its response. */
async function ofResponses(
  passes: BatchPasses,
  episodes: readonly Episode[],
  { B, T }: { B: number; T: number },
): Promise<Float32Array[][]> {
  const found: Float32Array[][] = new Array(episodes.length);
  for (const { batch, places } of packedSequences(sequencesOf(episodes), B, T)) {
    const given = (await Promise.all(passes.run(batch).map((tensor) => tensor.data()))) as Float32Array[];
    for (const { sequence, from } of places) {
      const { of, response } = episodes[sequence];
      const first = from + of.ids.length - 1; // the place that predicts the response's first token
      found[sequence] = given.map((values) => values.slice(first, first + response.length));
    }
    await new Promise(setImmediate); // signals arrive
  }
  return found;
}

/** What policy and critic are to learn from an episode, of each token of the response. */
export interface Lesson {
  episode: Episode;
  /** Of the policy that sampled. */
  oldLogProbs: ArrayLike<number>;
  oldValues: ArrayLike<number>;
  advantages: ArrayLike<number>;
  returns: ArrayLike<number>;
}

/** The lessons of a minibatch in batches of up to B rows; all real tokens weigh the same, and 1 together. */
export function ppoBatches(lessons: readonly Lesson[], { B, T }: { B: number; T: number }): PpoBatch[] {
  const tokens = lessons.reduce((sum, { episode }) => sum + episode.response.length, 0);
  return [...packedSequences(sequencesOf(lessons.map(({ episode }) => episode)), B, T)].map(({ batch: host, places }) => {
    const numbers = () => new Float32Array(host.ids.length);
    const batch: PpoBatch = {
      ...{ host, oldLogProbs: numbers(), advantages: numbers(), oldValues: numbers(), returns: numbers(), weights: numbers() },
    };
    for (const { sequence, from } of places) {
      const { episode, oldLogProbs, advantages, oldValues, returns } = lessons[sequence];
      const first = from + episode.of.ids.length - 1; // the place that predicts the response's first token
      batch.oldLogProbs.set(oldLogProbs, first);
      batch.advantages.set(advantages, first);
      batch.oldValues.set(oldValues, first);
      batch.returns.set(returns, first);
      batch.weights.fill(1 / tokens, first, first + episode.response.length);
    }
    return batch;
  });
}

/** Prompt and response of each. */
function sequencesOf(episodes: readonly Episode[]) {
  return episodes.map(({ of, response }) => responseSequence(of.ids, response));
}
