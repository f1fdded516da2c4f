import { run } from '../../cli/run.js';

export interface Result {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a command line in this process and catches what it prints. */
export async function fourfold(...argv: string[]): Promise<Result> {
  const result: Result = { code: 0, stdout: '', stderr: '' };
  const originals = { stdout: process.stdout.write, stderr: process.stderr.write };
  for (const name of ['stdout', 'stderr'] as const) {
    process[name].write = ((chunk: string | Uint8Array) => {
      result[name] += String(chunk);
      return true;
    }) as typeof process.stdout.write;
  }
  try {
    result.code = await run(argv);
  } finally {
    process.stdout.write = originals.stdout;
    process.stderr.write = originals.stderr;
  }
  return result;
}
