/** A signal that is not aborted. */
export const never: AbortSignal = new AbortController().signal;

/** A signal that is found aborted once it has been asked `times` times: a stage asks after each step. */
export function stopAfter(times: number): AbortSignal {
  let asked = 0;
  return Object.defineProperty(new AbortController().signal, 'aborted', { get: () => asked++ >= times });
}

/** Does work that says much on stderr, and lets nothing of it be seen. */
export async function quietly<T>(work: () => Promise<T>): Promise<T> {
  const { write } = process.stderr;
  process.stderr.write = () => true;
  try {
    return await work();
  } finally {
    process.stderr.write = write;
  }
}
