import type { Command } from 'commander';
import type { PpoConfig } from '../../configs/ppo-schema.js';
import { stageCommand } from '../stage-command.js';

export function ppoCommand(): Command {
  return stageCommand<PpoConfig>({
    name: 'ppo',
    description: 'improve a fine-tuned model by reinforcement learning from a reward',
    ready: 'world-ppo',
    overrides: 'kl_coef=0.1 reward.combine=min',
    rehearses: ', what the run would cost, and one answer with its score',
    load: async (...given) => (await import('../../configs/load.js')).loadPpoConfig(...given),
    dryRun: async (config) => (await import('../../stages/dry-run.js')).ppoDryRun(config),
    run: async (...given) => (await import('../../stages/ppo.js')).ppo(...given),
    next: (checkpoint) => `Talk to it: fourfold chat ${checkpoint}`,
  });
}
