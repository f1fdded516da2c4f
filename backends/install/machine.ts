import { spawn } from 'node:child_process';
import fs from 'node:fs/promises';

/** What an install asks of the machine; a test puts its own in place. */
export interface Machine {
  /** `linux x64`, and `linux x64 musl` where the C library is not glibc. */
  platform: string;
  /**
   * Runs a program to its end and gives what it printed.
   * @throws CommandError
   */
  run(command: string, args: readonly string[], options?: RunOptions): Promise<string>;
  /** Bytes that may still be written into the folder, which is there. */
  freeBytes(folder: string): Promise<number>;
  /** Whether anything at all answers at the address within a few seconds. */
  answers(url: string): Promise<boolean>;
}

export interface RunOptions {
  cwd?: string;
  environment?: Record<string, string>;
  /** Whether a person at a terminal sees what it prints, such as the progress of a download. */
  shown?: boolean;
}

/** A program failed, or is not there. */
export class CommandError extends Error {
  override name = 'CommandError';
  constructor(
    command: string,
    readonly stderr: string,
    /** Whether there is no such program. */
    readonly missing: boolean,
  ) {
    super(`${command}: ${lastLine(stderr)}`);
  }
}

/** Of what a program printed the last line that says anything. */
function lastLine(text: string): string {
  const lines = text.split('\n').map((line) => line.trim());
  return lines.filter((line) => line !== '').at(-1) ?? 'it failed and said nothing';
}

const ANSWER_MS = 5000;

export const thisMachine: Machine = {
  platform: `${process.platform} ${process.arch}${isMusl() ? ' musl' : ''}`,
  run: runProgram,
  async freeBytes(folder) {
    const { bavail, bsize } = await fs.statfs(folder);
    return bavail * bsize;
  },
  answers: (url) =>
    fetch(url, { method: 'HEAD', signal: AbortSignal.timeout(ANSWER_MS) }).then(
      () => true,
      () => false,
    ),
};

function isMusl(): boolean {
  if (process.platform !== 'linux') return false;
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  return header.glibcVersionRuntime === undefined;
}

function runProgram(command: string, args: readonly string[], { cwd, environment, shown }: RunOptions = {}): Promise<string> {
  const toTerminal = shown && process.stderr.isTTY;
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...environment },
    stdio: ['ignore', toTerminal ? 2 : 'pipe', 'pipe'],
    shell: process.platform === 'win32', // npm is a script there
  });
  const printed = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (text: string) => {
      printed[name] += text;
    });
  }
  return new Promise((resolve, reject) => {
    child.on('error', (error: NodeJS.ErrnoException) => reject(new CommandError(command, error.message, error.code === 'ENOENT')));
    child.on('close', (code) => {
      if (code === 0) resolve(printed.stdout);
      else reject(new CommandError(command, printed.stderr || printed.stdout, false));
    });
  });
}
