import fs from 'node:fs/promises';
import path from 'node:path';
import type { DeviceDescription } from '../backends/device.js';
import { checkpointTokenizer, loadCheckpoint, readCheckpointFiles, resolveCheckpoint } from '../checkpoints/load.js';
import { answerTokens } from '../datasets/answer-tokens.js';
import type { ModelConfig } from '../model/config.js';
import { type Parameters, parametersFrom } from '../model/parameters.js';
import type { ModelOptions } from '../sampler/model.js';
import { type ChatTemplate, type Message, readChatTemplate, type Tokenizer } from '../tokenizer/index.js';
import { takeDevice } from '../training/device.js';
import { UserError } from '../util/errors.js';
import { exists } from '../util/files.js';
import { type Boundary, readBoundary } from './boundary.js';
import { scorer } from './scorer.js';

/** One of the models whose scores are taken together. */
export interface RewardMember {
  config: ModelConfig;
  parameters: Parameters;
  /** Directory of its checkpoint. */
  directory: string;
}

/** A reward model, or an ensemble of them. */
export interface RewardModel {
  members: RewardMember[];
  head: 'scalar' | 'pair';
  tokenizer: Tokenizer;
  template: ChatTemplate;
  /** Tokens that a text may have. */
  contextLength: number;
  /** Of the first member. */
  boundary?: Boundary;
  /** Mean and standard deviation of `score` over reference answers. */
  normal: { mean: number; std: number };
  dispose(): void;
}

/** Name of the file that makes a directory an ensemble: `{"members": ["member-0", …]}`. */
export const ENSEMBLE = 'ensemble.json';

/**
 * Loads a reward model or an ensemble, of a checkpoint or a run's directory, onto the device in use.
 * @throws UserError when there is none, or it is a language model.
 */
export async function loadRewardModel(given: string): Promise<RewardModel> {
  const directories = await memberDirectories(given);
  const members: RewardMember[] = [];
  let first: Pick<RewardModel, 'tokenizer' | 'template'> | undefined;
  for (const directory of directories) {
    const checkpoint = await loadCheckpoint(directory);
    const { config, weights } = checkpoint;
    if (config.head === undefined) {
      throw new UserError(
        `loading a reward model: ${directory} must be one; it is a language model. Train one from it with fourfold reward`,
      );
    }
    if (!first) {
      const tokenizer = checkpointTokenizer(checkpoint);
      first = { tokenizer, template: await readChatTemplate(directory, tokenizer) };
    }
    members.push({ config, parameters: parametersFrom(config, weights), directory });
  }
  const configs = members.map(({ config }) => config);
  const average = (of: (config: ModelConfig) => number) => configs.reduce((sum, config) => sum + of(config), 0) / configs.length;
  return {
    members,
    head: configs[0].head!,
    ...first!,
    contextLength: Math.min(...configs.map((config) => config.max_position_embeddings)),
    boundary: await readBoundary(members[0].directory),
    normal: { mean: members.length > 1 ? 0 : (configs[0].score_mean ?? 0), std: average(({ score_std = 1 }) => score_std) },
    dispose() {
      for (const { parameters } of members) for (const parameter of parameters.values()) parameter.dispose();
    },
  };
}

/** Takes a device and a precision in use, and loads a reward model there. */
export async function openRewardModel(given: string, options: ModelOptions): Promise<RewardModel & { on: DeviceDescription }> {
  const on = await takeDevice(options, (text) => console.error(text));
  return { ...(await loadRewardModel(given)), on };
}

/** Whether a path leads to a reward model or an ensemble, and not to a language model. */
export async function isRewardModel(given: string): Promise<boolean> {
  if (await ensembleDirectory(given)) return true;
  return (await readCheckpointFiles(await resolveCheckpoint(given))).config.head !== undefined;
}

async function ensembleDirectory(given: string): Promise<string | undefined> {
  for (const directory of [given, path.join(given, 'final')]) if (await exists(path.join(directory, ENSEMBLE))) return directory;
  return undefined;
}

async function memberDirectories(given: string): Promise<string[]> {
  const ensemble = await ensembleDirectory(given);
  if (ensemble === undefined) return [await resolveCheckpoint(given)];
  const { members } = JSON.parse(await fs.readFile(path.join(ensemble, ENSEMBLE), 'utf8')) as { members: string[] };
  return members.map((member) => path.join(ensemble, member));
}

/** Scores with their spread over the members of an ensemble. */
export interface SpreadScores {
  /** Raw; of an ensemble the mean over its members of the raw score less the member's own mean, since each has its own origin. */
  mean: Float64Array;
  /** Standard deviation over the members (n − 1); 0 for a single model. */
  std: Float64Array;
}

/** The scores of texts. @param texts none longer than the model's context. */
export async function scoreTexts({ members }: RewardModel, texts: readonly Int32Array[], signal?: AbortSignal): Promise<SpreadScores> {
  const T = texts.reduce((most, { length }) => Math.max(most, length), 1);
  const scores: Float64Array[] = [];
  for (const { config, parameters } of members) {
    const scoring = scorer(config, parameters, T, texts.length);
    const origin = members.length > 1 ? (config.score_mean ?? 0) : 0;
    try {
      scores.push(Float64Array.from(await scoring.score(texts, signal), (score) => score - origin));
    } finally {
      scoring.dispose();
    }
  }
  const n = members.length;
  const mean = Float64Array.from(texts, (_, i) => scores.reduce((sum, own) => sum + own[i], 0) / n);
  const std = Float64Array.from(texts, (_, i) =>
    n === 1 ? 0 : Math.sqrt(scores.reduce((sum, own) => sum + (own[i] - mean[i]) ** 2, 0) / (n - 1)),
  );
  return { mean, std };
}

/**
 * Scores of responses to a prompt: raw, and normalised by what reference answers get.
 * @throws UserError where a text is longer than the model's context, or the model reads pairs.
 */
export async function scoreResponses(
  model: RewardModel,
  prompt: readonly Message[],
  responses: readonly string[],
): Promise<{ score: number; std: number; normalised: number }[]> {
  if (model.head === 'pair') {
    throw new UserError(
      'scoring answers: the model must have a scalar head; a pair head compares two answers and gives none a score of its own',
    );
  }
  const texts = responses.map((response) => responseTokens(model, prompt, response));
  const { mean, std } = await scoreTexts(model, texts);
  const { normal } = model;
  return texts.map((_, i) => ({ score: mean[i], std: std[i], normalised: (mean[i] - normal.mean) / normal.std }));
}

/** A reward model of a checkpoint as what scores some responses to a prompt. */
export async function rewardScorer(
  checkpoint: string,
  options: ModelOptions = { device: 'auto' },
): Promise<(prompt: readonly Message[], responses: readonly string[]) => Promise<number[]>> {
  const model = await openRewardModel(checkpoint, options);
  return async (prompt, responses) => (await scoreResponses(model, prompt, responses)).map(({ score }) => score);
}

/** A response behind its prompt, up to the mark that ends it. */
function responseTokens({ template, contextLength }: RewardModel, prompt: readonly Message[], response: string): Int32Array {
  const text = Int32Array.from(answerTokens(template, prompt, response).ids);
  if (text.length <= contextLength) return text;
  throw new UserError(
    `scoring answers: prompt and response must fit into the model's context of ${contextLength} tokens; received ${text.length}. Shorten the prompt`,
  );
}

/** What a pair head reads between two answers: what the template asks for an answer with. */
export function answerSeparator(template: ChatTemplate): number[] {
  const question = [{ role: 'user' as const, content: '' }];
  return template.encode(question, { addGenerationPrompt: true }).ids.slice(template.encode(question).ids.length);
}
