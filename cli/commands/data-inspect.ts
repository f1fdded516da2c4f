import { Command, Option } from 'commander';
import type { InspectOptions } from '../../datasets/inspect/inspect.js';
import type { TrainOn } from '../../tokenizer/index.js';
import { wholeOption } from '../options.js';
import { progressLine } from '../progress.js';

interface InspectFlags {
  row?: number;
  tokenizer?: string;
  tokens?: boolean;
  template?: string;
  trainOn?: TrainOn;
  contextLength?: number;
  html?: string;
  overwrite?: boolean;
}

export function inspectCommand(): Command {
  return new Command('inspect')
    .description('what is in a corpus, in conversations, in preferences, in tokens or in any Arrow file')
    .argument('<file>', 'corpus, conversations, prompts, preferences or tokens (.arrow), or a folder made by data prepare')
    .option('--row <n>', 'show this row whole, counted from 0', wholeOption(0))
    .option(
      '--tokenizer <path>',
      'a checkpoint or tokenizer.json to count and show the text in its tokens (of preferences, to count answers); tokens are decoded by the one beside them',
    )
    .option('--tokens', 'show conversations as the tokens of a chat template, and which of them are trained on')
    .option(
      '--template <name>',
      "chat template of conversations: chatml, llama3, alpaca, vicuna or a file of Jinja; otherwise the tokenizer's own",
    )
    .addOption(
      new Option('--train-on <tokens>', 'which tokens of conversations are trained on (assistant)').choices([
        'assistant',
        'last_assistant',
        'all',
      ]),
    )
    .option('--context-length <n>', 'mark conversations of more tokens; otherwise as config.json beside the tokenizer says', wholeOption(1))
    .option('--html <file>', 'write a page instead')
    .option('--overwrite', 'replace a page that is there')
    .action(async (file: string, { row, html, overwrite, ...options }: InspectFlags) => {
      const { inspect, inspectRow } = await import('../../datasets/inspect/inspect.js');
      const { inspectionPage, rowPage } = await import('../../datasets/inspect/page.js');
      const { inspectionText, rowText } = await import('../../datasets/inspect/terminal.js');
      const { checkPage, writePage } = await import('../page.js');
      if (html !== undefined) await checkPage('inspect data', html, overwrite);
      if (row !== undefined) {
        const found = await inspectRow(file, row, options);
        if (html === undefined) console.log(rowText(found));
        else await writePage(html, rowPage(`${file}, row ${row}`, found));
        return;
      }
      const line = progressLine();
      const onProgress: InspectOptions['onProgress'] = ({ doing, bytes }) => line.show(`${doing} ${(bytes / 1e6).toFixed(0)} MB`);
      const inspection = await inspect(file, { ...options, onProgress }).finally(line.end);
      if (html === undefined) console.log(inspectionText(inspection));
      else await writePage(html, inspectionPage(inspection));
    });
}
