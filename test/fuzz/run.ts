import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Job, Report } from './child.js';
import { targets } from './targets.js';

export interface Violation {
  target: string;
  index: number;
  message: string;
}

export interface Outcome {
  accepted: number;
  /** Count and an example of each message, without what is particular to the input. */
  refused: Map<string, { count: number; example: string }>;
  violations: Violation[];
}

/** `cases` cases of the targets, to each its part. */
export function share(names: readonly string[], seed: number, from: number, cases: number): Job[] {
  const parts = names.reduce((sum, name) => sum + targets[name].part, 0);
  return names.map((target) => ({ target, seed, from, to: from + Math.ceil((cases * targets[target].part) / parts) }));
}

const HANG_MS = 20_000;

/** Runs the jobs in order in a child process; after a hang or a crash in a new one, from the next case on. */
export async function fuzz(jobs: readonly Job[], progress?: (target: string, index: number) => void): Promise<Map<string, Outcome>> {
  const outcomes = new Map<string, Outcome>(jobs.map(({ target }) => [target, { accepted: 0, refused: new Map(), violations: [] }]));
  let left: Job[] = [...jobs];
  while (left.length > 0) {
    const stopped = await runChild(left, (report) => {
      const outcome = outcomes.get(report.target)!;
      if (report.outcome === 'accepted') outcome.accepted++;
      else if (report.outcome === 'violation') outcome.violations.push(report);
      else count(outcome.refused, report.message);
      progress?.(report.target, report.index);
    });
    if (stopped === undefined) break;
    outcomes.get(stopped.target)!.violations.push(stopped);
    const at = left.findIndex(({ target, to }) => target === stopped.target && stopped.index < to);
    left = left.slice(at).map((job, i) => (i === 0 ? { ...job, from: stopped.index + 1 } : job));
  }
  return outcomes;
}

/** @returns the case in which the child hung or died; nothing when it did all. */
function runChild(jobs: readonly Job[], ended: (report: Report & { kind: 'end' }) => void): Promise<Violation | undefined> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(new URL('./child.ts', import.meta.url)), {
      execArgv: ['--import', 'tsx', '--max-old-space-size=1024'],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    let current: { target: string; index: number } | undefined;
    let errors = '';
    let hung = false;
    let done = false;
    const timer = setTimeout(() => {
      hung = true;
      child.kill('SIGKILL');
    }, HANG_MS);
    child.stderr!.on('data', (text) => {
      errors = (errors + text).slice(-4000);
    });
    child.on('message', (report: Report) => {
      timer.refresh();
      current = report.kind === 'begin' ? report : undefined;
      if (report.kind === 'end') ended(report);
    });
    child.on('disconnect', () => {
      done = true;
    });
    child.on('exit', (code) => {
      clearTimeout(timer);
      if (code === 0 && done && current === undefined) resolve(undefined);
      else if (current === undefined) reject(new Error(`no case could be run: ${errors}`));
      else
        resolve({
          target: current.target,
          index: current.index,
          message: hung ? `it hung for ${HANG_MS} ms` : `it crashed (${code}): ${errors}`,
        });
    });
    child.send(jobs);
  });
}

function count(refused: Outcome['refused'], message: string): void {
  const kind = message
    .replace(/"(\\.|[^"\\])*"?/g, '"…"')
    .replace(/\S*fourfold-fuzz-\S*/g, 'FILE')
    .replace(/-?\d+(\.\d+)?(e[+-]?\d+)?/g, '#')
    .replace(/received .*/gs, 'received …')
    .split('\n')
    .slice(0, 2)
    .join(' ')
    .slice(0, 120);
  const seen = refused.get(kind);
  if (seen) seen.count++;
  else refused.set(kind, { count: 1, example: message });
}
