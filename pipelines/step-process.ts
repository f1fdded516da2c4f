/** The process of one step: what it needs of memory is its own, and what it leaves in it ends with it. */
import { isUserError } from '../util/errors.js';
import { KINDS } from './kinds.js';

/** What the pipeline sends. */
export type Order = { run: { kind: string; config: unknown; directory: string; resume: boolean } } | { stop: true };

/** What the step answers with, once. */
export type Outcome = ({ done: true } | { stopped: true } | { error: { message: string; exitCode?: number } }) & {
  peak_memory_bytes: number;
};

const PROGRESS_MS = 500;

const controller = new AbortController();
process.on('SIGINT', () => {}); // a terminal sends it to all; the pipeline says what is to be done
process.on('SIGTERM', () => controller.abort());
process.on('disconnect', () => process.exit(1)); // the pipeline is no more
process.on('message', async (order: Order) => {
  if ('stop' in order) controller.abort();
  else answer(await run(order.run));
});

async function run({
  kind,
  config,
  directory,
  resume,
}: {
  kind: string;
  config: unknown;
  directory: string;
  resume: boolean;
}): Promise<object> {
  let shownAt = Number.NEGATIVE_INFINITY;
  const progress = (done: number, total: number, what: string) => {
    if (performance.now() - shownAt < PROGRESS_MS && done < total) return;
    shownAt = performance.now();
    console.error(`step ${done}/${total} · ${what}`);
  };
  try {
    await KINDS[kind].run(config, { directory, resume, signal: controller.signal, say: console.error, progress });
    return controller.signal.aborted ? { stopped: true } : { done: true };
  } catch (error) {
    if (controller.signal.aborted && (error as Error).name === 'AbortError') return { stopped: true };
    if (isUserError(error)) return { error: { message: error.message, exitCode: error.exitCode } };
    return { error: { message: (error as Error).stack ?? String(error) } };
  }
}

function answer(outcome: object): void {
  process.send!({ ...outcome, peak_memory_bytes: process.resourceUsage().maxRSS * 1024 }, () => process.exit(0));
}
