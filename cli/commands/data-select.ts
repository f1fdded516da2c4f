import { Command } from 'commander';
import type { SelectOptions } from '../../evaluation/select/index.js';
import { UserError } from '../../util/errors.js';
import { modelOptions, wholeOption, withOptions } from '../options.js';
import { progressLine } from '../progress.js';

interface SelectFlags extends Pick<SelectOptions, 'output' | 'overwrite' | 'device' | 'threads' | 'precision'> {
  config?: string;
  strategies?: string;
  budget?: number;
  checkpoint?: string;
  html?: string;
}

export function selectCommand(): Command {
  const command = new Command('select')
    .description('conversations → few, good ones of them, by a chain of strategies, and a report of what each did')
    .argument('<parts...>', 'a table of conversations, and key=value for any key of docs/select.md, such as length.max_tokens=512')
    .requiredOption('-o, --output <file>', 'table to write, such as data/few.arrow; the report goes to data/few.select.json')
    .option('--config <file>', 'YAML with the strategies and their parameters')
    .option(
      '--strategies <a,b,c>',
      'the strategies, in the order in which to run them: near_duplicates, length, repetition, language, perplexity, ifd, diversity',
    )
    .option('--budget <n>', 'conversations to end with', wholeOption(1))
    .option('--checkpoint <path>', 'model of perplexity, ifd and diversity, for example runs/NAME/final')
    .option('--html <file>', 'write the report as a page, too')
    .option('--overwrite', 'replace outputs that are there')
    .action(async (parts: string[], flags: SelectFlags) => {
      const { config: file, strategies, budget, checkpoint, html, ...rest } = flags;
      const tables = parts.filter((part) => !isSetting(part));
      if (tables.length !== 1)
        throw new UserError(`select: one table of conversations is required; received ${tables.join(' and ') || 'none'}. Name one`);
      if (file === undefined && strategies === undefined)
        throw new UserError(
          'select: what is to be run is required; received neither --config nor --strategies. For example --strategies near_duplicates,repetition',
        );
      const { loadSelectConfig } = await import('../../configs/load.js');
      const { selectConversations } = await import('../../evaluation/select/index.js');
      const { selectionPage } = await import('../../evaluation/select/page.js');
      const { selectionText } = await import('../../evaluation/select/terminal.js');
      const { checkPage, writePage } = await import('../page.js');
      const given = { strategies: strategies && `[${strategies}]`, budget, checkpoint: checkpoint && JSON.stringify(checkpoint) };
      const overrides = Object.entries(given).flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${value}`]));
      const config = await loadSelectConfig(file, [...overrides, ...parts.filter(isSetting)]);
      if (html !== undefined) await checkPage('select', html, rest.overwrite);
      const line = progressLine();
      const report = await selectConversations({ ...rest, table: tables[0], config, onProgress: line.show }).finally(line.end);
      console.log(selectionText(report));
      if (html !== undefined) await writePage(html, selectionPage(report));
    });
  return withOptions(command, ...modelOptions());
}

const isSetting = (part: string) => /^[\w.]+=/.test(part);
