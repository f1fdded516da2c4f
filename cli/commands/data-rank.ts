import { Command } from 'commander';
import type { RankOptions, RankSummary } from '../../evaluation/rank.js';
import type { ModelOptions } from '../../sampler/model.js';
import { messageInput } from '../messages.js';
import { modelOptions, wholeOption, withOptions } from '../options.js';
import { interruptible } from '../signals.js';

const HELP = `
Annotators:
  simulated      the built-in world's annotators, of stated reliability, from the gold reward (--world)
  gold           the gold reward itself (--world)
  rm:CHECKPOINT  a reward model
  human          you, at the terminal; human:NAME where several people rank. Stopped with q, the same command goes on. What you did, how long it took
                 and by which guideline is in NAME.annotations.jsonl beside the table

For example:
  fourfold generate runs/sft/final --data prompts.arrow --num 4 --temperature 1 -o generations.arrow
  fourfold data rank generations.arrow -o preferences.arrow --annotator human --guideline guideline.md
`;

export function rankCommand(): Command {
  const command = new Command('rank')
    .description('answers made by generate → preferences: ranked by simulated annotators, the gold reward, a reward model or you')
    .argument('<generations>', 'table of generations (.arrow)')
    .requiredOption('-o, --output <file>', 'table of preferences to write')
    .requiredOption('--annotator <who>', 'simulated, gold, rm:CHECKPOINT, human or human:NAME')
    .option('--world <folder>', 'the built-in world that the prompts are of (simulated, gold)')
    .option('--guideline <file>', 'how to rank, in Markdown, shown on ? (human)')
    .option('--seed <n>', "of simulated annotators' errors, and of the order in which you see the answers", wholeOption(0), 1337)
    .option('--overwrite', 'replace the table where it exists, and begin anew')
    .addHelpText('after', HELP)
    .action(async (data: string, { device, threads, precision, ...flags }: Omit<RankOptions, 'data'> & ModelOptions) => {
      const { rankAnswers } = await import('../../evaluation/rank.js');
      const options = { ...flags, data };
      if (!/^human(:|$)/.test(options.annotator)) {
        const { rewardScorer } = await import('../../evaluation/reward-model.js');
        const openScorer = (checkpoint: string) => rewardScorer(checkpoint, { device, threads, precision });
        console.log(describe(options, await rankAnswers(options, { openScorer })));
        return;
      }
      await interruptible(
        async (signal) => {
          const input = messageInput(signal, process, 'q');
          const show = (text: string) => console.error(text);
          try {
            const dialogue = { ask: () => input.next(), show, now: () => performance.now() };
            console.log(describe(options, await rankAnswers(options, { dialogue })));
          } finally {
            input.close();
          }
        },
        { stopping: 'Stopping; what you ranked is kept', goOn: 'The same command goes on from there' },
      );
    });
  return withOptions(command, ...modelOptions());
}

function describe({ output }: RankOptions, summary: RankSummary): string {
  const { rows, answers, comparisons, ties, withoutComparison, prompts, same, skipped, waiting, merged, annotators, score } = summary;
  const left = [
    same > 0 && `${count(same)} with fewer than two different answers`,
    skipped > 0 && `${count(skipped)} skipped`,
    waiting > 0 && `${count(waiting)} not ranked yet`,
  ].filter((part) => part !== false);
  const by = Object.entries(annotators).map(
    ([name, { rows, seconds }]) => `${name} ${count(rows)}${seconds === undefined ? '' : ` (${seconds.toFixed(1)} s each, the median)`}`,
  );
  const lines = [
    rows === 0
      ? `${output}: nothing ranked yet, so it is not written`
      : `${output}: ${many(rows, 'ranking')} of ${many(prompts - same - skipped - waiting, 'prompt')}, ${many(answers, 'answer')}, ${many(comparisons, 'comparison')}, ${many(ties, 'tie')}`,
  ];
  if (by.length > 0) lines.push(`  annotators: ${by.join(', ')}`);
  if (score !== undefined) lines.push(`  mean score of the answers: ${score.toFixed(3)}`);
  if (withoutComparison > 0) lines.push(`  rankings of equals alone: ${count(withoutComparison)}, which hold no comparison`);
  if (left.length > 0) lines.push(`  left out of ${many(prompts, 'prompt')}: ${left.join(', ')}`);
  if (merged > 0) lines.push(`  answers of the same text as another, ranked once: ${count(merged)}`);
  return lines.join('\n');
}

const count = (n: number) => n.toLocaleString('en');
const many = (n: number, what: string) => `${count(n)} ${what}${n === 1 ? '' : 's'}`;
