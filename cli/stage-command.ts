import { Command } from 'commander';
import { interruptible } from './signals.js';

/** What a stage's command says and calls. */
export interface StageCommand<Config extends { output_dir: string }> {
  name: string;
  description: string;
  /** Name of a ready configuration, and `key=value` to lay over it. */
  ready: string;
  overrides: string;
  /** What the dry run prints. */
  rehearses: string;
  load(file: string, overrides: readonly string[]): Promise<Config>;
  dryRun(config: Config): Promise<string>;
  run(config: Config, run: { directory: string; resume?: string }, signal: AbortSignal): Promise<{ checkpoint: string }>;
  /** What to do with the finished checkpoint. */
  next(checkpoint: string): string;
}

interface Options {
  resume?: string;
  dryRun?: boolean;
  device?: string;
  threads?: string;
}

/** The command of a stage: `fourfold NAME CONFIG [key=value…]`. */
export function stageCommand<Config extends { output_dir: string }>(stage: StageCommand<Config>): Command {
  return new Command(stage.name)
    .description(stage.description)
    .argument('<config>', `a YAML file, or a ready configuration such as ${stage.ready}`)
    .argument('[overrides...]', `key=value: ${stage.overrides}; key=null takes the default`)
    .option('--resume <checkpoint>', 'go on from a checkpoint; auto: the latest of this run')
    .option('--dry-run', `print the resolved configuration${stage.rehearses}`)
    .option('--device <name>', 'the same as device=NAME')
    .option('--threads <number>', 'the same as threads=NUMBER')
    .action(async (file: string, overrides: string[], options: Options) => {
      const flags = (['device', 'threads'] as const).flatMap((key) => (options[key] === undefined ? [] : `${key}=${options[key]}`));
      const config = await stage.load(file, [...overrides, ...flags]);
      if (options.dryRun) {
        console.log(await stage.dryRun(config));
        return;
      }
      const run = { directory: config.output_dir, resume: options.resume };
      const { checkpoint } = await interruptible((signal) => stage.run(config, run, signal));
      console.log(`Saved ${checkpoint}\n${stage.next(checkpoint)}`);
    });
}
