import type { ModelConfig } from '../model/config.js';
import { languageModelLosses, targetLogProbs } from '../model/heads.js';
import type { Parameters } from '../model/parameters.js';
import { forward } from '../model/transformer.js';
import type { Sequence } from './packed-sequences.js';
import { sequenceSums } from './sequence-sums.js';

interface Model {
  config: ModelConfig;
  parameters: Parameters;
}

/** What a model says of the tokens of a sequence that are to be predicted. */
export interface SequenceLoss {
  /** Sum of −log p, in nats. */
  loss: number;
  /** Those that are the likeliest one. */
  correct: number;
  /** How many there are; 0: there is nothing to be said. */
  tokens: number;
}

/**
 * −log p of the tokens of each sequence that are to be predicted (of an answer: see `ChatTemplate.encode`), without gradients.
 * @param sequences none longer than the model's context.
 * @returns in the order of the sequences.
 */
export async function sequenceLosses(
  { config, parameters }: Model,
  sequences: readonly Sequence[],
  signal?: AbortSignal,
): Promise<SequenceLoss[]> {
  const sums = await sequenceSums(
    sequences,
    config,
    (batch) => {
      const { losses, correct } = languageModelLosses(parameters, config, forward(parameters, config, batch), batch.targets);
      return [losses, correct];
    },
    signal,
  );
  return sums.map(([loss, correct], i) => ({ loss, correct, tokens: predictedTokens(sequences[i]) }));
}

/** What a model says of such tokens at temperature 1. */
export interface SequenceLogProb {
  /** Sum of log p, in nats. */
  logProb: number;
  /** Sum of the entropies of the distributions that they are of, in nats. */
  entropy: number;
}

/** log p of the tokens of each sequence that are to be predicted, and the entropy; as `sequenceLosses`. */
export async function sequenceLogProbs(
  { config, parameters }: Model,
  sequences: readonly Sequence[],
  signal?: AbortSignal,
): Promise<SequenceLogProb[]> {
  const sums = await sequenceSums(
    sequences,
    config,
    (batch) => {
      const { logProbs, entropy } = targetLogProbs(parameters, config, forward(parameters, config, batch), batch.targets, 1);
      return [logProbs, entropy];
    },
    signal,
  );
  return sums.map(([logProb, entropy]) => ({ logProb, entropy }));
}

/** The first token is never predicted. */
function predictedTokens({ ids, supervised }: Sequence): number {
  let count = 0;
  for (let t = 1; t < ids.length; t++) if (!supervised || supervised[t]) count++;
  return count;
}
