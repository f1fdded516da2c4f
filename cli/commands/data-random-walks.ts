import { Command } from 'commander';
import { wholeOption } from '../options.js';

export function randomWalksCommand(): Command {
  return new Command('random-walks')
    .description('make a task whose best is known: walks in a graph, of which a policy is to learn the shortest')
    .requiredOption('-o, --output <folder>', 'folder to write')
    .option('--seed <n>', 'the same seed makes the same walks; the graph is always the same', wholeOption(0), 1337)
    .option('--walks <n>', 'how many', wholeOption(1), 1000)
    .option('--overwrite', 'replace earlier walks')
    .action(async (options: { output: string; seed: number; walks: number; overwrite?: boolean }) => {
      const { writeRandomWalks } = await import('../../datasets/random-walks.js');
      await writeRandomWalks(options);
      console.log(`${options.output}: walks.arrow, conversations.arrow and prompts.arrow`);
    });
}
