import { Command } from 'commander';

export function doctorCommand(): Command {
  return new Command('doctor')
    .description('say what this machine can compute with, and what is missing')
    .option('--json', 'as JSON')
    .action(async (options: { json?: boolean }) => {
      const { describe, diagnose } = await import('../../backends/doctor.js');
      const diagnosis = await diagnose();
      console.log(options.json ? JSON.stringify(diagnosis, null, 2) : describe(diagnosis));
    });
}
