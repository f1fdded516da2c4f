import { ArrowFile } from '../../datasets/arrow.js';
import { type Generation, generationsBatch, generationsSchema } from '../../datasets/generations.js';
import type { Message } from '../../tokenizer/index.js';

/** A prompt with answers of these texts; those in `cut` were cut at the limit of tokens. */
export function generationOf(prompt: string | Message[], texts: readonly string[], cut: readonly string[] = []): Generation {
  return {
    prompt: typeof prompt === 'string' ? [{ role: 'user', content: prompt }] : prompt,
    source: 'made',
    answers: texts.map((text, seed) => ({
      ...{ text, seed, logProb: -1, tokens: 3 },
      finishReason: cut.includes(text) ? 'length' : 'stop',
    })),
  };
}

/** Writes a table of generations and gives its path. */
export async function writeGenerations(path: string, rows: readonly Generation[]): Promise<string> {
  const schema = generationsSchema(new Map([['importer', 'test']]));
  const file = new ArrowFile(path, schema);
  await file.write(generationsBatch(schema, rows));
  await file.close();
  return path;
}
