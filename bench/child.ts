import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Absolute path of a file in bench/. */
export function benchPath(file: string): string {
  return fileURLToPath(new URL(file, import.meta.url));
}

/** Runs a program to its end and parses the last line that it printed as JSON; its errors are shown only when it fails. */
export async function runJson<T>(command: string, args: string[], environment: Record<string, string> = {}): Promise<T> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...environment } });
  const output = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (text: string) => {
      output[stream] += text;
    });
  }
  const code = await new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve));
  const last = output.stdout.trim().split('\n').at(-1);
  if (code !== 0 || !last) throw new Error(`${[command, ...args].join(' ')} failed (${code}):\n${output.stderr.slice(-2000)}`);
  return JSON.parse(last) as T;
}

/** Runs a TypeScript program of bench/. */
export function runOurs<T>(file: string, args: string[]): Promise<T> {
  return runJson<T>(process.execPath, ['--import', 'tsx', benchPath(file), ...args]);
}

/** The Python that has the peers: `--python`, FOURFOLD_PYTHON, or what peers/setup.sh installs. */
export function pythonPath(given: string | undefined): string {
  return given ?? process.env['FOURFOLD_PYTHON'] ?? benchPath('peers/.venv/bin/python');
}
