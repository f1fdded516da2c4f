import { Command, Option } from 'commander';
import type { Format, ImportSummary } from '../../datasets/import.js';

interface ImportFlags {
  output: string;
  format: Format | 'auto';
  document?: 'file' | 'line' | 'blank_line';
  columns?: string;
  source?: string;
  encoding?: string;
  overwrite?: boolean;
}

const FORMATS = ['auto', 'text', 'markdown', 'book', 'html', 'code', 'jsonl', 'json', 'csv', 'parquet', 'arrow', 'qa'];

export function importCommand(): Command {
  return new Command('import')
    .description('text, web pages, books, code or rows → a corpus (Arrow)')
    .argument('<paths...>', 'files, folders and quoted patterns such as "docs/**/*.md"; each may be packed (.gz, .zst)')
    .requiredOption('-o, --output <file>', 'corpus to write, such as data/corpus.arrow')
    .addOption(
      new Option('--format <format>', 'what the files are; auto: by their endings and first bytes').choices(FORMATS).default('auto'),
    )
    .addOption(new Option('--document <rule>', 'text: what a document is (default: file)').choices(['file', 'line', 'blank_line']))
    .option('--columns <name=column,...>', 'rows: which column holds the text; qa: question, answers and accepted')
    .option('--source <name>', "name of the documents' source (default: of the file or folder)")
    .option('--encoding <name>', 'what the text is where it is not UTF-8: gb18030, latin1, utf-16le, …')
    .option('--overwrite', 'replace the corpus where it exists')
    .addHelpText(
      'after',
      '\nFor example:\n  fourfold data import c4.jsonl.gz "wiki/*.parquet" -o corpus.arrow\n  fourfold data import posts.csv --columns text=body -o posts.arrow\n',
    )
    .action(async (paths: string[], { format, columns, ...options }: ImportFlags) => {
      const { importCorpus, parseColumns } = await import('../../datasets/import.js');
      const summary = await importCorpus({
        ...options,
        paths,
        format: format === 'auto' ? undefined : format,
        columns: columns === undefined ? undefined : parseColumns(columns),
      });
      console.log(describe(options.output, summary));
    });
}

function describe(output: string, summary: ImportSummary): string {
  const counts = (entries: Record<string, number>) =>
    Object.entries(entries)
      .sort(([, a], [, b]) => b - a)
      .map(([name, n]) => `${name} ${count(n)}`);
  const sources = counts(summary.sources);
  const lines = [
    `${output}: ${count(summary.documents)} documents, ${count(summary.bytes)} bytes`,
    `  files: ${counts(summary.formats).join(', ')}`,
    `  sources: ${sources.slice(0, 12).join(', ')}${sources.length > 12 ? ` and ${sources.length - 12} more` : ''}`,
  ];
  if (Object.keys(summary.skipped).length > 0) lines.push(`  left out: ${counts(summary.skipped).join(', ')}`);
  if (summary.quarantined > 0) {
    lines.push(`  could not be used: ${counts(summary.reasons).join(', ')}; ${summary.quarantine} says where and why`);
  }
  return lines.join('\n');
}

const count = (n: number) => n.toLocaleString('en');
