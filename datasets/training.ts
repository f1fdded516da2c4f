import fs from 'node:fs/promises';
import path from 'node:path';
import { namedColumns } from '../configs/keys.js';
import type { PretrainConfig } from '../configs/schema.js';
import { readTokenizer, type Tokenizer } from '../tokenizer/index.js';
import { exists } from '../util/files.js';
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
  options: { reuse: boolean; say: (text: string) => void },
): Promise<TrainingText> {
  const { data, seed } = config;
  for (const prepared of [data.path, ...(options.reuse ? [directory] : [])]) {
    if (!(await exists(path.join(prepared, 'dataset.json')))) continue;
    return { tokens: prepared, tokenizer: await readTokenizer(prepared) };
  }
  await fs.mkdir(path.dirname(directory), { recursive: true });
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
      : { kind: source.kind, vocabSize: source.vocab_size, specialTokens: source.special_tokens };
  await prepare({
    corpora: [corpus],
    tokenizer,
    output: directory,
    split: data.split,
    evalFraction: data.eval_fraction,
    seed,
    overwrite: true,
    say: options.say,
  });
  if (imported) await fs.rm(corpus);
  return { tokenizer: await readTokenizer(directory), tokens: directory };
}
