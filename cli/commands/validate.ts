import { Command } from 'commander';
import { isUserError, UserError } from '../../util/errors.js';

export function validateCommand(): Command {
  return new Command('validate')
    .description('check configurations without running them')
    .argument('<configs...>', 'YAML files or ready configurations; key=value is laid over each')
    .action(async (parts: string[]) => {
      const { checkConfig } = await import('../../configs/load.js');
      const overrides = parts.filter((part) => part.includes('='));
      const files = parts.filter((part) => !part.includes('='));
      if (files.length === 0)
        throw new UserError(`Validate: at least one file is required; received only ${parts.join(' ')}; name a YAML file`);
      const faults: string[] = [];
      for (const file of files) {
        try {
          await checkConfig(file, overrides);
          console.log(`${file}: correct`);
        } catch (error) {
          if (!isUserError(error)) throw error;
          faults.push(error.message);
        }
      }
      if (faults.length > 0) throw new UserError(faults.join('\n\n'));
    });
}
