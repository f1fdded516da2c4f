import { Command, InvalidArgumentError } from 'commander';
import type { Language } from '../../datasets/world/words.js';
import { numberOption, wholeOption } from '../options.js';

export function worldCommand(): Command {
  return new Command('world')
    .description('make the built-in world: corpus, conversations, preferences and prompts of which the truth is known')
    .requiredOption('-o, --output <folder>', 'folder to write')
    .option('--seed <n>', 'the same seed makes the same world', wholeOption(0), 1337)
    .option('--size <n>', '1: about 2 M tokens of corpus, 50 universities', numberOption('a number above 0', (size) => size > 0), 1) // biome-ignore format: short
    .option('--languages <list>', 'en, zh, or en,zh', languagesOption, ['en'])
    .option('--overwrite', 'replace an earlier world')
    .action(async (options: { output: string; seed: number; size: number; languages: Language[]; overwrite?: boolean }) => {
      const { writeWorld } = await import('../../datasets/world/write.js');
      const summary = await writeWorld(options);
      for (const { file, rows } of summary) console.log(`${options.output}/${file}: ${rows.toLocaleString('en')} rows`);
      console.log(`${options.output}/world.json: the facts; README.md says what is what`);
    });
}

function languagesOption(text: string): Language[] {
  const languages = text.split(',');
  const known = (name: string): name is Language => name === 'en' || name === 'zh';
  if (!languages.every(known) || new Set(languages).size !== languages.length)
    throw new InvalidArgumentError('It must be en, zh, or en,zh.');
  return languages;
}
