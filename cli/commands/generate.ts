import { Command, Option } from 'commander';
import type { AnswerOptions, AnswerProgress, AnswerSummary } from '../../sampler/answers.js';
import { modelOptions, numberOption, samplingOptions, stopOption, wholeOption, withOptions } from '../options.js';
import { progressLine } from '../progress.js';
import { interruptible } from '../signals.js';

export function generateCommand(): Command {
  const command = new Command('generate')
    .description('answer the prompts of a table (Arrow), some answers each')
    .argument('<checkpoint>', 'directory of a checkpoint, for example runs/NAME/final')
    .requiredOption('--data <file>', 'table of prompts, or of conversations, whose last answers are to be given anew')
    .requiredOption('-o, --output <file>', 'table to write')
    .option('--num <n>', 'answers to each prompt', wholeOption(1), 1)
    .option('--max-tokens <n>', 'longest answer, in tokens', wholeOption(1), 200)
    .option(
      '--temperature <t>',
      '0: always the likeliest token; below 1: safer, above 1: wilder',
      numberOption('a number, 0 or more', (value) => value >= 0),
      0.8,
    )
    .option('--seed <n>', "the same seed gives the same answers; each answer's own seed is in the table", wholeOption(0), 1337)
    .option('--system <text>', 'system prompt of the prompts that have none')
    .option('--template <name>', "chat template in place of the checkpoint's: chatml, llama3, … or a file of Jinja")
    .addOption(
      new Option('--split <part>', 'which prompts: held out are those that training holds out by hash')
        .choices(['all', 'train', 'eval'])
        .default('all'),
    )
    .option(
      '--eval-fraction <part>',
      'how much is held out',
      numberOption('at least 0 and below 1', (value) => value >= 0 && value < 1),
      0.1,
    )
    .option('--limit <n>', 'the first n prompts only', wholeOption(1))
    .addOption(
      new Option('--overlong <rule>', 'prompts that fill the context: an error, or left out').choices(['error', 'drop']).default('error'),
    )
    .option('--batch-size <n>', 'answers made at the same time; they do not depend on it', wholeOption(1), 32)
    .option('--overwrite', 'replace an earlier output')
    .action(async (checkpoint: string, options: AnswerOptions) => {
      const { answerPrompts } = await import('../../sampler/answers.js');
      const line = progressLine();
      const say = (text: string) => {
        line.end();
        console.error(text);
      };
      const onProgress = shown(line.show);
      const stop = { stopping: 'Stopping; what is finished is kept', goOn: 'The same command goes on from there' };
      let summary: AnswerSummary | undefined;
      await interruptible(async (signal) => {
        summary = await answerPrompts(checkpoint, { ...options, signal, say, onProgress }).finally(line.end);
      }, stop).catch((error) => {
        if (summary === undefined) throw error; // stopped at the end, it is finished
      });
      console.log(await report(options, summary!));
    });
  return withOptions(command, ...samplingOptions(), stopOption(), ...modelOptions());
}

function shown(show: (text: string) => void): (progress: AnswerProgress) => void {
  const began = performance.now();
  return ({ answers, total, tokens }) => {
    const rate = tokens / ((performance.now() - began) / 1000);
    show(`${count(answers)} of ${count(total)} answers · ${count(Math.round(rate))} tokens/s`);
  };
}

async function report({ output, num, maxTokens }: AnswerOptions, summary: AnswerSummary): Promise<string> {
  const { withoutControls } = await import('../../util/visible.js');
  const { prompts, dropped, answers, tokens, stopped, logProb, drawn, first } = summary;
  const percent = (part: number) => `${((100 * part) / answers).toFixed(0)} %`;
  const lines = [
    `${output}: ${count(answers)} answers to ${count(prompts)} prompts${num > 1 ? `, ${num} each` : ''}`,
    `  finished: ${percent(stopped)} by themselves (stop), ${percent(answers - stopped)} cut (length, at most ${maxTokens} tokens)`,
    `  length: ${(tokens / answers).toFixed(1)} tokens on average; log-probability ${(logProb / tokens).toFixed(3)} a token`,
  ];
  if (dropped > 0) lines.push(`  left out: ${count(dropped)} prompts that fill the context`);
  if (drawn.tokens > 0)
    lines.push(`  speed: ${count(Math.round(drawn.tokens / drawn.seconds))} tokens/s, the reading of the prompts included`);
  const said = [first.prompt.at(-1)!, { role: 'assistant', content: first.answers[0].text }];
  lines.push('  the first:', ...said.map(({ role, content }) => `${role}: ${withoutControls(content)}`.replace(/^/gm, '    ')));
  return lines.join('\n');
}

const count = (n: number) => n.toLocaleString('en');
