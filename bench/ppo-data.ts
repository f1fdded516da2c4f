/**
 * What both sides of the PPO benchmark read: a policy and a reward model with random weights, prompts as a table and as ids, and texts to compare what
 * both sides make of them. A token is a character, so that an answer that is read and encoded again is the same tokens.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type * as tf from '@tensorflow/tfjs';
import { overwrite } from '../backends/recording.js';
import { ArrowFile } from '../datasets/arrow.js';
import { promptsBatch, promptsSchema } from '../datasets/conversations.js';
import type { ModelConfig } from '../model/config.js';
import { initialParameters } from '../model/parameters.js';
import { CHAT_TEMPLATE, chatTemplate, type Message, SPECIAL_TOKENS, trainTokenizer } from '../tokenizer/index.js';
import { RandomStream } from '../util/random.js';
import { writeModel } from './sft-data.js';
import { PPO_SHAPE } from './shapes.js';

export interface PpoData {
  /** Ids of the prompts, as the table's rows become them. */
  prompts: number[][];
  /** Prompts with random answers: what both sides say of them is compared. */
  texts: number[][];
}

const SEED = 1337;
/** Tokens of a prompt that the chat template brings. */
const FRAME = 4;
const FIRST_LETTER = 0x4e00;

/** Writes `folder`/policy, `folder`/reward, `folder`/prompts.arrow and `folder`/data.json. */
export async function writePpoData(folder: string, count: number): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const { config, prompt, response } = PPO_SHAPE;
  const letters = Array.from({ length: config.vocab_size - SPECIAL_TOKENS.length }, (_, i) => String.fromCodePoint(FIRST_LETTER + i));
  const tokenizer = trainTokenizer([letters.join('')], { kind: 'char' });
  const template = chatTemplate(CHAT_TEMPLATE, tokenizer);
  const random = new RandomStream(SEED, 0);
  const text = (length: number) => Array.from({ length }, () => letters[random.below(letters.length)]).join('');

  const questions = Array.from({ length: count }, (): Message[] => [{ role: 'user', content: text(prompt - FRAME) }]);
  const schema = promptsSchema(new Map());
  const table = new ArrowFile(join(folder, 'prompts.arrow'), schema);
  await table.write(
    promptsBatch(
      schema,
      questions.map((question) => ({ prompt: question, source: 'bench' })),
    ),
  );
  await table.close();
  const prompts = questions.map((question) => template.encode(question, { addGenerationPrompt: true }).ids);
  const texts = prompts.slice(0, PPO_SHAPE.batch).map((ids) => [...ids, ...tokenizer.encode(text(response))]);
  writeFileSync(join(folder, 'data.json'), JSON.stringify({ prompts, texts } satisfies PpoData));

  await writeModel(join(folder, 'policy'), config, withoutSpecial(config), tokenizer);
  const scalar: ModelConfig = { ...config, head: 'scalar' };
  await writeModel(join(folder, 'reward'), scalar, initialParameters(scalar, SEED + 1), tokenizer);
}

export function readPpoData(folder: string): PpoData {
  return JSON.parse(readFileSync(join(folder, 'data.json'), 'utf8')) as PpoData;
}

/**
 * Random parameters of a policy that never draws a special token, so that every answer has its full length: channel 0 of the embedding is 1 for all
 * tokens, and the output rows of special tokens are far below 0 there.
 */
function withoutSpecial(config: ModelConfig): ReadonlyMap<string, tf.Variable> {
  const parameters = initialParameters(config, SEED);
  const C = config.hidden_size;
  const change = (name: string, to: (row: number) => number) => {
    const variable = parameters.get(name)!;
    const values = variable.dataSync() as Float32Array;
    for (let row = 0; row < config.vocab_size; row++) values[row * C] = to(row);
    overwrite(variable, values);
  };
  change('model.embed_tokens.weight', () => 1);
  change('lm_head.weight', (row) => (row < SPECIAL_TOKENS.length ? -10 : 0));
  return parameters;
}
