import { Command, Option } from 'commander';
import type { SampleOptions } from '../../sampler/sample.js';
import { modelOptions, numberOption, samplingOptions, stopOption, wholeOption, withOptions } from '../options.js';

export function sampleCommand(): Command {
  const command = new Command('sample')
    .description('continue a prompt with a trained model')
    .argument('<checkpoint>', 'directory of a checkpoint, for example runs/NAME/final')
    .option('--prompt <text>', 'text to continue', '')
    .addOption(new Option('--strategy <name>', 'how to choose a token').choices(['greedy', 'sample', 'beam']).default('sample'))
    .option('--num <n>', 'number of samples', wholeOption(1), 1)
    .option('--max-tokens <n>', 'longest sample, in tokens', wholeOption(1), 200)
    .option(
      '--temperature <t>',
      'below 1: safer, above 1: wilder',
      numberOption('a number above 0', (value) => value > 0),
      0.8,
    )
    .option('--num-beams <n>', 'beams of --strategy beam', wholeOption(1), 4)
    .option(
      '--length-penalty <a>',
      'exponent of the length in the score of a beam',
      numberOption('a number', () => true),
      1,
    )
    .option('--seed <n>', 'the same seed gives the same text; drawn and printed where not given', wholeOption(0))
    .action(async (checkpoint: string, options: SampleOptions) => {
      const { sample } = await import('../../sampler/sample.js');
      const printer = samplePrinter(options.prompt);
      const summary = await sample(checkpoint, options, printer.onText);
      printer.end();
      console.error(`${summary.tokens} tokens, ${summary.tokensPerSecond.toFixed(1)} tokens/s, seed ${summary.seed}`);
    });
  return withOptions(command, ...samplingOptions(), stopOption(), ...modelOptions());
}

/** Prints the first sample while it is made and the others, whole, after it. */
function samplePrinter(prompt: string): { onText(index: number, text: string): void; end(): void } {
  const others: string[] = [];
  process.stdout.write(prompt);
  return {
    onText(index, text) {
      if (index === 0) process.stdout.write(text);
      else others[index - 1] = (others[index - 1] ?? prompt) + text;
    },
    end() {
      for (const text of others) process.stdout.write(`\n---------------\n${text}`);
      process.stdout.write('\n');
    },
  };
}
