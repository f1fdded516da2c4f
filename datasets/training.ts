import fs from 'node:fs/promises';
import path from 'node:path';
import type { PretrainConfig } from '../configs/schema.js';
import { loadTokenizer, type Tokenizer } from '../tokenizer/index.js';
import { UserError } from '../util/errors.js';
import { exists } from '../util/files.js';
import { trainTokenizerOn } from './documents.js';
import { importJsonl, importText } from './import.js';
import { prepare } from './prepare.js';

export interface TrainingText {
  tokenizer: Tokenizer;
  /** Directory of prepared tokens. */
  tokens: string;
}

/**
 * What a configuration's `data` and `tokenizer` say, ready to be loaded: the text imported, the tokenizer trained on its training part, both
 * parts encoded. `data.path` may be prepared tokens already; then they are used where they lie.
 * @param directory where to write; what is there from before is taken as it is when `reuse` is set (a run that goes on).
 */
export async function prepareTraining(
  config: Pick<PretrainConfig, 'data' | 'tokenizer' | 'seed'>,
  directory: string,
  options: { reuse: boolean; say: (text: string) => void },
): Promise<TrainingText> {
  const { data, seed } = config;
  for (const prepared of [data.path, ...(options.reuse ? [directory] : [])]) {
    if (!(await exists(path.join(prepared, 'dataset.json')))) continue;
    return { tokens: prepared, tokenizer: await readTokenizer(path.join(prepared, 'tokenizer.json')) };
  }
  await fs.mkdir(path.dirname(directory), { recursive: true });
  const corpus = data.path.endsWith('.arrow') ? data.path : `${directory}.corpus.arrow`;
  if (corpus !== data.path) {
    const files = { paths: [data.path], output: corpus };
    const summary =
      data.document === 'row'
        ? await importJsonl({ ...files, textColumn: data.columns.text })
        : await importText({ ...files, document: data.document });
    if (summary.quarantined > 0) options.say(`${summary.quarantined} bad rows set aside in ${summary.quarantine}`);
  }
  const split = { split: data.split, evalFraction: data.eval_fraction };
  const source = config.tokenizer;
  const tokenizer =
    'path' in source
      ? await readTokenizer(source.path)
      : await trainTokenizerOn(corpus, split, { kind: source.kind, vocabSize: source.vocab_size, specialTokens: source.special_tokens });
  await prepare({ corpus, tokenizer, output: directory, seed, ...split });
  if (corpus !== data.path) await fs.rm(corpus);
  return { tokenizer, tokens: directory };
}

/** From a tokenizer.json, or a checkpoint's or data's directory that holds one. */
export async function readTokenizer(file: string): Promise<Tokenizer> {
  const stat = await fs.stat(file).catch(() => undefined);
  const json = stat?.isDirectory() ? path.join(file, 'tokenizer.json') : file;
  const text = await fs.readFile(json, 'utf8').catch((cause) => {
    throw new UserError(`load a tokenizer: ${json} must be a tokenizer.json; it cannot be read (${cause.code})`, 1, { cause });
  });
  return loadTokenizer(JSON.parse(text));
}
