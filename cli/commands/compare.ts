import { Command } from 'commander';

export function compareCommand(): Command {
  return new Command('compare')
    .description('runs beside each other: their figures, their curves, and what differs in configuration and lineage')
    .argument('<runs...>', 'directories of two or more pipelines or stages')
    .option('-o, --output <file>', 'page to write, such as compare.html, or compare.md; printed as Markdown where not given')
    .option('--overwrite', 'replace the output if it is there')
    .action(async (runs: string[], { output, overwrite }: { output?: string; overwrite?: boolean }) => {
      const { compareRuns } = await import('../../evaluation/report/compare.js');
      const { checkPage, writePage } = await import('../page.js');
      if (output !== undefined) await checkPage('compare', output, overwrite);
      const page = await compareRuns(runs, output?.endsWith('.html') ? 'html' : 'markdown');
      if (output === undefined) process.stdout.write(page);
      else await writePage(output, page);
    });
}
