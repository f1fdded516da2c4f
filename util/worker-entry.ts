/** What a thread of `mapInWorkers` runs: loads the module it is told, then answers one input after another. */
import { parentPort, workerData } from 'node:worker_threads';
import { type Answer, type Request, transferables, type WorkerModule } from './workers.js';

const port = parentPort!;
const { module, setup } = workerData as { module: string; setup: unknown };
const task = (import(module) as Promise<WorkerModule<unknown, unknown, unknown>>).then(({ start }) => start(setup));

let before = Promise.resolve();
port.on('message', (request: Request) => {
  before = before.then(() => answerTo(request)); // one at a time, in order
});

async function answerTo(request: Request): Promise<void> {
  let answer: Answer;
  try {
    const { run, finish } = await task;
    answer = { value: await ('input' in request ? run(request.input) : finish?.()) };
  } catch (error) {
    const { name, message, stack, exitCode } = error as Error & { exitCode?: number };
    answer = { error: { name, message, stack, exitCode } };
  }
  port.postMessage(answer, 'value' in answer ? transferables(answer.value) : []);
}
