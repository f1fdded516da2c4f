import { Command } from 'commander';
import { cleanCommand } from './data-clean.js';
import { fetchCommand } from './data-fetch.js';
import { importCommand } from './data-import.js';
import { inspectCommand } from './data-inspect.js';
import { prepareCommand } from './data-prepare.js';
import { randomWalksCommand } from './data-random-walks.js';
import { rankCommand } from './data-rank.js';
import { selectCommand } from './data-select.js';
import { worldCommand } from './data-world.js';

export function dataCommand(): Command {
  return new Command('data')
    .description('bring, import, choose, rank and prepare data')
    .addCommand(fetchCommand())
    .addCommand(importCommand())
    .addCommand(cleanCommand())
    .addCommand(inspectCommand())
    .addCommand(prepareCommand())
    .addCommand(rankCommand())
    .addCommand(selectCommand())
    .addCommand(worldCommand())
    .addCommand(randomWalksCommand());
}
