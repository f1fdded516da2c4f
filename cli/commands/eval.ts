import { Command, Option } from 'commander';
import type { EvaluateOptions } from '../../evaluation/evaluate.js';
import { modelOptions, numberOption, wholeOption, withOptions } from '../options.js';
import { progressLine } from '../progress.js';
import { interruptible } from '../signals.js';

type Flags = Omit<EvaluateOptions, 'signal' | 'onProgress'> & { json?: boolean };

export function evalCommand(): Command {
  const command = new Command('eval')
    .description('measure a language model on conversations or text, a reward model on rankings')
    .argument('<checkpoint>', 'directory of a checkpoint, for example runs/NAME/final')
    .argument('<data...>', 'conversations, corpora, preferences (.arrow) or folders made by data prepare')
    .addOption(
      new Option('--split <part>', 'which rows: held out are those that training holds out by hash (all; of prepared tokens eval)').choices(
        ['all', 'train', 'eval'],
      ),
    )
    .option(
      '--eval-fraction <part>',
      'how much is held out',
      numberOption('at least 0 and below 1', (value) => value >= 0 && value < 1),
      0.1,
    )
    .option('--limit <n>', 'the first n conversations or rankings only', wholeOption(1))
    .option('--template <name>', "chat template in place of the checkpoint's: chatml, llama3, … or a file of Jinja")
    .addOption(
      new Option('--train-on <tokens>', 'which tokens of conversations the loss is of')
        .choices(['assistant', 'last_assistant', 'all'])
        .default('assistant'),
    )
    .addOption(
      new Option('--packing <name>', 'how text becomes rows: documents by themselves, or one stream, as nanoGPT has it')
        .choices(['segments', 'concat'])
        .default('segments'),
    )
    .option('--no-generate', 'only the loss: let the model answer nothing')
    .option('--max-tokens <n>', 'longest answer, in tokens', wholeOption(1), 200)
    .option('--batch-size <n>', 'answers made at the same time; they do not depend on it', wholeOption(1), 32)
    .option('--examples <n>', 'answers to show', wholeOption(0), 3)
    .option('--json', 'print JSON')
    .action(async (checkpoint: string, data: string[], { json, ...options }: Flags) => {
      const { evaluate } = await import('../../evaluation/evaluate.js');
      const { evaluationText } = await import('../../evaluation/show.js');
      const line = progressLine();
      const onProgress = (answers: number, total: number) => line.show(`${answers} of ${total} answers`);
      const stop = { stopping: 'Stopping', goOn: 'Nothing is kept; run it again' };
      const evaluations = await interruptible(
        (signal) => evaluate(checkpoint, data, { ...options, signal, onProgress }).finally(line.end),
        stop,
      );
      console.log(json ? JSON.stringify(evaluations, null, 2) : evaluations.map(evaluationText).join('\n\n'));
    });
  return withOptions(command, ...modelOptions());
}
