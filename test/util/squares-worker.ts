import { UserError } from '../../util/errors.js';
import type { WorkerTask } from '../../util/workers.js';

/** Powers of numbers, the smaller ones later; counts them. */
export function start(setup: unknown): WorkerTask<{ value: number }, Float64Array, number> {
  const { power } = setup as { power: number };
  let count = 0;
  return {
    async run({ value }) {
      if (value < 0) throw new UserError(`no ${value}`, 3);
      await new Promise((resolve) => setTimeout(resolve, 10 - value));
      count++;
      return Float64Array.of(value ** power);
    },
    finish: () => count,
  };
}
