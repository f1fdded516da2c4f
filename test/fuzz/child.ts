/** Runs cases of a target as its parent asks, so that one that never ends can be ended. */
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { makeInput } from './target.js';
import { targets } from './targets.js';

export interface Job {
  target: string;
  seed: number;
  from: number;
  to: number;
}

export type Report =
  | { kind: 'begin'; target: string; index: number }
  | { kind: 'end'; target: string; index: number; outcome: 'accepted' | 'refused' | 'violation'; message: string };

const SLOW_MS = 5000;
const MEMORY = 1.5 * 2 ** 30; // bytes
const NO_MESSAGE =
  /undefined|\[object |is not a function|is not iterable|Cannot (read|set|convert)|Invalid (typed )?array|out of range: |call stack/;

/** What became of one case. */
export async function runCase(
  run: (input: Uint8Array) => Promise<void>,
  input: Uint8Array,
): Promise<Omit<Report & { kind: 'end' }, 'target' | 'index' | 'kind'>> {
  const begun = performance.now();
  let message = '';
  let outcome: 'accepted' | 'refused' = 'accepted';
  try {
    await run(input);
  } catch (error) {
    outcome = 'refused';
    message = error instanceof Error ? error.message : String(error);
    const named = error instanceof Error && error.name === 'UserError';
    if (!named) return { outcome: 'violation', message: `not a UserError: ${error instanceof Error ? error.stack : String(error)}` };
    if (message.length < 20 || NO_MESSAGE.test(message)) return { outcome: 'violation', message: `no message for a user: ${message}` };
    const longest = Math.max(...message.split('\n').map((line) => line.length));
    if (longest > 2000) return { outcome: 'violation', message: `a message of ${longest} characters: ${message.slice(0, 200)}` };
  }
  const elapsed = performance.now() - begun;
  if (elapsed > SLOW_MS) return { outcome: 'violation', message: `${Math.round(elapsed)} ms` };
  if (process.memoryUsage.rss() > MEMORY) return { outcome: 'violation', message: `${process.memoryUsage.rss() >> 20} MiB of memory` };
  return { outcome, message };
}

async function runJobs(jobs: readonly Job[]): Promise<void> {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'fourfold-fuzz-'));
  try {
    for (const { target: name, seed, from, to } of jobs) {
      const target = await targets[name].open(folder);
      for (let index = from; index < to; index++) {
        process.send!({ kind: 'begin', target: name, index } satisfies Report);
        const ended = await runCase((input) => target.run(input), makeInput(target, seed, index));
        process.send!({ kind: 'end', target: name, index, ...ended } satisfies Report);
      }
    }
  } finally {
    await fs.rm(folder, { recursive: true, force: true });
  }
  process.disconnect();
}

if (process.send) process.once('message', (jobs: readonly Job[]) => runJobs(jobs));
