import { availableParallelism } from 'node:os';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { UserError } from './errors.js';

/** What `start` of a worker's module gives. */
export interface WorkerTask<I, O, F = void> {
  run(input: I): O | Promise<O>;
  /** Called once, after the last input of this thread. */
  finish?(): F | Promise<F>;
}

/** A module that `mapInWorkers` can run: it exports `start`. */
export interface WorkerModule<I, O, F = void> {
  start(setup: unknown): WorkerTask<I, O, F> | Promise<WorkerTask<I, O, F>>;
}

export type Request = { input: unknown } | { finish: true };
export type Answer = { value: unknown } | { error: { name: string; message: string; stack?: string; exitCode?: number } };

/** One for each processor that this process may use. */
export function defaultThreads(): number {
  return availableParallelism();
}

/** The address of a module beside `from` (`import.meta.url`), whether the project runs from its sources or compiled. */
export function besides(from: string, name: string): URL {
  return new URL(`${name}${extname(from)}`, from);
}

/**
 * Runs `module` in threads over inputs and yields the outputs in the order of the inputs, whichever thread was faster; at most two inputs a
 * thread are under way, so that a slow reader holds back the inputs. With one thread the module runs in this one. Arrays that own their
 * buffer are moved, not copied: neither side may use them after it has sent them.
 * @param module such as `besides(import.meta.url, './encode-worker')`.
 * @param setup what `start` gets in each thread; must be cloneable.
 * @returns what `finish` gave in each thread.
 * @throws what `run` threw, with its message.
 */
export async function* mapInWorkers<I, O, F = void>(
  module: URL,
  setup: unknown,
  inputs: AsyncIterable<I> | Iterable<I>,
  threads: number,
): AsyncGenerator<O, F[]> {
  if (threads <= 1) {
    const task = await ((await import(module.href)) as WorkerModule<I, O, F>).start(setup);
    for await (const input of inputs) yield await task.run(input);
    return task.finish ? [await task.finish()] : [];
  }
  const workers = Array.from({ length: threads }, () => new Thread(module, setup));
  try {
    const underWay: Promise<unknown>[] = [];
    let next = 0;
    for await (const input of inputs) {
      underWay.push(workers[next++ % threads].ask({ input }));
      if (underWay.length >= 2 * threads) yield (await underWay.shift()) as O;
    }
    for (const output of underWay) yield (await output) as O;
    const finished = await Promise.all(workers.map((worker) => worker.ask({ finish: true })));
    return finished.filter((value) => value !== undefined) as F[];
  } finally {
    await Promise.all(workers.map((worker) => worker.stop()));
  }
}

/** The buffers in an object's typed arrays that can be moved to another thread. */
export function transferables(value: unknown): ArrayBuffer[] {
  const parts = typeof value === 'object' && value !== null ? (ArrayBuffer.isView(value) ? [value] : Object.values(value)) : [];
  const buffers = parts.flatMap((part) =>
    ArrayBuffer.isView(part) && part.buffer instanceof ArrayBuffer && part.byteLength === part.buffer.byteLength ? [part.buffer] : [],
  );
  return [...new Set(buffers)];
}

const entry = besides(import.meta.url, './worker-entry').href;
/** A thread does not inherit what lets the main thread read TypeScript. */
const ENTRY = entry.endsWith('.ts')
  ? `import('${import.meta.resolve('tsx/esm/api')}').then(({ register }) => (register(), import('${entry}')))`
  : `import('${entry}')`;

/** A worker that answers in the order in which it was asked. */
class Thread {
  private readonly worker: Worker;
  private readonly waiting: { resolve: (value: unknown) => void; reject: (error: Error) => void }[] = [];

  constructor(module: URL, setup: unknown) {
    this.worker = new Worker(ENTRY, { eval: true, workerData: { module: module.href, setup } });
    this.worker.on('message', (answer: Answer) => {
      const { resolve, reject } = this.waiting.shift()!;
      if ('value' in answer) resolve(answer.value);
      else reject(restored(answer.error));
    });
    this.worker.on('error', (error) => {
      for (const { reject } of this.waiting.splice(0)) reject(error);
    });
  }

  ask(request: Request): Promise<unknown> {
    const answer = new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
    answer.catch(() => {}); // whoever awaits it hears of it
    this.worker.postMessage(request, 'input' in request ? transferables(request.input) : []);
    return answer;
  }

  async stop(): Promise<void> {
    await this.worker.terminate();
  }
}

function restored(error: { name: string; message: string; stack?: string; exitCode?: number }): Error {
  const copy = error.name === 'UserError' ? new UserError(error.message, error.exitCode) : new Error(error.message);
  return Object.assign(copy, { name: error.name, stack: error.stack });
}
