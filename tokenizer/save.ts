import { stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { UserError } from '../util/errors.js';
import { exists, writeFileAtomic } from '../util/files.js';
import type { Tokenizer } from './tokenizer.js';

/**
 * The file that a tokenizer is written to: `output` where it ends in .json, else tokenizer.json in the folder `output`.
 * @throws UserError where something is there already, unless `overwrite`.
 */
export async function tokenizerFile(output: string, overwrite: boolean): Promise<string> {
  const isFolder = (await stat(output).catch(() => undefined))?.isDirectory() ?? extname(output).toLowerCase() !== '.json';
  const file = isFolder ? join(output, 'tokenizer.json') : output;
  if (!overwrite && (await exists(file))) {
    throw new UserError(`train tokenizer: the output ${file} exists already. Choose another, or say --overwrite`);
  }
  return file;
}

/** Writes tokenizer.json: the old file stays whole until the new one is. */
export async function saveTokenizer(tokenizer: Tokenizer, file: string): Promise<void> {
  await writeFileAtomic(file, JSON.stringify(tokenizer));
}
