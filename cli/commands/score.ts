import { Command } from 'commander';
import type { ModelOptions } from '../../sampler/model.js';
import { UserError } from '../../util/errors.js';
import { modelOptions, withOptions } from '../options.js';

interface ScoreFlags extends ModelOptions {
  prompt?: string;
  system?: string;
  response: string[];
  data?: string;
  output?: string;
  overwrite?: boolean;
  json?: boolean;
}

export function scoreCommand(): Command {
  const command = new Command('score')
    .description('what a reward model thinks of answers')
    .argument('<checkpoint>', 'directory of a reward model, for example runs/NAME/final')
    .option('--prompt <text>', 'the question')
    .option('--system <text>', 'system prompt before it')
    .option('--response <text>', 'an answer to it; several times for several', (text: string, before: string[]) => [...before, text], [])
    .option('--data <file>', 'table of preferences or of generations whose answers are to be scored')
    .option('-o, --output <file>', 'JSON Lines to write the scores of --data to; otherwise they are printed')
    .option('--overwrite', 'replace an earlier output')
    .option('--json', 'print JSON')
    .action(async (checkpoint: string, { prompt, system, response, data, output, overwrite, json, ...options }: ScoreFlags) => {
      const { openRewardModel } = await import('../../evaluation/reward-model.js');
      const { scoreAnswers, scoresText, scoreTable } = await import('../../evaluation/score.js');
      if ((data === undefined) === (prompt === undefined) || (prompt !== undefined) !== response.length > 0) {
        throw new UserError('score: give --prompt with one or more --response, or --data FILE; received neither, both or one half');
      }
      if (output !== undefined && data === undefined)
        throw new UserError('score: -o is for --data; received it with --prompt. Leave it out');
      const model = await openRewardModel(checkpoint, options);
      if (data !== undefined) {
        console.log(await scoreTable(model, data, { output, overwrite, json }));
        return;
      }
      const messages = [
        ...(system === undefined ? [] : [{ role: 'system' as const, content: system }]),
        { role: 'user' as const, content: prompt! },
      ];
      const scored = await scoreAnswers(model, { prompt: messages, responses: response });
      console.log(json ? JSON.stringify(scored, null, 2) : scoresText(scored, model.members.length));
    });
  return withOptions(command, ...modelOptions());
}
