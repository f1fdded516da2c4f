import fs from 'node:fs/promises';
import path from 'node:path';
import { namedColumns } from '../configs/keys.js';
import type { PretrainConfig } from '../configs/schema.js';
import { readTokenizer, type Tokenizer } from '../tokenizer/index.js';
import { UserError } from '../util/errors.js';
import { exists, makeFolder } from '../util/files.js';
import { corpusFrom } from './corpus.js';
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
  options: { reuse: boolean; say: (text: string) => void; signal?: AbortSignal },
): Promise<TrainingText> {
  const { data, seed } = config;
  for (const prepared of [data.path, ...(options.reuse ? [directory] : [])]) {
    if (!(await exists(path.join(prepared, 'dataset.json')))) continue;
    const tokenizer = await readTokenizer(prepared);
    await checkSameTokenizer(config, prepared, tokenizer);
    return { tokens: prepared, tokenizer };
  }
  await makeFolder(path.dirname(directory));
  const { corpus, imported } = await corpusFrom({
    path: data.path,
    document: data.document,
    textColumn: namedColumns(data.path) ? data.columns.text : undefined,
    output: `${directory}.corpus.arrow`,
  });
  if (imported && imported.quarantined > 0) options.say(`${imported.quarantined} bad rows set aside in ${imported.quarantine}`);
  const source = config.tokenizer;
  const tokenizer =
    'path' in source
      ? await readTokenizer(source.path)
      : {
          kind: source.kind,
          vocabSize: source.vocab_size,
          minFrequency: source.min_frequency,
          maxTokenBytes: source.max_token_bytes,
          specialTokens: source.special_tokens,
        };
  await prepare({
    corpora: [corpus],
    tokenizer,
    output: directory,
    split: data.split,
    evalFraction: data.eval_fraction,
    seed,
    overwrite: true,
    say: options.say,
    signal: options.signal,
  });
  if (imported) await fs.rm(corpus);
  return { tokenizer: await readTokenizer(directory), tokens: directory };
}

/** A tokenizer that the configuration names, by itself or by the checkpoint it goes on from, must be the one the tokens were made with. */
async function checkSameTokenizer(
  { tokenizer: named }: Pick<PretrainConfig, 'tokenizer'>,
  prepared: string,
  own: Tokenizer,
): Promise<void> {
  if (!('path' in named) || (await readTokenizer(named.path)).hash() === own.hash()) return;
  throw new UserError(
    `load data: the tokens in ${prepared} must be made with the tokenizer of ${named.path}; they were made with another. Prepare them with --tokenizer ${named.path}`,
  );
}
