import type { Command } from 'commander';
import type { PretrainConfig } from '../../configs/schema.js';
import { stageCommand } from '../stage-command.js';

export function pretrainCommand(): Command {
  return stageCommand<PretrainConfig>({
    name: 'pretrain',
    description: 'train a language model from raw text',
    ready: 'shakespeare-char',
    overrides: 'learning_rate=3e-4 model.hidden_size=256',
    rehearses: ' and what the run would cost',
    load: async (...given) => (await import('../../configs/load.js')).loadPretrainConfig(...given),
    dryRun: async (config) => (await import('../../stages/dry-run.js')).dryRun(config),
    run: async (...given) => (await import('../../stages/pretrain.js')).pretrain(...given),
    next: (checkpoint) => `Sample from it: fourfold sample ${checkpoint} --prompt "…"`,
  });
}
