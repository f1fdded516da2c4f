import { randomInt } from 'node:crypto';
import type { Tokenizer } from '../tokenizer/index.js';
import { UserError } from '../util/errors.js';
import { beamSearch } from './beam.js';
import { decoder } from './decoder.js';
import { generate, type Sampling } from './generate.js';
import { type ModelOptions, openModel, type TextModel } from './model.js';
import { outputText } from './output.js';

export interface TextOptions extends Sampling {
  /** Of one text. */
  maxTokens: number;
  /** Draws are a function of it, of the prompt's place and of the token's. */
  seed: number;
  /** A text ends before the first of these. */
  stop?: readonly string[];
}

/** What people like to read. */
export const SAMPLING = { temperature: 0.8, topP: 0.95 };

/** Called with pieces of whole characters as they come. */
export type OnText = (index: number, text: string) => void;

/** A continuation of each prompt, sampled as SAMPLING says where the options do not. */
export async function sampleText(
  model: TextModel,
  prompts: readonly string[],
  options: Partial<TextOptions> & Pick<TextOptions, 'maxTokens' | 'seed'>,
): Promise<string[]> {
  const texts = prompts.map(() => '');
  await streamText(model, prompts, { ...SAMPLING, ...options }, (index, text) => {
    texts[index] += text;
  });
  return texts;
}

/** The same, given out as it comes. */
export async function streamText(model: TextModel, prompts: readonly string[], options: TextOptions, onText: OnText): Promise<Speed> {
  const { maxTokens, seed, stop = [], ...sampling } = options;
  const { tokenizer } = model;
  const give = (index: number, text: string) => {
    if (text !== '') onText(index, text);
  };
  const encoded = prompts.map((prompt) => encodePrompt(tokenizer, prompt));
  const outputs = prompts.map(() => outputText(tokenizer.decoder({ skipSpecial: true }), stop));
  const { tokens, seconds } = await generate(model, encoded, { sampling, maxTokens, seed, eos: eosOf(tokenizer) }, (index, token) => {
    give(index, outputs[index].push(token));
    return outputs[index].stopped;
  });
  outputs.forEach((output, index) => {
    give(index, output.end());
  });
  const count = tokens.reduce((sum, { length }) => sum + length, 0);
  return { tokens: count, tokensPerSecond: count / seconds };
}

/** The `num` best continuations of a prompt that beam search finds, best first. */
async function searchText(model: TextModel, prompt: string, options: BeamTextOptions, onText: OnText): Promise<Speed> {
  const { num, numBeams, lengthPenalty, maxTokens, stop = [] } = options;
  if (num > numBeams)
    throw new UserError(`--num: beam search gives at most as many texts as it has beams, ${numBeams}; received ${num}; raise --num-beams`);
  const { tokenizer } = model;
  const ids = encodePrompt(tokenizer, prompt);
  const body = decoder(model, numBeams, ids.length + maxTokens);
  try {
    const began = performance.now();
    const found = (await beamSearch(body, ids, { numBeams, lengthPenalty, maxTokens, eos: eosOf(tokenizer) })).slice(0, num);
    const seconds = (performance.now() - began) / 1000;
    found.forEach(({ tokens }, index) => {
      const output = outputText(tokenizer.decoder({ skipSpecial: true }), stop);
      onText(index, tokens.map((id) => output.push(id)).join('') + output.end());
    });
    const tokens = found.reduce((sum, { tokens: { length } }) => sum + length, 0);
    return { tokens, tokensPerSecond: tokens / seconds };
  } finally {
    body.dispose();
  }
}

export interface BeamTextOptions {
  num: number;
  numBeams: number;
  lengthPenalty: number;
  maxTokens: number;
  stop?: readonly string[];
}

/** The options of `fourfold sample`. */
export interface SampleOptions extends ModelOptions {
  prompt: string;
  strategy: 'greedy' | 'sample' | 'beam';
  num: number;
  maxTokens: number;
  temperature: number;
  topK: number;
  topP: number;
  minP: number;
  repetitionPenalty: number;
  numBeams: number;
  lengthPenalty: number;
  /** Drawn where not given. */
  seed?: number;
  stop: string[];
}

export interface SampleSummary extends Speed {
  seed: number;
}

/** `fourfold sample`: loads a checkpoint and continues the prompt `num` times. */
export async function sample(checkpoint: string, options: SampleOptions, onText: OnText): Promise<SampleSummary> {
  const { prompt, strategy, num, seed = randomInt(2 ** 32) } = options;
  if (strategy === 'greedy' && num > 1) {
    throw new UserError(`--num: greedy choice gives one text; received ${num}; leave --num out or take --strategy sample`);
  }
  const model = await openModel(checkpoint, options);
  try {
    if (strategy === 'beam') return { ...(await searchText(model, prompt, options, onText)), seed };
    const temperature = strategy === 'greedy' ? 0 : options.temperature;
    const { maxTokens, topK, topP, minP, repetitionPenalty, stop } = options;
    const prompts = Array.from({ length: num }, () => prompt);
    const speed = await streamText(model, prompts, { maxTokens, seed, stop, temperature, topK, topP, minP, repetitionPenalty }, onText);
    return { ...speed, seed };
  } finally {
    model.dispose();
  }
}

/** The prompt as the beginning of a document. */
function encodePrompt(tokenizer: Tokenizer, prompt: string): number[] {
  const { bos } = tokenizer.special;
  const ids = tokenizer.encode(prompt);
  if (bos >= 0) return [bos, ...ids];
  if (ids.length > 0) return ids;
  throw new UserError(
    'prompt: where the tokenizer has no token that begins a text, it must be at least one character; received ""; a line break will do: --prompt $\'\\n\'',
  );
}

function eosOf(tokenizer: Tokenizer): ReadonlySet<number> {
  return new Set(tokenizer.special.eos >= 0 ? [tokenizer.special.eos] : []);
}

export interface Speed {
  tokens: number;
  /** Without the reading of the prompt. */
  tokensPerSecond: number;
}
