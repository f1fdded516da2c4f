import type { Command } from 'commander';
import type { RewardConfig } from '../../configs/reward-schema.js';
import { stageCommand } from '../stage-command.js';

export function rewardCommand(): Command {
  return stageCommand<RewardConfig>({
    name: 'reward',
    description: 'train a reward model from rankings of answers',
    ready: 'world-reward',
    overrides: 'learning_rate=1e-4 ensemble=3',
    rehearses: ', what the run would cost, and one ranking in tokens',
    load: async (...given) => (await import('../../configs/load.js')).loadRewardConfig(...given),
    dryRun: async (config) => (await import('../../stages/dry-run.js')).rewardDryRun(config),
    run: async (...given) => (await import('../../stages/reward.js')).reward(...given),
    next: (checkpoint) => `Judge it: fourfold eval ${checkpoint} RANKINGS.arrow`,
  });
}
