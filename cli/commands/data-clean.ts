import { Command } from 'commander';
import type { CleanReport } from '../../datasets/clean/index.js';
import { UserError } from '../../util/errors.js';
import { wholeOption } from '../options.js';

interface CleanFlags {
  output: string;
  rules?: string;
  against?: string[];
  threads?: number;
  overwrite?: boolean;
}

export function cleanCommand(): Command {
  return new Command('clean')
    .description('corpora → one corpus without what a chain of rules drops, and a report of what each did')
    .argument('<parts...>', 'corpora made by data import; rule.key=value sets a parameter, such as gopher_quality.min_words=20')
    .requiredOption('-o, --output <file>', 'corpus to write, such as data/clean.arrow; the report goes to data/clean.clean.json')
    .option('--rules <a,b,c>', 'rules, in the order in which to run them (docs/cleaning.md lists them)')
    .option('--against <files...>', 'evaluation sets (.txt .jsonl .json .arrow): drop documents that share 13 words with them')
    .option('--threads <n>', 'worker threads; the output does not depend on them', wholeOption(1))
    .option('--overwrite', 'replace an output that is there')
    .action(async (parts: string[], options: CleanFlags) => {
      const isSetting = (part: string) => /^[\w.]+=/.test(part);
      const corpora = parts.filter((part) => !isSetting(part));
      if (corpora.length === 0)
        throw new UserError(`clean: at least one corpus is required; received only ${parts.join(' ')}. Name a file made by data import`);
      const { cleanCorpus, reportPath } = await import('../../datasets/clean/index.js');
      const { splitSetting } = await import('../../datasets/clean/chain.js');
      const { output, against, threads, overwrite } = options;
      const rules = options.rules
        ?.split(',')
        .map((name) => name.trim())
        .filter((name) => name !== '');
      const parameters = Object.fromEntries(parts.filter(isSetting).map(splitSetting));
      const report = await cleanCorpus({ corpora, output, rules, parameters, against, threads, overwrite });
      const { table } = await import('../../util/terminal.js');
      console.log(
        table(rows(report), {
          header: ['rule', 'documents', 'dropped', '%', 'MB', 'changed', 'MB'],
          align: ['left', 'right', 'right', 'right', 'right', 'right', 'right'],
        }),
      );
      const { before, after } = report;
      console.log(
        `${output}: ${count(after.documents)} of ${count(before.documents)} documents, ${count(after.bytes)} of ${count(before.bytes)} bytes\n${reportPath(output)}: examples of what each rule did`,
      );
    });
}

function rows({ rules }: CleanReport): string[][] {
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);
  return rules.map((rule) => [
    rule.rule,
    count(rule.documents),
    count(rule.dropped),
    rule.documents === 0 ? '' : ((100 * rule.dropped) / rule.documents).toFixed(1),
    megabytes(rule.dropped_bytes),
    count(rule.changed),
    megabytes(rule.changed_bytes),
  ]);
}

const count = (n: number) => n.toLocaleString('en');
