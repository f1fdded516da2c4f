import { Command, Option } from 'commander';
import type { ChatSummary, Format, ImportSummary, PreferenceSummary } from '../../datasets/import.js';

interface ImportFlags {
  output: string;
  format: Format | 'auto';
  document?: 'file' | 'line' | 'blank_line';
  columns?: string;
  source?: string;
  encoding?: string;
  overwrite?: boolean;
}

const TEXTS = ['text', 'markdown', 'book', 'html', 'code', 'jsonl', 'json', 'csv', 'parquet', 'arrow', 'qa'];
const CHATS = ['alpaca', 'sharegpt', 'moss', 'chatglm', 'messages', 'prompt_completion', 'prompts'];
const PREFERENCES = ['chosen_rejected', 'hh_rlhf', 'sharegpt_dpo', 'rankings', 'solutions'];

const HELP = `
A file of rows with a column text is a corpus. One whose columns are those of conversations becomes a table of conversations: alpaca (instruction,
input, output), sharegpt (conversations), moss (chat), chatglm (prompt, response, history), messages, prompt_completion (prompt, completion). One
with a prompt and no answer becomes a table of prompts. Answers with their order become a table of preferences: chosen_rejected (prompt, chosen,
rejected), hh_rlhf (chosen, rejected), sharegpt_dpo (conversations, chosen, rejected), rankings (prompt, responses, ranks), solutions (question, and
objects with is_correct and solution). --columns takes other columns, and says so where it could be either:
  text=NAME                              a corpus
  question=NAME,answers=NAME             a corpus of questions and answers (accepted=NAME)
  messages=NAME                          conversations, from lists of messages
  prompt=NAME,response=NAME              conversations (system=NAME, history=NAME, weight=NAME)
  prompt=NAME                            prompts (reference=NAME)
  prompt=NAME,chosen=NAME,rejected=NAME  preferences (margin=NAME, chosen_score=NAME, rejected_score=NAME, annotator=NAME)
  prompt=NAME,responses=NAME,ranks=NAME  preferences (margins=NAME, scores=NAME, annotator=NAME)

For example:
  fourfold data import c4.jsonl.gz "wiki/*.parquet" -o corpus.arrow
  fourfold data import posts.csv --columns text=body -o posts.arrow
  fourfold data import alpaca.json -o alpaca.arrow
  fourfold data import gsm8k-train.jsonl --columns prompt=question,response=answer -o gsm8k.arrow
  fourfold data import gsm8k-solutions.jsonl -o solutions.arrow
`;

export function importCommand(): Command {
  return new Command('import')
    .description('text, web pages, books, code or rows → a corpus; rows of conversations, prompts or preferences → a table of them (Arrow)')
    .argument('<paths...>', 'files, folders and quoted patterns such as "docs/**/*.md"; each may be packed (.gz, .zst)')
    .requiredOption('-o, --output <file>', 'table to write, such as data/corpus.arrow')
    .addOption(
      new Option('--format <format>', 'what the files are; auto: by their endings, first bytes and columns')
        .choices(['auto', ...TEXTS, ...CHATS, ...PREFERENCES])
        .default('auto'),
    )
    .addOption(new Option('--document <rule>', 'text: what a document is (default: file)').choices(['file', 'line', 'blank_line']))
    .option('--columns <name=column,...>', 'rows: which column holds what (see below)')
    .option('--source <name>', "name of the rows' source (default: of the file or folder)")
    .option('--encoding <name>', 'what the text is where it is not UTF-8: gb18030, latin1, utf-16le, …')
    .option('--overwrite', 'replace the table where it exists')
    .addHelpText('after', HELP)
    .action(async (paths: string[], { format, columns, ...options }: ImportFlags) => {
      const { importData, parseColumns } = await import('../../datasets/import.js');
      const summary = await importData({
        ...options,
        paths,
        format: format === 'auto' ? undefined : format,
        columns: columns === undefined ? undefined : parseColumns(columns),
      });
      console.log(describe(options.output, summary));
    });
}

function describe(output: string, summary: ImportSummary | ChatSummary | PreferenceSummary): string {
  const counts = (entries: Record<string, number>) =>
    Object.entries(entries)
      .sort(([, a], [, b]) => b - a)
      .map(([name, n]) => `${name} ${count(n)}`);
  const sources = counts(summary.sources);
  const lines = [
    `${output}: ${rowsOf(summary)}, ${count(summary.bytes)} bytes`,
    'documents' in summary ? `  files: ${counts(summary.formats).join(', ')}` : `  format: ${filesOf(summary.formats)}`,
    `  sources: ${sources.slice(0, 12).join(', ')}${sources.length > 12 ? ` and ${sources.length - 12} more` : ''}`,
  ];
  if (Object.keys(summary.skipped).length > 0) lines.push(`  left out: ${counts(summary.skipped).join(', ')}`);
  if (summary.quarantined > 0) {
    lines.push(`  could not be used: ${counts(summary.reasons).join(', ')}; ${summary.quarantine} says where and why`);
  }
  return lines.join('\n');
}

function rowsOf(summary: ImportSummary | ChatSummary | PreferenceSummary): string {
  if ('documents' in summary) return `${count(summary.documents)} documents`;
  if (summary.table === 'preferences') {
    const { rows, answers, comparisons, ties } = summary;
    return `${count(rows)} preferences, ${count(answers)} answers, ${count(comparisons)} comparisons${ties > 0 ? `, ${count(ties)} ties` : ''}`;
  }
  return `${count(summary.rows)} ${summary.table} of ${count(summary.turns)} turns`;
}

function filesOf(formats: Record<string, number>): string {
  return Object.entries(formats)
    .map(([format, n]) => `${format} (${n === 1 ? '1 file' : `${count(n)} files`})`)
    .join(', ');
}

const count = (n: number) => n.toLocaleString('en');
