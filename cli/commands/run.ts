import { Command } from 'commander';
import { interruptible } from '../signals.js';

interface Flags {
  from?: string;
  until?: string;
  resume?: boolean;
  force?: boolean;
  dryRun?: boolean;
}

const HELP = `
For example:
  fourfold run pipelines/tiny.yaml
  fourfold run pipelines/tiny.yaml seed=2 output_dir=runs/tiny-2
  fourfold run pipelines/tiny.yaml ppo.kl_coef=0.05 --until ppo
`;

export function runCommand(): Command {
  return new Command('run')
    .description('run a pipeline: its steps in order, those that have changed, and a report at the end')
    .argument('<pipeline>', 'a YAML file, or a ready pipeline: tiny, laptop')
    .argument('[overrides...]', 'key=value of the pipeline, such as seed=2, or of a step: pretrain.max_steps=100')
    .option('--from <step>', 'begin there; what the steps before it made is taken as it is')
    .option('--until <step>', 'stop after this step')
    .option('--resume', 'go on inside the step at which an earlier run was stopped')
    .option('--force', 'run steps again although nothing has changed')
    .option('--dry-run', 'check everything and print the steps')
    .addHelpText('after', HELP)
    .action(async (file: string, overrides: string[], { dryRun, ...flags }: Flags) => {
      const { loadPlan } = await import('../../pipelines/plan.js');
      const plan = await loadPlan(file, overrides);
      if (dryRun) {
        const { planText } = await import('../../pipelines/show.js');
        console.log(planText(plan));
        return;
      }
      const { runPipeline } = await import('../../pipelines/run.js');
      const report = await interruptible((signal) => runPipeline(plan, { ...flags, signal }), {
        stopping: 'Stopping after this step of the training and saving',
        goOn: 'Run again with --resume to go on',
      });
      const { finishedText } = await import('../../pipelines/show.js');
      console.log(finishedText(plan, report, 'npx fourfold'));
    });
}
