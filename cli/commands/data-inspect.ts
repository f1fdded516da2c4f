import { Command } from 'commander';
import type { InspectOptions } from '../../datasets/inspect/inspect.js';
import { wholeOption } from '../options.js';
import { progressLine } from '../progress.js';

interface InspectFlags {
  row?: number;
  tokenizer?: string;
  html?: string;
  overwrite?: boolean;
}

export function inspectCommand(): Command {
  return new Command('inspect')
    .description('what is in a corpus, in tokens or in any Arrow file')
    .argument('<file>', 'corpus or tokens (.arrow), or a folder made by data prepare')
    .option('--row <n>', 'show this row whole, counted from 0', wholeOption(0))
    .option('--tokenizer <path>', 'count and show the text in its tokens; tokens are decoded by the tokenizer.json beside them')
    .option('--html <file>', 'write a page instead')
    .option('--overwrite', 'replace a page that is there')
    .action(async (file: string, { row, tokenizer, html, overwrite }: InspectFlags) => {
      const { inspect, inspectRow } = await import('../../datasets/inspect/inspect.js');
      const { inspectionPage, rowPage } = await import('../../datasets/inspect/page.js');
      const { inspectionText, rowText } = await import('../../datasets/inspect/terminal.js');
      const { checkPage, writePage } = await import('../page.js');
      if (html !== undefined) await checkPage('inspect data', html, overwrite);
      if (row !== undefined) {
        const found = await inspectRow(file, row, { tokenizer });
        if (html === undefined) console.log(rowText(found));
        else await writePage(html, rowPage(`${file}, row ${row}`, found));
        return;
      }
      const line = progressLine();
      const onProgress: InspectOptions['onProgress'] = ({ doing, bytes }) => line.show(`${doing} ${(bytes / 1e6).toFixed(0)} MB`);
      const inspection = await inspect(file, { tokenizer, onProgress }).finally(line.end);
      if (html === undefined) console.log(inspectionText(inspection));
      else await writePage(html, inspectionPage(inspection));
    });
}
