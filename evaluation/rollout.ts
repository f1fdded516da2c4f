// Legend: B rows of a batch, T tokens of a row.
import * as tf from '@tensorflow/tfjs';
import { recorded } from '../backends/recording.js';
import type { PromptTokens } from '../datasets/prepare-prompts.js';
import type { ModelConfig } from '../model/config.js';
import { divergence, targetLogProbs, tokenScores } from '../model/heads.js';
import type { Parameters } from '../model/parameters.js';
import { forward } from '../model/transformer.js';
import { generate } from '../sampler/generate.js';
import { answerText } from '../sampler/output.js';
import type { ChatTemplate, Tokenizer } from '../tokenizer/index.js';
import type { PpoBatch } from '../training/ppo-step.js';
import { inputs } from '../training/step.js';
import { packedSequences } from './packed-sequences.js';

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

/** What three models say of an episode, of each token of the response. */
export interface Judged extends Episode {
  /** Log-probabilities and entropies of the policy, by the pass that learns. */
  logProbs: Float32Array;
  entropy: Float32Array;
  refLogProbs: Float32Array;
  /** Σ π·log(π/π_ref) over the vocabulary. */
  divergence: Float32Array;
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
  judge(episodes: readonly Episode[]): Promise<Judged[]>;
  dispose(): void;
}

/** @param B, T shape of the batches; an episode is no longer than T. */
export function judges(policy: Model, reference: Model, critic: Model, { B, T }: { B: number; T: number }, temperature: number): Judges {
  const input = inputs(B, T);
  const { batch } = input;
  const pass = recorded(() => [
    tf.tidy(() => {
      const [own, other] = [policy, reference].map((model) => ({ ...model, hidden: forward(model.parameters, model.config, batch) }));
      const said = targetLogProbs(own.parameters, own.config, own.hidden, batch.targets, temperature);
      const refSaid = targetLogProbs(other.parameters, other.config, other.hidden, batch.targets, temperature);
      const values = tokenScores(critic.parameters, forward(critic.parameters, critic.config, batch));
      return tf.stack([said.logProbs, said.entropy, refSaid.logProbs, divergence(own, other, temperature), values]); // [5, B·T]
    }),
  ]);
  return {
    async judge(episodes) {
      const judged: Judged[] = new Array(episodes.length);
      for (const { batch: host, places } of packedSequences(sequencesOf(episodes), B, T)) {
        input.write(host);
        const said = (await pass.run()[0].data()) as Float32Array;
        for (const { sequence, from } of places) {
          const episode = episodes[sequence];
          const of = (what: number) => {
            const first = what * B * T + from + episode.of.ids.length - 1;
            return said.slice(first, first + episode.response.length);
          };
          judged[sequence] = {
            ...episode,
            ...{ logProbs: of(0), entropy: of(1), refLogProbs: of(2), divergence: of(3), values: of(4) },
          };
        }
        await new Promise(setImmediate); // signals arrive
      }
      return judged;
    },
    dispose() {
      pass.dispose();
      input.dispose();
    },
  };
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

/** The lessons of a minibatch in batches of one shape; all real tokens weigh the same, and 1 together. */
export function ppoBatches(lessons: readonly Lesson[], { B, T }: { B: number; T: number }): PpoBatch[] {
  const tokens = lessons.reduce((sum, { episode }) => sum + episode.response.length, 0);
  const numbers = () => new Float32Array(B * T);
  return [...packedSequences(sequencesOf(lessons.map(({ episode }) => episode)), B, T)].map(({ batch: host, places }) => {
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

/** Prompt and response of each; the response is to be predicted. */
function sequencesOf(episodes: readonly Episode[]) {
  return episodes.map(({ of, response }) => ({
    ids: [...of.ids, ...response],
    supervised: [...new Uint8Array(of.ids.length), ...new Uint8Array(response.length).fill(1)],
  }));
}
