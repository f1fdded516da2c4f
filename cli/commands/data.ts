import { Argument, Command, InvalidArgumentError, Option } from 'commander';
import { UserError } from '../../util/errors.js';
import { numberOption, wholeOption } from '../options.js';

export function dataCommand(): Command {
  return new Command('data')
    .description('bring, import and prepare data')
    .addCommand(fetchCommand())
    .addCommand(importCommand())
    .addCommand(prepareCommand());
}

function fetchCommand(): Command {
  return new Command('fetch')
    .description('bring a public data set, checked by its SHA-256')
    .argument('<name>', 'such as tinyshakespeare; an unknown name lists all')
    .option('--from <folder|url>', 'take the file from there')
    .option('--to <folder>', 'folder to bring it to', 'data')
    .action(async (name: string, options: { from?: string; to: string }) => {
      const { fetchSource } = await import('../../datasets/fetch.js');
      const { path, source, present } = await fetchSource(name, { from: options.from, directory: options.to });
      console.log(`${path}: ${present ? 'already there' : 'fetched'}, checksum right. ${source.about}. Licence: ${source.licence}`);
    });
}

interface ImportFlags {
  output: string;
  document: 'file' | 'line' | 'blank_line';
  columns?: string;
}

function importCommand(): Command {
  return new Command('import')
    .description('text or rows → a corpus (Arrow)')
    .addArgument(new Argument('<format>', 'what the files are').choices(['text', 'jsonl']))
    .argument('<paths...>', 'files and folders (.txt .md; .jsonl, or .json that holds an array of rows)')
    .requiredOption('-o, --output <file>', 'corpus to write, such as data/corpus.arrow')
    .addOption(new Option('--document <rule>', 'text: what a document is').choices(['file', 'line', 'blank_line']).default('file'))
    .addOption(new Option('--columns <text=NAME>', 'jsonl: field that holds the text (default: text=text)').argParser(textColumn))
    .action(async (format: 'text' | 'jsonl', paths: string[], options: ImportFlags) => {
      if (format === 'text' && options.columns !== undefined)
        throw new UserError('data import: --columns is for jsonl; text has no columns. Leave it out');
      const { importJsonl, importText } = await import('../../datasets/import.js');
      const { output, document, columns } = options;
      const summary = await (format === 'text'
        ? importText({ paths, output, document })
        : importJsonl({ paths, output, textColumn: columns }));
      console.log(`${output}: ${count(summary.documents)} documents, ${count(summary.bytes)} bytes`);
      if (summary.quarantined > 0) console.log(`${summary.quarantine}: ${count(summary.quarantined)} rows that could not be used, and why`);
    });
}

function textColumn(mapping: string): string {
  const name = /^text=(.+)$/.exec(mapping)?.[1];
  if (name === undefined) throw new InvalidArgumentError('It must be text=NAME.');
  return name;
}

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

function prepareCommand(): Command {
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
  const { trainTokenizerOn } = await import('../../datasets/documents.js');
  return trainTokenizerOn(corpus, { split, evalFraction }, { kind, vocabSize, minFrequency, specialTokens });
}

const count = (n: number) => n.toLocaleString('en');
