import { Command } from 'commander';
import { interruptible } from '../signals.js';

interface Options {
  resume?: string;
  dryRun?: boolean;
  device?: string;
  threads?: string;
}

export function pretrainCommand(): Command {
  return new Command('pretrain')
    .description('train a language model from raw text')
    .argument('<config>', 'a YAML file, or a ready configuration such as shakespeare-char')
    .argument('[overrides...]', 'key=value: learning_rate=3e-4 model.hidden_size=256; key=null takes the default')
    .option('--resume <checkpoint>', 'go on from a checkpoint; auto: the latest of this run')
    .option('--dry-run', 'print the resolved configuration and what the run would cost')
    .option('--device <name>', 'the same as device=NAME')
    .option('--threads <number>', 'the same as threads=NUMBER')
    .action(async (file: string, overrides: string[], options: Options) => {
      const { loadPretrainConfig } = await import('../../configs/load.js');
      const flags = (['device', 'threads'] as const).flatMap((key) => (options[key] === undefined ? [] : `${key}=${options[key]}`));
      const config = await loadPretrainConfig(file, [...overrides, ...flags]);
      if (options.dryRun) {
        const { dryRun } = await import('../../stages/dry-run.js');
        console.log(await dryRun(config));
        return;
      }
      const { pretrain } = await import('../../stages/pretrain.js');
      const run = { directory: config.output_dir, resume: options.resume };
      const { checkpoint } = await interruptible((signal) => pretrain(config, run, signal));
      console.log(`Saved ${checkpoint}\nSample from it: fourfold sample ${checkpoint} --prompt "…"`);
    });
}
