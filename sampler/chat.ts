import { randomInt } from 'node:crypto';
import * as tf from '@tensorflow/tfjs';
import type { DeviceDescription } from '../backends/device.js';
import { inputVariable, overwrite } from '../backends/recording.js';
import { parameterCount } from '../model/config.js';
import { sampleTokens } from '../ops/sample.js';
import { type ChatTemplate, type Message, readChatTemplate } from '../tokenizer/index.js';
import { UserError } from '../util/errors.js';
import { answerRoom, type ContextMode, slidWindow, turnsToLeave } from './context-window.js';
import { type Decoder, decoder } from './decoder.js';
import type { Sampling } from './generate.js';
import { type ModelOptions, openModel, type TextModel } from './model.js';
import { answerText, type FinishReason } from './output.js';

export interface ChatOptions {
  system?: string;
  sampling: Sampling;
  /** Of one answer. */
  maxTokens: number;
  /** The draw for a token is a function of (seed, number of the turn, attempt at its answer, number of the token). */
  seed: number;
  /** An answer ends before the first of these. */
  stop?: readonly string[];
  /** What leaves where the conversation outgrows the context; `truncate` where not given. */
  context?: ContextMode;
  /** Tokens that the model sees at a time; its own context length where not given, and at most that. */
  contextLength?: number;
}

export interface ChatAnswer {
  text: string;
  /** The ids that the model gave, the mark of the end included. */
  tokens: number[];
  finishReason: FinishReason;
  /** The stop string that ended it, if one did. */
  stopString?: string;
  /** The sum over its tokens of what `sampleTokens` says of each. */
  logProb: number;
  /** Of the tokens after the first, which comes with the reading of the question; 0 where there are none. */
  tokensPerSecond: number;
  /** Tokens of the conversation that were read for it; all others lay in the cache. */
  readTokens: number;
  /** Tokens that the model saw when it gave the last one. */
  seenTokens: number;
  /** How much of the conversation it no longer saw then: turns (`truncate`) or tokens (`sliding_window`). */
  left: number;
}

/** Called with pieces of whole characters as they come. */
export type OnAnswer = (text: string) => void;

/**
 * A conversation with a model. The keys and values of what was said stay in a cache: of each turn those tokens are read that are new, from the first
 * that differs on. An answer that fails, or is cancelled before its first token, leaves the conversation as it was.
 */
export interface ChatSession {
  /** The system prompt, if there is one, and all that was said, whether the model still sees it or not. */
  readonly conversation: readonly Message[];
  readonly system: string | undefined;
  readonly temperature: number;
  readonly context: ContextMode;
  /** Tokens that the model sees at a time. */
  readonly contextLength: number;
  /**
   * Asks, and gives the answer; `signal` ends it early.
   * @throws UserError when, by `truncate`, the question alone fills the context.
   */
  send(text: string, onText?: OnAnswer, signal?: AbortSignal): Promise<ChatAnswer>;
  /**
   * Another answer in the place of the last one, drawn anew; at temperature 0 it is the same.
   * @throws UserError when there is none.
   */
  regenerate(onText?: OnAnswer, signal?: AbortSignal): Promise<ChatAnswer>;
  /** Forgets what was said, but for the system prompt. What follows is what it would have been in a new session. */
  reset(): void;
  /**
   * Gives the conversation another system prompt, or none.
   * @throws UserError when the template has no place for one.
   */
  setSystem(text: string | undefined): void;
  setTemperature(temperature: number): void;
  dispose(): void;
}

/** @throws UserError when the template suits no conversation, or `contextLength` is more than the model has. */
export function chatSession(model: TextModel, template: ChatTemplate, options: ChatOptions): ChatSession {
  const { config, tokenizer } = model;
  const { maxTokens, seed, stop = [], context = 'truncate', contextLength: limit = config.max_position_embeddings } = options;
  if (limit > config.max_position_embeddings) {
    throw new UserError(
      `chat: the context can have the tokens that the model was made for, ${config.max_position_embeddings}, at most; received ${limit}. Choose fewer`,
    );
  }
  checkTemplate(template, options.system);
  let { system, sampling } = options;
  let turns: readonly Turn[] = [];
  const body = decoder(model, 1, limit);
  const dice = tokenDice(seed);

  /** What the model is to go on from, and how many turns it no longer sees. */
  const prompt = (before: readonly Turn[], question: string): { ids: number[]; turnsOut: number } => {
    const idsWithout = (n: number) => encodeTurns(template, system, before.slice(n), question);
    if (context === 'sliding_window') return { ids: idsWithout(0), turnsOut: 0 };
    const turnsOut = turnsToLeave(before.length + 1, (n) => idsWithout(n).length, limit, answerRoom(maxTokens, limit));
    return { ids: idsWithout(turnsOut), turnsOut };
  };

  /** Answers `question` after the turns `before`, which then, with this one, are all there are. */
  const answer = async (
    before: readonly Turn[],
    question: string,
    attempt: number,
    onText: OnAnswer = () => {},
    signal?: AbortSignal,
  ): Promise<ChatAnswer> => {
    const { ids, turnsOut } = prompt(before, question);
    const output = answerText(tokenizer, { stopIds: template.stopIds, stop, maxTokens });
    const result: ChatAnswer = {
      text: '',
      tokens: [],
      finishReason: 'cancelled',
      logProb: 0,
      tokensPerSecond: 0,
      readTokens: 0,
      seenTokens: 0,
      left: turnsOut,
    };
    const give = (text: string) => {
      result.text += text;
      if (text !== '') onText(text);
    };
    let began = 0;

    for (;;) {
      // 1. What the model sees of all that was said.
      const head = Number(ids[0] === tokenizer.special.bos); // what begins in the middle begins with this mark, too
      const seen = context === 'sliding_window' ? slidWindow(ids, limit, head) : ids;
      if (seen.length > limit) {
        result.finishReason = 'length';
        break;
      }

      // 2. What it makes of that.
      if (result.tokens.length === 0) result.readTokens = seen.length - inCache(body, seen);
      const logits = await logitsAfter(body, seen, signal);
      if (!logits) break;
      result.seenTokens = seen.length;
      if (context === 'sliding_window') result.left = ids.length - seen.length;

      // 3. One more token.
      const { id, logProb } = await dice.draw(logits, sampling, seen, [attempt, before.length, result.tokens.length]);
      if (result.tokens.length === 0) began = performance.now();
      ids.push(id);
      result.tokens.push(id);
      result.logProb += logProb;
      give(output.push(id));
      if (output.finishReason) {
        result.finishReason = output.finishReason;
        break;
      }
      await macrotask(); // signals and output are handled between macrotasks
    }
    give(output.end());
    if (result.tokens.length === 0) return result;
    if (result.tokens.length > 1) result.tokensPerSecond = (1000 * (result.tokens.length - 1)) / (performance.now() - began);
    if (output.stopString !== undefined) result.stopString = output.stopString;
    turns = [...before, { question, answer: result.text, ids: idsOf(result, template), attempt }];
    return result;
  };

  return {
    get conversation() {
      return messagesOf(system, turns);
    },
    get system() {
      return system;
    },
    get temperature() {
      return sampling.temperature;
    },
    context,
    contextLength: limit,
    send: (text, onText, signal) => answer(turns, text, 0, onText, signal),
    async regenerate(onText, signal) {
      const last = turns.at(-1);
      if (!last) throw new UserError('chat: only an answer can be given anew; nothing was answered yet. Ask something');
      return answer(turns.slice(0, -1), last.question, last.attempt + 1, onText, signal);
    },
    reset() {
      turns = [];
    },
    setSystem(text) {
      checkTemplate(template, text);
      system = text;
    },
    setTemperature(temperature) {
      sampling = { ...sampling, temperature };
    },
    dispose() {
      body.dispose();
      dice.dispose();
    },
  };
}

/** The options of `fourfold chat`. */
export interface OpenChatOptions extends ModelOptions, Omit<ChatOptions, 'seed'> {
  /** Drawn where not given. */
  seed?: number;
  /** A template's name or a file of Jinja; the checkpoint's own where not given. */
  template?: string;
}

export interface OpenChat {
  session: ChatSession;
  seed: number;
  /** What answers, and where. */
  directory: string;
  parameters: number;
  on: DeviceDescription;
  dispose(): void;
}

/**
 * `fourfold chat`: loads a checkpoint and begins a conversation.
 * @throws UserError when the checkpoint, its template or the device is not there, or as `chatSession`.
 */
export async function openChat(checkpoint: string, options: OpenChatOptions): Promise<OpenChat> {
  const { seed = randomInt(2 ** 32) } = options;
  const model = await openModel(checkpoint, options);
  try {
    const template = await readChatTemplate(model.directory, model.tokenizer, options.template);
    const session = chatSession(model, template, { ...options, seed });
    const dispose = () => {
      session.dispose();
      model.dispose();
    };
    return { session, seed, directory: model.directory, parameters: parameterCount(model.config), on: model.on, dispose };
  } catch (error) {
    model.dispose();
    throw error;
  }
}

/** A question and its answer. */
interface Turn {
  question: string;
  answer: string;
  /** The answer as the model gave it, without the mark that ended it; not where it was cut at a stop string. */
  ids: readonly number[] | undefined;
  /** How often the question was answered before. */
  attempt: number;
}

function messagesOf(system: string | undefined, turns: readonly Turn[]): Message[] {
  return [
    ...(system === undefined ? [] : [{ role: 'system' as const, content: system }]),
    ...turns.flatMap(({ question, answer }): Message[] => [
      { role: 'user', content: question },
      { role: 'assistant', content: answer },
    ]),
  ];
}

/** The tokens of a conversation up to where the answer to `question` begins. */
function encodeTurns(template: ChatTemplate, system: string | undefined, turns: readonly Turn[], question: string): number[] {
  const first = system === undefined ? 1 : 2; // place of the first answer
  const known = new Map(turns.flatMap(({ ids }, i) => (ids ? [[first + 2 * i, ids] as const] : [])));
  const messages: Message[] = [...messagesOf(system, turns), { role: 'user', content: question }];
  return template.encode(messages, { addGenerationPrompt: true, known }).ids;
}

function idsOf({ tokens, stopString }: ChatAnswer, { stopIds }: ChatTemplate): readonly number[] | undefined {
  if (stopString !== undefined) return undefined;
  return stopIds.has(tokens.at(-1)!) ? tokens.slice(0, -1) : tokens;
}

/** @throws UserError when the template cannot have a conversation with such a system prompt. */
function checkTemplate(template: ChatTemplate, system: string | undefined): void {
  encodeTurns(template, system, [{ question: 'a', answer: 'b', ids: undefined, attempt: 0 }], 'c');
  // As in training: an answer that no mark ends would not end.
  template.encode([
    { role: 'user', content: 'a' },
    { role: 'assistant', content: 'b' },
  ]);
}

/** How many of the first of `ids` need not be read: those that the cache holds, but for the last, whose output is wanted. */
function inCache(body: Decoder, ids: readonly number[]): number {
  const held = body.held[0];
  const differs = ids.findIndex((id, i) => id !== held[i]);
  return Math.min(differs < 0 ? ids.length : differs, ids.length - 1);
}

/** Tokens that are read before a signal is heard again. */
const PIECE = 256;

/** Logits [1, V] after `ids`, of which those are read that the cache does not hold; nothing when `signal` was aborted. */
async function logitsAfter(body: Decoder, ids: readonly number[], signal?: AbortSignal): Promise<tf.Tensor2D | undefined> {
  body.cut([inCache(body, ids)]);
  for (;;) {
    if (signal?.aborted) return undefined;
    const rest = ids.slice(body.held[0].length);
    if (rest.length <= PIECE) return body.feed([rest]);
    body.read([rest.slice(0, PIECE)]);
    await macrotask();
  }
}

interface TokenDice {
  /** Chooses what follows `ids`, and disposes of the logits. */
  draw(
    logits: tf.Tensor2D,
    sampling: Sampling,
    ids: readonly number[],
    key: [attempt: number, turn: number, position: number],
  ): Promise<{ id: number; logProb: number }>;
  dispose(): void;
}

function tokenDice(seed: number): TokenDice {
  const keys = inputVariable([1, 5]); // seed low, seed high, attempt, turn, position
  return {
    async draw(logits, sampling, ids, key) {
      overwrite(keys, Int32Array.of(seed | 0, Math.floor(seed / 2 ** 32) | 0, ...key));
      const previous = (sampling.repetitionPenalty ?? 1) === 1 ? undefined : tf.tensor2d([...ids], [1, ids.length], 'int32');
      const chosen = sampleTokens(logits, keys as tf.Tensor as tf.Tensor2D, { ...sampling, previous });
      const [[id], [logProb]] = await Promise.all([chosen.ids.data(), chosen.logProbs.data()]);
      for (const tensor of [logits, previous, chosen.ids, chosen.logProbs]) tensor?.dispose();
      return { id, logProb };
    },
    dispose: () => keys.dispose(),
  };
}

function macrotask(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
