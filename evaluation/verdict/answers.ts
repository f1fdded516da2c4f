import type { Prompt } from '../../datasets/conversations.js';
import { encodePrompt } from '../../datasets/prepare-prompts.js';
import { openDialogues } from '../../datasets/world/dialogues.js';
import type { World } from '../../datasets/world/world.js';
import { answerSeed } from '../../sampler/answers.js';
import { generate } from '../../sampler/generate.js';
import type { LoadedModel } from '../../sampler/model.js';
import { answerText } from '../../sampler/output.js';
import type { ChatTemplate, Tokenizer } from '../../tokenizer/index.js';
import { UserError } from '../../util/errors.js';

/** A prompt as a model reads it, and what of its text is the answer. */
export interface Question {
  ids: number[];
  /** What the model writes before its answer. */
  mark: string;
}

/** How a model is asked. */
export interface Asking {
  questions: readonly Question[];
  /** Ids and texts that end an answer. */
  stopIds: ReadonlySet<number>;
  stop: readonly string[];
}

/** By the chat template. @throws UserError for a row that is no prompt. */
export function chatAsking(prompts: readonly Prompt[], template: ChatTemplate): Asking {
  const questions = prompts.map((prompt, row) => ({ ids: encodePrompt(prompt, template, `row ${row}`), mark: '' }));
  return { questions, stopIds: template.stopIds, stop: [] };
}

/** As dialogues of the corpus, for a model that knows no chat: its answer ends with its line. */
export function fewShotAsking(
  prompts: readonly Prompt[],
  tokenizer: Tokenizer,
  world: World,
  options: { examples: number; seed: number },
): Asking {
  const { bos, eos } = tokenizer.special;
  const open = openDialogues(world, options);
  const questions = prompts.map(({ prompt }) => {
    const { text, mark } = open(prompt.at(-1)!.content);
    return { ids: [...(bos < 0 ? [] : [bos]), ...tokenizer.encode(text)], mark };
  });
  return { questions, stopIds: new Set([eos]), stop: ['\n'] };
}

/** An answer to a prompt. */
export interface Answer {
  /** As they were drawn, the mark that ends it included. */
  tokens: number[];
  /** As its reader sees it. */
  text: string;
  /** Whether it ended by itself; otherwise it was cut at the longest, or where the context was full. */
  ended: boolean;
}

export interface DrawOptions {
  temperature: number;
  maxTokens: number;
  seed: number;
  /** Answers to each prompt by their indices: an answer is a function of the seed, its prompt's row and its index, whatever else is drawn. */
  indices: readonly number[];
  signal?: AbortSignal;
  /** Told how many are finished. */
  onProgress?: (finished: number, total: number) => void;
}

/** Answers are made this many at a time: a token of so many rows takes little longer than one of a few. */
const BATCH = 128;

/**
 * Draws answers from the model's whole distribution; at temperature 0 takes the likeliest tokens.
 * @returns of each question its answers.
 * @throws UserError for a prompt that fills the model's context.
 */
export async function drawAnswers(
  model: LoadedModel,
  { questions, stopIds, stop }: Asking,
  { temperature, maxTokens, seed, indices, signal, onProgress }: DrawOptions,
): Promise<Answer[][]> {
  const context = model.config.max_position_embeddings;
  const full = questions.findIndex(({ ids }) => ids.length >= context);
  if (full >= 0) {
    throw new UserError(
      `verdict: a prompt must leave room for an answer in the model's context of ${context} tokens; row ${full} has ${questions[full].ids.length} with what stands before it. Choose shorter prompts, or a lower few_shot`,
    );
  }
  const asked = questions.flatMap((question, row) => indices.map((index) => ({ ...question, seed: answerSeed(seed, row, index) })));
  const outputs = asked.map(() => answerText(model.tokenizer, { stopIds, stop, maxTokens }));
  const texts = asked.map(() => '');
  let finished = 0;
  const { tokens, finishReasons } = await generate(
    model,
    asked.map(({ ids }) => ids),
    {
      ...{ sampling: { temperature }, maxTokens, eos: stopIds, seed: asked.map((one) => one.seed), pastContext: 'stop', signal },
      ...{ batchSize: BATCH, onFinished: () => onProgress?.(++finished, asked.length) },
    },
    (i, id) => {
      texts[i] += outputs[i].push(id);
      return outputs[i].finishReason === 'stop';
    },
  );
  const answers = asked.map(({ mark }, i): Answer => {
    const text = texts[i] + outputs[i].end();
    return {
      tokens: tokens[i],
      text: text.startsWith(mark) ? text.slice(mark.length).trimStart() : text,
      ended: finishReasons[i] === 'stop',
    };
  });
  return questions.map((_, row) => answers.slice(row * indices.length, (row + 1) * indices.length));
}
