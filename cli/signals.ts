import { UserError } from '../util/errors.js';

const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;

export interface StopWords {
  /** What the work does before it stops. */
  stopping: string;
  goOn: string;
}

const RUN: StopWords = { stopping: 'Stopping after this step and saving', goOn: 'Run again with --resume auto to go on' };

/**
 * Runs `work` with a signal that the first Ctrl-C or SIGTERM aborts, so that it can save and return; a second one exits at once.
 * @param words for people, where the work is not a run.
 * @throws UserError with exit code 130 or 143 when the work was stopped so.
 */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>, words = RUN): Promise<T> {
  const controller = new AbortController();
  let stopped: keyof typeof EXIT_CODES | undefined;
  const stop = (name: keyof typeof EXIT_CODES) => {
    if (stopped) process.exit(EXIT_CODES[name]);
    stopped = name;
    console.error(`\n${words.stopping}; once more exits at once.`);
    controller.abort();
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  try {
    const result = await work(controller.signal);
    if (!stopped) return result;
  } catch (error) {
    if (!stopped || (error as Error).name !== 'AbortError') throw error;
  } finally {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  }
  throw new UserError(`Stopped by ${stopped}. ${words.goOn}.`, EXIT_CODES[stopped]);
}
