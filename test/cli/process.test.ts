import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { reportError } from '../../cli/errors.js';
import { packageRoot } from '../../util/package-root.js';

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs Node.js on TypeScript in a process of its own. `onText` may act on what it prints. */
function node(argv: string[], onText: (text: string, kill: (signal: NodeJS.Signals) => void) => void = () => {}): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--import', 'tsx', ...argv], { cwd: packageRoot() });
    const ended: Ended = { code: null, stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (text: string) => {
        ended[name] += text;
        onText(text, (signal) => child.kill(signal));
      });
    }
    child.on('error', reject).on('close', (code) => resolve({ ...ended, code }));
  });
}

/** A program that works until it is stopped, then saves for `savingMs`. */
function worker(savingMs: number): string[] {
  const program = `
    import { reportError } from './cli/errors.ts';
    import { interruptible } from './cli/signals.ts';
    const work = (signal) => new Promise((resolve) => {
      const alive = setInterval(() => {}, 1000);
      signal.addEventListener('abort', () => setTimeout(() => { console.log('saved'); clearInterval(alive); resolve(); }, ${savingMs}));
      console.log('working');
    });
    interruptible(work).catch((error) => { process.exitCode = reportError(error, []); });`;
  return ['--input-type=module', '--eval', program];
}

describe('the command line as a process', () => {
  it('exits with 1 and without a stack on an error of its user', async () => {
    const { code, stdout, stderr } = await node(['cli/main.ts', 'validate', 'none.yaml']);
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, /^error: Read the configuration: there is no such file; received "none\.yaml"; .*\n$/);
  });

  it('prints help and the version, and exits with 0', async () => {
    const [help, version] = await Promise.all([node(['cli/main.ts', '--help']), node(['cli/main.ts', '--version'])]);
    assert.deepEqual([help.code, help.stderr, version.code], [0, '', 0]);
    for (const command of ['data', 'tokenizer', 'pretrain', 'sample', 'chat', 'validate', 'doctor'])
      assert.match(help.stdout, new RegExp(`^ {2}${command} `, 'm'));
    assert.match(version.stdout, /^\d+\.\d+\.\d+\n$/);
  });

  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    it(`lets the work save on the first ${signal}, then exits with ${code}`, async () => {
      const ended = await node(worker(20), (text, kill) => text.includes('working') && kill(signal));
      assert.deepEqual([ended.code, ended.stdout], [code, 'working\nsaved\n']);
      assert.match(ended.stderr, new RegExp(`Stopped by ${signal}. Run again with --resume auto to go on.\n$`));
    });
  }

  it('exits at once on the second Ctrl-C', async () => {
    const ended = await node(worker(60_000), (text, kill) => /working|Stopping/.test(text) && kill('SIGINT'));
    assert.deepEqual([ended.code, ended.stdout], [130, 'working\n']);
  });
});

describe('an error that nobody foresaw', () => {
  it('shows its message and says how to see more', () => {
    const lines: string[] = [];
    const original = console.error;
    console.error = (line: string) => lines.push(line);
    try {
      assert.equal(reportError(new Error('the disk is full'), []), 1);
      assert.equal(reportError(new Error('the disk is full'), ['--verbose']), 1);
    } finally {
      console.error = original;
    }
    assert.equal(lines[0], 'unexpected error: the disk is full\nRun again with --verbose to see where.');
    assert.match(lines[1], /^unexpected error: the disk is full\nError: the disk is full\n {4}at /);
  });
});
