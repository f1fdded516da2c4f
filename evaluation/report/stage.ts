import { type Block, heading, missing } from './blocks.js';
import { type Run, type RunStep, stepsOf } from './read.js';

/** What there is to say of each step of a stage; what is not there is named: such a step in a pipeline, and the metrics of a step. */
export function stageBlocks(run: Run, kind: string, stage: string, blocksOf: (step: RunStep) => Block[]): Block[] {
  const steps = stepsOf(run, kind);
  if (steps.length === 0 && run.whole) return [missing(`${stage}: no step of this run is of kind ${kind}`)];
  return steps.flatMap((step) => [
    ...(steps.length > 1 ? [heading(step.name)] : []),
    ...(step.metrics.length === 0 ? [missing(`the curves of ${step.name}: it has no metrics.jsonl`)] : blocksOf(step)),
  ]);
}
