import { Command, InvalidArgumentError, Option } from 'commander';
import type { Dataset } from '../../datasets/dataset.js';
import type { PrepareProgress } from '../../datasets/prepare.js';
import { numberOption, wholeOption } from '../options.js';
import { progressLine } from '../progress.js';
import { interruptible } from '../signals.js';

interface PrepareFlags {
  output: string;
  tokenizer?: string;
  kind: 'bpe' | 'char' | 'word';
  vocabSize: number;
  minFrequency: number;
  maxTokenBytes?: number;
  specialTokens: boolean;
  allowSpecial?: boolean;
  split: 'hash' | 'tail';
  evalFraction: number;
  mixture?: Record<string, number>;
  seed: number;
  threads?: number;
  overwrite?: boolean;
}

export function prepareCommand(): Command {
  return new Command('prepare')
    .description('corpora → tokens for training and evaluation (Arrow)')
    .argument('<corpora...>', 'made by data import')
    .requiredOption('-o, --output <folder>', 'folder to write')
    .option('--tokenizer <path>', 'tokenizer.json, or a folder that holds one; otherwise one is trained on the training part')
    .addOption(new Option('--kind <kind>', 'kind of tokenizer to train').choices(['bpe', 'char', 'word']).default('bpe'))
    .option('--vocab-size <n>', 'its number of tokens (bpe, word)', wholeOption(1), 4096)
    .option('--min-frequency <n>', 'leave out what is seen less often (bpe, word)', wholeOption(1), 2)
    .option('--max-token-bytes <n>', 'longest token (bpe)', wholeOption(1))
    .option('--no-special-tokens', 'the characters alone, no beginning and end of document (char)')
    .option('--allow-special', 'read text that spells a special token as that token')
    .addOption(
      new Option('--split <rule>', 'what is held out: documents by hash, or the end of the text').choices(['hash', 'tail']).default('hash'),
    )
    .option(
      '--eval-fraction <part>',
      'how much is held out',
      numberOption('at least 0 and below 1', (value) => value >= 0 && value < 1),
      0.1,
    )
    .option('--mixture <source=weight,…>', 'how much of training comes from each source; 0 leaves one out', mixtureOption)
    .option('--seed <n>', 'of the run, written down with the data', wholeOption(0), 1337)
    .option('--threads <n>', 'threads to work with; the result is the same (default: one a processor)', wholeOption(1))
    .option('--overwrite', 'replace earlier prepared data')
    .action(async (corpora: string[], flags: PrepareFlags) => {
      const { prepare } = await import('../../datasets/prepare.js');
      const { readTokenizer } = await import('../../tokenizer/index.js');
      const { kind, vocabSize, minFrequency, maxTokenBytes, specialTokens, tokenizer: path, ...options } = flags;
      const tokenizer = path === undefined ? { kind, vocabSize, minFrequency, maxTokenBytes, specialTokens } : await readTokenizer(path);
      const line = progressLine();
      const say = (text: string) => {
        line.end();
        console.error(text);
      };
      const onProgress = shown(line.show);
      const stop = { stopping: 'Stopping after this shard', goOn: 'The same command goes on from there' };
      let dataset: Dataset | undefined;
      await interruptible(async (signal) => {
        dataset = await prepare({ ...options, corpora, tokenizer, signal, say, onProgress }).finally(line.end);
      }, stop).catch((error) => {
        if (dataset === undefined) throw error; // stopped in the last shard, it is finished
      });
      await report(options.output, dataset!);
    });
}

async function report(output: string, dataset: Dataset): Promise<void> {
  const { sourceTable } = await import('../../datasets/source-table.js');
  const { table } = await import('../../util/terminal.js');
  console.log(`${output}: ${count(dataset.vocab_size)} tokens, ${dataset.tokenizer_sha256.slice(0, 12)}`);
  for (const part of ['train', 'eval'] as const) {
    const { documents, tokens, bytes } = dataset[part];
    console.log(`  ${part}: ${count(documents)} documents, ${count(tokens)} tokens, ${count(bytes)} bytes`);
  }
  if (dataset.sources.length === 1 && dataset.mixture === undefined) return;
  const { header, rows } = sourceTable(dataset);
  console.log(`\n${table(rows, { header, align: header.map((_, i) => (i === 0 ? 'left' : 'right')) })}`);
}

const WORDS = { read: 'reading', count: 'counting words', merge: 'merging pairs', encode: 'encoding' };

/** Shows how far the work is, how fast, and how much of it is done. */
function shown(show: (text: string) => void): (progress: PrepareProgress) => void {
  let began: { phase: string; done: number; time: number } | undefined;
  return ({ phase, done, total }) => {
    if (began?.phase !== phase) began = { phase, done, time: performance.now() };
    const { done: before, time } = began;
    const parts = total === undefined ? [] : [`${Math.floor((100 * done) / total)} %`];
    const seconds = (performance.now() - time) / 1000;
    if (phase !== 'merge') parts.push(`${(done / 1e6).toFixed(0)} MB`);
    if (phase !== 'merge' && seconds > 0.5) parts.push(`${((done - before) / 1e6 / seconds).toFixed(1)} MB/s`);
    show(`${WORDS[phase]}: ${parts.join(' · ')}`);
  };
}

/** `wiki=2,c4=1`. A source may have an equals sign in its name. */
function mixtureOption(text: string): Record<string, number> {
  const mixture: Record<string, number> = {};
  for (const item of text.split(',')) {
    const [, name, weight] = /^(.+)=([^=]+)$/.exec(item.trim()) ?? [];
    const value = weight === undefined || weight.trim() === '' ? Number.NaN : Number(weight);
    if (name === undefined || !(value >= 0 && value < Number.POSITIVE_INFINITY)) {
      throw new InvalidArgumentError('It must be sources with weights, 0 or more, such as wiki=2,c4=1.');
    }
    if (Object.hasOwn(mixture, name)) throw new InvalidArgumentError(`It names ${name} twice.`);
    mixture[name] = value;
  }
  return mixture;
}

const count = (n: number) => n.toLocaleString('en');
