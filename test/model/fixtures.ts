/** The checkpoints in fixtures/ and what Python transformers computes with them; made by test/oracles/checkpoint.py. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type * as tf from '@tensorflow/tfjs';
import { loadCheckpoint } from '../../checkpoints/load.js';
import type { ModelConfig } from '../../model/config.js';
import { parametersFrom } from '../../model/parameters.js';

export const FIXTURES = ['hf-llama-tiny', 'hf-llama-tiny-untied', 'hf-gpt2-tiny', 'hf-gpt2-tiny-untied'];

export interface Expected {
  eos: number;
  ids: number[][];
  logits: number[][][];
  greedy: { prompt: number[]; max_new_tokens: number; repetition_penalty: number; tokens: number[] }[];
  beam: {
    prompt: number[];
    max_new_tokens: number;
    num_beams: number;
    length_penalty: number;
    early_stopping: boolean | 'never';
    sequences: { tokens: number[]; score: number }[];
  }[];
}

export function fixturePath(name: string): string {
  return path.join(import.meta.dirname, 'fixtures', name);
}

export function expectedOf(name: string): Expected {
  return JSON.parse(readFileSync(path.join(fixturePath(name), 'expected.json'), 'utf8')) as Expected;
}

/** Calls `body` with the fixture's model on the device in use; frees it afterwards. */
export async function withFixture(
  name: string,
  body: (model: { config: ModelConfig; parameters: Map<string, tf.Variable> }) => Promise<void>,
): Promise<void> {
  const { config, weights } = await loadCheckpoint(fixturePath(name));
  const parameters = parametersFrom(config, weights);
  try {
    await body({ config, parameters });
  } finally {
    for (const parameter of parameters.values()) parameter.dispose();
  }
}

/** The largest difference of two equally long lists. */
export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new Error(`${a.length} and ${b.length} numbers cannot be compared`);
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i] - b[i]);
    if (!(difference <= largest)) largest = difference; // NaN counts as larger
  }
  return largest;
}
