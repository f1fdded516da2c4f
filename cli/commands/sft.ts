import type { Command } from 'commander';
import type { SftConfig } from '../../configs/sft-schema.js';
import { stageCommand } from '../stage-command.js';

export function sftCommand(): Command {
  return stageCommand<SftConfig>({
    name: 'sft',
    description: 'teach a base model to answer, from conversations',
    ready: 'sft-alpaca',
    overrides: 'learning_rate=1e-4 data.overlong=drop',
    rehearses: ', what the run would cost, and one example with its mask',
    load: async (...given) => (await import('../../configs/load.js')).loadSftConfig(...given),
    dryRun: async (config) => (await import('../../stages/dry-run.js')).sftDryRun(config),
    run: async (...given) => (await import('../../stages/sft.js')).sft(...given),
    next: (checkpoint) => `Talk to it: fourfold chat ${checkpoint}`,
  });
}
