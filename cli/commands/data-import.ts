import { Argument, Command, InvalidArgumentError, Option } from 'commander';
import { UserError } from '../../util/errors.js';

interface ImportFlags {
  output: string;
  document: 'file' | 'line' | 'blank_line';
  columns?: string;
}

export function importCommand(): Command {
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

const count = (n: number) => n.toLocaleString('en');
