import { Command } from 'commander';

export function reportCommand(): Command {
  return new Command('report')
    .description('a run → report.html and report.md in it: the verdict, curves, answers side by side, where everything came from')
    .argument('<run>', 'directory of a pipeline or of a single stage, for example runs/tiny')
    .action(async (run: string) => {
      const { writeReport } = await import('../../evaluation/report/report.js');
      const { html, markdown, verdict } = await writeReport(run);
      if (verdict !== undefined) console.log(verdict);
      console.log(`${html} and ${markdown}: written. Open the first in a browser`);
    });
}
