/**
 * What both sides of the fine-tuning benchmark read: a checkpoint with random weights, and conversations that are tokenised already, so that
 * ids, masks and weights are the same for both.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { generationConfig } from '../checkpoints/hugging-face.js';
import { saveCheckpoint } from '../checkpoints/save.js';
import type { ModelConfig } from '../model/config.js';
import { initialParameters, type Parameters } from '../model/parameters.js';
import { CHAT_TEMPLATE, chatTemplate, type Message, type Tokenizer, tokenizerConfig, trainTokenizer } from '../tokenizer/index.js';
import { storedWeights } from '../training/state.js';
import { RandomStream } from '../util/random.js';

/** One conversation; 1 in `assistant_masks` = the token is to be predicted. The names are those that TRL takes. */
export interface EncodedConversation {
  input_ids: number[];
  assistant_masks: number[];
}

export interface SftData {
  conversations: EncodedConversation[];
  tokens: number;
  supervised: number;
}

const ALPACA = ['alpaca_en_demo.json', 'alpaca_zh_demo.json'];
const SEED = 1337;
const SYNTHETIC = 2000;

/** Writes `folder`/model and `folder`/data.json: conversations spread over all of them, of about `tokens` tokens. */
export async function writeSftData(folder: string, data: string | undefined, config: ModelConfig, tokens: number): Promise<SftData> {
  const conversations = data === undefined ? synthetic() : ALPACA.flatMap((file) => alpaca(join(data, file)));
  const texts = conversations.flatMap((messages) => messages.map(({ content }) => content));
  const tokenizer = trainTokenizer(texts, { kind: 'bpe', vocabSize: config.vocab_size });
  const template = chatTemplate(CHAT_TEMPLATE, tokenizer);
  const encoded = conversations.flatMap((messages) => {
    const { ids, supervised } = template.encode(messages);
    // As TRL's packing does: what goes beyond a row is cut.
    const [input_ids, assistant_masks] = [ids, [...supervised]].map((list) => list.slice(0, config.max_position_embeddings));
    return assistant_masks.includes(1) ? [{ input_ids, assistant_masks }] : [];
  });
  const every = Math.max(1, total(encoded, 'input_ids') / tokens);
  const chosen = encoded.filter((_, i) => Math.floor((i + 1) / every) > Math.floor(i / every));

  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'data.json'), JSON.stringify(chosen));
  await writeRandomModel(join(folder, 'model'), config, tokenizer);
  const supervised = chosen.reduce((sum, { assistant_masks }) => sum + assistant_masks.reduce((a, b) => a + b, 0), 0);
  return { conversations: chosen, tokens: total(chosen, 'input_ids'), supervised };
}

/** Saves a checkpoint with random weights. */
export function writeRandomModel(directory: string, config: ModelConfig, tokenizer: Tokenizer): Promise<void> {
  return writeModel(directory, config, initialParameters(config, SEED), tokenizer);
}

/** Saves a checkpoint, and disposes of the parameters. */
export async function writeModel(directory: string, config: ModelConfig, parameters: Parameters, tokenizer: Tokenizer): Promise<void> {
  await saveCheckpoint(directory, {
    config,
    tokenizer: tokenizer.toJSON(),
    tokenizerConfig: tokenizerConfig(tokenizer, config.max_position_embeddings),
    generationConfig: generationConfig(tokenizer.special),
    modelCard: 'Random weights of a benchmark.\n',
    weights: await storedWeights(config, parameters),
  });
  tf.dispose([...parameters.values()]);
}

export function readSftData(folder: string): EncodedConversation[] {
  return JSON.parse(readFileSync(join(folder, 'data.json'), 'utf8')) as EncodedConversation[];
}

function total(conversations: readonly EncodedConversation[], field: keyof EncodedConversation): number {
  return conversations.reduce((sum, conversation) => sum + conversation[field].length, 0);
}

function alpaca(file: string): Message[][] {
  const rows = JSON.parse(readFileSync(file, 'utf8')) as { instruction: string; input?: string; output: string }[];
  return rows.map(({ instruction, input, output }) => [
    { role: 'user', content: input ? `${instruction}\n\n${input}` : instruction },
    { role: 'assistant', content: output },
  ]);
}

/** Questions and answers of made-up words, of lengths like Alpaca's: questions of 5 to 30 words, answers spread evenly in the logarithm. */
function synthetic(): Message[][] {
  const madeUp = madeUpTexts(SEED);
  return Array.from({ length: SYNTHETIC }, () => [
    { role: 'user', content: madeUp.question() },
    { role: 'assistant', content: madeUp.answer() },
  ]);
}

/** Makes questions of 5 to 30 words and answers of 15 to 480, spread evenly in the logarithm; common words come first and more often. */
export function madeUpTexts(seed: number): { question(): string; answer(): string } {
  const random = new RandomStream(seed, 0);
  const word = () => Array.from({ length: 1 + random.below(4) }, () => SYLLABLES[random.below(SYLLABLES.length)]).join('');
  const words = Array.from({ length: 12_000 }, word);
  const text = (count: number) => Array.from({ length: count }, () => words[random.below(1 + random.below(words.length))]).join(' ');
  const longest = Math.log(MOST_WORDS / LEAST_WORDS);
  return {
    question: () => text(5 + random.below(26)),
    answer: () => text(Math.round(LEAST_WORDS * Math.exp((longest * random.below(1000)) / 1000))),
  };
}

const [LEAST_WORDS, MOST_WORDS] = [15, 480];
const SYLLABLES = [...'bcdfghklmnprstvw'].flatMap((consonant) => [...'aeiou'].map((vowel) => consonant + vowel));
