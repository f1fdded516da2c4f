import { Command } from 'commander';
import { cleanCommand } from './data-clean.js';
import { fetchCommand } from './data-fetch.js';
import { importCommand } from './data-import.js';
import { inspectCommand } from './data-inspect.js';
import { prepareCommand } from './data-prepare.js';

export function dataCommand(): Command {
  return new Command('data')
    .description('bring, import and prepare data')
    .addCommand(fetchCommand())
    .addCommand(importCommand())
    .addCommand(cleanCommand())
    .addCommand(inspectCommand())
    .addCommand(prepareCommand());
}
