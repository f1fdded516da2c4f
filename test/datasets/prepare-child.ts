/**
 * Prepares data and dies on the way, or is asked to stop. Its argument is JSON: the options of `prepare`, with the path of a tokenizer, and
 * `die: {rename: n, after?: true}` (at the n-th renaming of a file), `die: {to: path}` (at the renaming to it), `die: {chunk: n}` (after n
 * chunks) or `interrupt: signal`.
 */
import fs from 'node:fs/promises';
import { reportError } from '../../cli/errors.js';
import { interruptible } from '../../cli/signals.js';
import { prepare } from '../../datasets/prepare.js';
import { readTokenizer } from '../../tokenizer/index.js';

const { die, interrupt, tokenizer, ...options } = JSON.parse(process.argv[2]);
const { rename } = fs;
let renamed = 0;
let chunks = 0;
const kill = () => process.kill(process.pid, 'SIGKILL');
fs.rename = async (from, to) => {
  const here = ++renamed === die?.rename || (die !== undefined && to === die.to);
  if (here && !die.after) kill();
  await rename(from, to);
  if (here) kill();
};
const work = async (signal?: AbortSignal) => {
  await prepare({
    ...options,
    tokenizer: typeof tokenizer === 'string' ? await readTokenizer(tokenizer) : tokenizer,
    signal,
    onProgress({ phase }) {
      if (phase !== 'encode') return;
      if (++chunks === die?.chunk) kill();
      if (chunks === 3 && interrupt) process.kill(process.pid, interrupt);
    },
  });
};
if (interrupt) {
  await interruptible(work, { stopping: 'Stopping after this shard', goOn: 'The same command goes on' }).catch((error) => {
    process.exitCode = reportError(error, []);
  });
} else await work();
