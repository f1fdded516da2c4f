import { type Conversation, readConversations, splitKey } from '../datasets/conversations.js';
import { isHeldOut } from '../datasets/documents.js';
import { generate } from '../sampler/generate.js';
import type { LoadedModel } from '../sampler/model.js';
import { answerText } from '../sampler/output.js';
import type { ChatTemplate, TrainOn } from '../tokenizer/index.js';
import { UserError } from '../util/errors.js';
import { groupBy } from '../util/group-by.js';
import { bySource, textScores } from './evaluate-text.js';
import type { AnswerExample, AnswerScores, ConversationEvaluation, Part } from './evaluation.js';
import { type TokenSums, totalOf } from './language-model.js';
import { exactMatch, normalisedMatch } from './match.js';
import { sequenceLosses } from './sequence-losses.js';

export interface ConversationOptions {
  split?: Part;
  evalFraction: number;
  /** The first ones only. */
  limit?: number;
  /** Which tokens the loss is of. */
  trainOn: TrainOn;
  /** Whether the model is to answer each last question, too. */
  generate: boolean;
  /** Longest answer, in tokens. */
  maxTokens: number;
  /** Answers that are made at the same time. */
  batchSize: number;
  /** Answers to show. */
  examples: number;
  signal?: AbortSignal;
  onProgress?: (answers: number, total: number) => void;
}

/**
 * What a model makes of conversations, in all and by source: the loss of their answers, and how often its own greedy answer to the last question is
 * the one that stands there. Conversations longer than the context are counted and left out.
 * @throws UserError where none is left, or one cannot be rendered.
 */
export async function evaluateConversations(
  model: LoadedModel,
  template: ChatTemplate,
  data: string,
  options: ConversationOptions,
): Promise<ConversationEvaluation> {
  const { split = 'all' } = options;
  const { conversations, read } = await encoded(model, template, data, options);
  const sums = await tokenSums(model, conversations, options.signal);
  const answers = options.generate ? await greedyAnswers(model, template, conversations, options) : [];
  const given = groupBy(answers, ({ source }) => source);
  return {
    kind: 'conversations',
    data,
    part: split,
    conversations: read,
    too_long: read - conversations.length,
    all: { ...textScores(totalOf(sums.values())), ...answerScores(answers) },
    sources: bySource(sums, (sum, source) => ({ ...textScores(sum), ...answerScores(given.get(source) ?? []) })),
    examples: answers.slice(0, options.examples).map(({ prompt, reference, answer, match }) => ({ prompt, reference, answer, match })),
  };
}

interface Encoded {
  source: string;
  ids: number[];
  /** Of each token, 1 = it is to be predicted. */
  supervised: Uint8Array;
  messages: Conversation['messages'];
}

async function encoded(
  { config }: LoadedModel,
  template: ChatTemplate,
  data: string,
  { split = 'all', evalFraction, limit = Number.POSITIVE_INFINITY, trainOn }: ConversationOptions,
): Promise<{ conversations: Encoded[]; read: number }> {
  const conversations: Encoded[] = [];
  let [row, read] = [0, 0];
  reading: for await (const rows of readConversations(data)) {
    for (const { messages, source } of rows) {
      const place = `row ${row++} of ${data}`;
      if (split !== 'all' && isHeldOut(splitKey(messages), evalFraction) !== (split === 'eval')) continue;
      if (conversations.length >= limit) break reading;
      read++;
      const document = { source, messages, ...encodedAt(place, () => template.encode(messages, { trainOn })) };
      if (document.ids.length <= config.max_position_embeddings) conversations.push(document);
    }
  }
  if (conversations.length > 0) return { conversations, read };
  const left = read > 0 ? `, but for ${read} longer than the model's context of ${config.max_position_embeddings} tokens` : '';
  throw new UserError(
    `eval: there must be conversations${split === 'all' ? '' : ` of the part ${split}`} in ${data}; received none${left}. Look at it with fourfold data inspect`,
  );
}

/** What `encode` gives; its error names the place. */
function encodedAt<T>(place: string, encode: () => T): T {
  try {
    return encode();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(`eval: ${place}: ${error.message}`, 1, { cause: error });
  }
}

/** The sums over the predicted tokens, by source. */
async function tokenSums(model: LoadedModel, conversations: readonly Encoded[], signal?: AbortSignal): Promise<Map<string, TokenSums>> {
  const losses = await sequenceLosses(model, conversations, signal);
  const sums = conversations.map(({ source, ids, supervised }, i) => {
    const bytes = ids.reduce((sum, id, t) => sum + (t > 0 && supervised[t] ? model.tokenizer.byteLength(id) : 0), 0);
    return { source, ...losses[i], bytes };
  });
  return new Map([...groupBy(sums, ({ source }) => source)].map(([source, own]) => [source, totalOf(own)]));
}

interface GivenAnswer extends AnswerExample {
  source: string;
  finished: boolean;
}

async function greedyAnswers(
  model: LoadedModel,
  template: ChatTemplate,
  conversations: readonly Encoded[],
  { maxTokens, batchSize, signal, onProgress }: ConversationOptions,
): Promise<GivenAnswer[]> {
  const asked = conversations.map(({ messages }) => template.encode(messages.slice(0, -1), { addGenerationPrompt: true }).ids);
  let finished = 0;
  const { tokens, finishReasons } = await generate(model, asked, {
    ...{ sampling: { temperature: 0 }, maxTokens, eos: template.stopIds, seed: 0, batchSize, pastContext: 'stop', signal },
    onFinished: () => onProgress?.(++finished, asked.length),
  });
  return conversations.map(({ source, messages }, i) => {
    const output = answerText(model.tokenizer, { stopIds: template.stopIds, stop: [], maxTokens });
    const answer = tokens[i].map((id) => output.push(id)).join('') + output.end();
    const reference = messages.at(-1)!.content;
    const match = exactMatch(answer, reference) ? 'exact' : normalisedMatch(answer, reference) ? 'normalised' : 'none';
    return { prompt: messages.slice(0, -1), reference, answer, match, source, finished: finishReasons[i] === 'stop' };
  });
}

function answerScores(answers: readonly GivenAnswer[]): Partial<AnswerScores> {
  if (answers.length === 0) return {};
  const share = (test: (answer: GivenAnswer) => boolean) => answers.filter(test).length / answers.length;
  return {
    answers: answers.length,
    exact_match: share(({ match }) => match === 'exact'),
    normalised_match: share(({ match }) => match !== 'none'),
    finished: share(({ finished }) => finished),
  };
}
