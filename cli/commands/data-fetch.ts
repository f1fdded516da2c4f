import { Command } from 'commander';

export function fetchCommand(): Command {
  return new Command('fetch')
    .description('bring a public data set, checked by its SHA-256')
    .argument('<name>', 'such as tinyshakespeare; an unknown name lists all')
    .option('--from <folder|url>', 'take the file from there')
    .option('--to <folder>', 'folder to bring it to', 'data')
    .action(async (name: string, options: { from?: string; to: string }) => {
      const { fetchSource } = await import('../../datasets/fetch.js');
      const { path, source, present } = await fetchSource(name, { from: options.from, directory: options.to });
      console.log(`${path}: ${present ? 'already there' : 'fetched'}, checksum right. ${source.about}. Licence: ${source.licence}`);
    });
}
