import type { Loader } from '../datasets/loader.js';
import { shareRows } from '../datasets/mixture.js';
import { table } from '../util/terminal.js';

/** How much a run of so many steps takes from each source. */
export function sourceTable(config: { gradient_accumulation_steps: number; batch_size: number }, loader: Loader, steps: number): string {
  const rows = shareRows(loader.sources, steps * config.gradient_accumulation_steps * config.batch_size);
  return table(rows, { header: ['source', 'tokens', 'share', 'epochs'], align: ['left', 'right', 'right', 'right'] });
}
