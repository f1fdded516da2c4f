import { Command, Option } from 'commander';
import { numberOption, wholeOption } from '../options.js';

interface PrepareFlags {
  output: string;
  tokenizer?: string;
  kind: 'bpe' | 'char' | 'word';
  vocabSize: number;
  minFrequency: number;
  specialTokens: boolean;
  allowSpecial?: boolean;
  split: 'hash' | 'tail';
  evalFraction: number;
  seed: number;
}

export function prepareCommand(): Command {
  return new Command('prepare')
    .description('a corpus → tokens for training and evaluation (Arrow)')
    .argument('<corpus>', 'made by data import')
    .requiredOption('-o, --output <folder>', 'folder to write')
    .option('--tokenizer <path>', 'tokenizer.json, or a folder that holds one; otherwise one is trained on the training part')
    .addOption(new Option('--kind <kind>', 'kind of tokenizer to train').choices(['bpe', 'char', 'word']).default('bpe'))
    .option('--vocab-size <n>', 'its number of tokens (bpe, word)', wholeOption(1), 4096)
    .option('--min-frequency <n>', 'leave out what is seen less often (bpe, word)', wholeOption(1), 2)
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
    .option('--seed <n>', 'of the run, written down with the data', wholeOption(0), 1337)
    .action(async (corpus: string, options: PrepareFlags) => {
      const { prepare } = await import('../../datasets/prepare.js');
      const { output, split, evalFraction, seed, allowSpecial } = options;
      const tokenizer = await tokenizerFor(corpus, options);
      const summary = await prepare({ corpus, tokenizer, output, split, evalFraction, seed, allowSpecial });
      console.log(`${output}: ${tokenizer.kind} tokenizer, ${count(tokenizer.vocabSize)} tokens, ${tokenizer.hash().slice(0, 12)}`);
      for (const part of ['train', 'eval'] as const) {
        const { documents, tokens, bytes } = summary[part];
        console.log(`  ${part}: ${count(documents)} documents, ${count(tokens)} tokens, ${count(bytes)} bytes`);
      }
    });
}

async function tokenizerFor(corpus: string, options: PrepareFlags) {
  const { split, evalFraction, kind, vocabSize, minFrequency, specialTokens } = options;
  if (options.tokenizer !== undefined) {
    const { readTokenizer } = await import('../../tokenizer/index.js');
    return readTokenizer(options.tokenizer);
  }
  const { trainTokenizerOn } = await import('../../datasets/train-tokenizer.js');
  return trainTokenizerOn([corpus], { split, evalFraction }, { kind, vocabSize, minFrequency, specialTokens });
}

const count = (n: number) => n.toLocaleString('en');
