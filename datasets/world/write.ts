import { createHash } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import type { Schema } from 'apache-arrow';
import { UserError } from '../../util/errors.js';
import { atomicDirectory, exists } from '../../util/files.js';
import { ArrowFile, corpusBatch, corpusSchema, type Metadata, type RecordBatch } from '../arrow.js';
import { conversationsBatch, conversationsSchema, promptsBatch, promptsSchema } from '../conversations.js';
import { preferencesBatch, preferencesSchema } from '../preferences.js';
import { goldOf } from './gold.js';
import { readme, type WorldSummary } from './readme.js';
import { conversations, corpus, preferences, prompts } from './tables.js';
import type { Language } from './words.js';
import { makeWorld, SIZES, WORLD_FILE } from './world.js';

export interface WorldOptions {
  /** Directory to write. */
  output: string;
  seed: number;
  /** 1: about 2 M tokens of corpus. */
  size: number;
  languages: readonly Language[];
  overwrite?: boolean;
}

/** Rows of a record batch. */
const BATCH_ROWS = 2048;

/**
 * Writes the built-in world: its facts, a corpus, conversations, preferences, and three sets of prompts. The bytes are a function of seed, size
 * and languages.
 * @throws UserError for a size that there are no names for, and where something lies in the place that may not be replaced.
 */
export async function writeWorld({ output, seed, size, languages, overwrite = false }: WorldOptions): Promise<WorldSummary> {
  if (size < SIZES.smallest || size > SIZES.largest) {
    throw new UserError(
      `make the built-in world: the size must be from ${SIZES.smallest} to ${SIZES.largest}; received ${size}. A size of 1 has 50 universities`,
    );
  }
  await checkOutput(output, overwrite);
  const world = makeWorld({ seed, size, languages: [...languages] });
  const facts = `${JSON.stringify(world, null, 1)}\n`;
  const metadata = new Map([
    ['importer', 'world'],
    ['seed', String(seed)],
    ['size', String(size)],
    ['languages', languages.join(',')],
    ['source_sha256', createHash('sha256').update(facts).digest('hex')],
  ]);
  const gold = goldOf(world);
  const summary: WorldSummary = [];
  await atomicDirectory(output, async (directory) => {
    await fs.writeFile(path.join(directory, WORLD_FILE), facts);
    const write = async <T>(file: string, schemaOf: (metadata: Metadata) => Schema, batch: (schema: Schema, rows: T[]) => RecordBatch, rows: Iterable<T>) => {
      const count = await writeTable(new ArrowFile(path.join(directory, file), schemaOf(metadata)), batch, rows);
      summary.push({ file, rows: count });
    }; // biome-ignore format: short
    await write('corpus.arrow', corpusSchema, (schema, rows) => corpusBatch(schema, rows.map(({ text }) => text), rows.map(({ source }) => source)), corpus(world)); // biome-ignore format: short
    await write('conversations.arrow', conversationsSchema, conversationsBatch, conversations(world));
    await write('preferences.arrow', preferencesSchema, preferencesBatch, preferences(world, gold));
    await write('prompts-rollout.arrow', promptsSchema, promptsBatch, prompts(world, 'train'));
    await write('prompts-eval.arrow', promptsSchema, promptsBatch, prompts(world, 'eval'));
    await write('prompts-report.arrow', promptsSchema, promptsBatch, prompts(world, 'report'));
    await fs.writeFile(path.join(directory, 'README.md'), readme(world, summary));
  });
  return summary;
}

async function writeTable<T>(file: ArrowFile, batch: (schema: Schema, rows: T[]) => RecordBatch, rows: Iterable<T>): Promise<number> {
  let count = 0;
  let held: T[] = [];
  const flush = async () => {
    await file.write(batch(file.schema, held));
    count += held.length;
    held = [];
  };
  try {
    for (const row of rows) {
      held.push(row);
      if (held.length === BATCH_ROWS) await flush();
    }
    if (held.length > 0) await flush();
    await file.close();
  } finally {
    await file.abandon();
  }
  return count;
}

/** What is replaced must be a world. */
async function checkOutput(output: string, overwrite: boolean): Promise<void> {
  if (!(await exists(output))) return;
  const isWorld = await exists(path.join(output, WORLD_FILE));
  if (isWorld && overwrite) return;
  throw new UserError(
    isWorld
      ? `make the built-in world: the output must be new; ${output} exists already. Choose another directory, or say --overwrite`
      : `make the built-in world: the output must be new, or an earlier world; ${output} is something else. Choose another directory`,
  );
}
