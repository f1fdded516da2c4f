import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { openPass } from '../datasets/pass.js';
import { prepare } from '../datasets/prepare.js';
import type { LoadedModel } from '../sampler/model.js';
import { readTokenizer } from '../tokenizer/index.js';
import { UserError } from '../util/errors.js';
import { exists } from '../util/files.js';
import type { Part, TextEvaluation, TextScores } from './evaluation.js';
import { bitsPerByte, evaluator, type TokenSums, totalOf } from './language-model.js';
import { packedRows } from './packed-sequences.js';

export interface TextOptions {
  /** Of prepared tokens the part `eval` where nothing is said, of a corpus all of it. */
  split?: Part;
  evalFraction: number;
  /** How the text becomes rows: each document by itself, or one stream. */
  packing: 'segments' | 'concat';
  signal?: AbortSignal;
}

/** Loss and bits per byte of a model on a corpus or on prepared tokens, in all and by source. @throws UserError for data that it cannot read. */
export async function evaluateText(model: LoadedModel, data: string, options: TextOptions): Promise<TextEvaluation> {
  if (await exists(path.join(data, 'dataset.json'))) return evaluatePrepared(model, data, data, options.split ?? 'eval', options);
  const { split = 'all', evalFraction, signal } = options;
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'fourfold-eval-'));
  try {
    const output = path.join(folder, 'tokens');
    const fraction = split === 'all' ? 0 : evalFraction;
    await prepare({ corpora: [data], tokenizer: model.tokenizer, output, split: 'hash', evalFraction: fraction, seed: 0, signal });
    return await evaluatePrepared(model, data, output, split, options);
  } finally {
    await fs.rm(folder, { recursive: true, force: true });
  }
}

async function evaluatePrepared(
  { config, parameters, tokenizer }: LoadedModel,
  data: string,
  directory: string,
  part: Part,
  { packing, signal }: TextOptions,
): Promise<TextEvaluation> {
  if (part === 'all' && directory === data) {
    throw new UserError(`eval: prepared tokens have two parts, train and eval; received --split all for ${data}. Choose one of them`);
  }
  if ((await readTokenizer(directory)).hash() !== tokenizer.hash()) {
    throw new UserError(
      `eval: the tokens in ${data} must be made with the checkpoint's tokenizer; they were made with another. Give the corpus itself, or prepare it with --tokenizer CHECKPOINT`,
    );
  }
  const contextLength = config.max_position_embeddings;
  const batchSize = packedRows(contextLength);
  const pass = await openPass({ directory, split: part === 'eval' ? 'eval' : 'train', contextLength, batchSize, packing });
  const measuring = evaluator(config, parameters, batchSize, contextLength);
  try {
    const sums = await measuring.measure(pass, signal);
    return { kind: 'text', data, part, all: textScores(totalOf(sums.values())), sources: bySource(sums, textScores) };
  } finally {
    measuring.dispose();
    await pass.close();
  }
}

export function textScores(sums: TokenSums): TextScores {
  const loss = sums.loss / sums.tokens;
  return {
    tokens: sums.tokens,
    loss,
    perplexity: Math.exp(loss),
    bits_per_byte: bitsPerByte(sums),
    token_accuracy: sums.correct / sums.tokens,
  };
}

export function bySource<A, B>(items: ReadonlyMap<string, A>, of: (item: A, source: string) => B): Record<string, B> {
  return Object.fromEntries([...items].map(([source, item]) => [source, of(item, source)]));
}
