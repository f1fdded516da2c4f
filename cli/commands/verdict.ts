import { Command } from 'commander';
import { progressLine } from '../progress.js';
import { interruptible } from '../signals.js';

interface Flags {
  output: string;
  overwrite?: boolean;
  json?: boolean;
}

export function verdictCommand(): Command {
  return new Command('verdict')
    .description("compare models by the built-in world's gold reward: their answers to held-out prompts, side by side")
    .argument('<config>', 'a YAML file that names the models; docs/evaluation.md lists its keys')
    .argument('[overrides...]', 'key=value: limit=100 models.ppo.checkpoint=runs/ppo/final; key=null takes the default')
    .requiredOption('-o, --output <file>', 'JSON to write, such as runs/verdict.json')
    .option('--overwrite', 'replace an output that is there')
    .option('--json', 'print JSON')
    .action(async (file: string, overrides: string[], { output, overwrite, json }: Flags) => {
      const { loadVerdictConfig } = await import('../../configs/load.js');
      const { checkVerdictOutput, verdict, writeVerdict } = await import('../../evaluation/verdict.js');
      const { verdictText } = await import('../../evaluation/verdict/show.js');
      const config = await loadVerdictConfig(file, overrides);
      await checkVerdictOutput(output, overwrite);
      const began = performance.now();
      const line = progressLine();
      const found = await interruptible((signal) => verdict(config, { signal, onProgress: line.show }).finally(line.end), {
        stopping: 'Stopping',
        goOn: 'Nothing is kept; run it again',
      });
      await writeVerdict(output, found);
      const seconds = ((performance.now() - began) / 1000).toFixed(1);
      console.log(json ? JSON.stringify(found, null, 2) : `${verdictText(found)}\n\n${output}: written, ${seconds} s`);
    });
}
