import { Command } from 'commander';
import { interruptible } from '../signals.js';

interface Options {
  resume?: string;
  dryRun?: boolean;
  device?: string;
  threads?: string;
}

export function sftCommand(): Command {
  return new Command('sft')
    .description('teach a base model to answer, from conversations')
    .argument('<config>', 'a YAML file, or a ready configuration such as sft-alpaca')
    .argument('[overrides...]', 'key=value: learning_rate=1e-4 data.overlong=drop; key=null takes the default')
    .option('--resume <checkpoint>', 'go on from a checkpoint; auto: the latest of this run')
    .option('--dry-run', 'print the resolved configuration, what the run would cost, and one example with its mask')
    .option('--device <name>', 'the same as device=NAME')
    .option('--threads <number>', 'the same as threads=NUMBER')
    .action(async (file: string, overrides: string[], options: Options) => {
      const { loadSftConfig } = await import('../../configs/load.js');
      const flags = (['device', 'threads'] as const).flatMap((key) => (options[key] === undefined ? [] : `${key}=${options[key]}`));
      const config = await loadSftConfig(file, [...overrides, ...flags]);
      if (options.dryRun) {
        const { sftDryRun } = await import('../../stages/dry-run.js');
        console.log(await sftDryRun(config));
        return;
      }
      const { sft } = await import('../../stages/sft.js');
      const run = { directory: config.output_dir, resume: options.resume };
      const { checkpoint } = await interruptible((signal) => sft(config, run, signal));
      console.log(`Saved ${checkpoint}\nTalk to it: fourfold chat ${checkpoint}`);
    });
}
