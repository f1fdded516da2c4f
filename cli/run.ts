import { Command } from 'commander';
import { fallbackReport } from '../backends/native/fallback-counts.js';
import { packageVersion } from '../util/package-root.js';
import { chatCommand } from './commands/chat.js';
import { compareCommand } from './commands/compare.js';
import { dataCommand } from './commands/data.js';
import { deviceCommand } from './commands/device.js';
import { doctorCommand } from './commands/doctor.js';
import { evalCommand } from './commands/eval.js';
import { generateCommand } from './commands/generate.js';
import { ppoCommand } from './commands/ppo.js';
import { pretrainCommand } from './commands/pretrain.js';
import { reportCommand } from './commands/report.js';
import { rewardCommand } from './commands/reward.js';
import { runCommand } from './commands/run.js';
import { sampleCommand } from './commands/sample.js';
import { scoreCommand } from './commands/score.js';
import { sftCommand } from './commands/sft.js';
import { tokenizerCommand } from './commands/tokenizer.js';
import { validateCommand } from './commands/validate.js';
import { verdictCommand } from './commands/verdict.js';
import { reportError } from './errors.js';

/** Runs one command line (without `node` and the script) and gives its exit code. Nothing is thrown: errors are printed. */
export async function run(argv: readonly string[]): Promise<number> {
  try {
    await program().parseAsync(argv, { from: 'user' });
    return 0;
  } catch (error) {
    return reportError(error, argv);
  } finally {
    const report = argv.includes('--verbose') ? fallbackReport() : undefined;
    if (report) console.error(report);
  }
}

function program(): Command {
  const fourfold = new Command('fourfold')
    .description('From raw text to a chat model on one laptop.')
    .version(packageVersion())
    .option('--verbose', 'show the stack of an error, and what runs where')
    .addHelpText('after', '\nFor example:\n  fourfold data fetch tinyshakespeare\n  fourfold pretrain shakespeare-char\n')
    .showHelpAfterError('(--help says more)')
    .exitOverride();
  const commands = [
    runCommand(),
    dataCommand(),
    tokenizerCommand(),
    pretrainCommand(),
    sftCommand(),
    rewardCommand(),
    ppoCommand(),
    sampleCommand(),
    chatCommand(),
    generateCommand(),
    evalCommand(),
    scoreCommand(),
    verdictCommand(),
    reportCommand(),
    compareCommand(),
    validateCommand(),
    deviceCommand(),
    doctorCommand(),
  ];
  for (const command of commands) {
    inherit(fourfold, command);
    fourfold.addCommand(command);
  }
  return fourfold;
}

/** Lets a command and those below it report errors as `parent` does. */
function inherit(parent: Command, command: Command): void {
  command.copyInheritedSettings(parent);
  for (const below of command.commands) inherit(command, below);
}
