/**
 * The tokenizer against Python `tokenizers`: training, and encoding all text as one and line by line, with one thread and with two. Runs
 * alternate; merges and ids must be equal. PATHS are .txt, .json and .jsonl files, of which each text is taken, or folders of them.
 *
 *     npm run bench:tokenizer -- [PATHS…] [--rounds 3] [--passes 3] [--vocab-size 8192] [--python PATH]
 */
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { SPECIAL_TOKENS } from '../tokenizer/index.js';
import { benchPath, pythonPath, runJson, runOurs } from './child.js';
import { median, rate, ratio, table } from './figures.js';

export interface TokenizerRun {
  engine: string;
  /** Seconds of each pass. */
  train: number[];
  one: number[];
  batch: number[];
  /** Lines through threads that run already. Ours only. */
  streamed?: number;
  merges_sha256: string;
  one_sha256: string;
  batch_sha256: string;
  /** Cores that other processes used meanwhile. */
  otherLoad?: number;
}

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '3' },
    passes: { type: 'string', default: '3' },
    'vocab-size': { type: 'string', default: '8192' },
    python: { type: 'string' },
  },
});
const THREADS = [1, 2];

async function filesOf(given: string): Promise<string[]> {
  if (!(await fs.stat(given)).isDirectory()) return [given];
  const names = (await fs.readdir(given)).filter((name) => /\.(txt|jsonl?)$/.test(name)).sort();
  return names.map((name) => path.join(given, name));
}

/** All texts in a parsed JSON value. */
function textsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsOf) : [];
}

async function readTexts(file: string): Promise<string[]> {
  const contents = await fs.readFile(file, 'utf8');
  if (file.endsWith('.json')) return textsOf(JSON.parse(contents));
  if (!file.endsWith('.jsonl')) return [contents];
  const lines = contents.split('\n').filter((line) => line !== '');
  return lines.flatMap((line) => textsOf(JSON.parse(line)));
}

const files = (await Promise.all((positionals.length > 0 ? positionals : ['data']).map(filesOf))).flat();
const lines = (await Promise.all(files.map(readTexts))).flat().flatMap((text) => text.split('\n'));
const megabytes = Buffer.byteLength(lines.join('\n')) / 1e6;
const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'fourfold-bench-'));
const texts = path.join(folder, 'texts.json');
await fs.writeFile(texts, JSON.stringify({ lines, special: SPECIAL_TOKENS }));

const runs = THREADS.map((threads) => ({ threads, ours: [] as TokenizerRun[], theirs: [] as TokenizerRun[] }));
for (let round = 1; round <= Number(options.rounds); round++) {
  for (const { threads, ours, theirs } of runs) {
    const args = [texts, String(threads), options['vocab-size'], options.passes];
    ours.push(await runOurs<TokenizerRun>('ours-tokenizer.ts', args));
    theirs.push(await runJson<TokenizerRun>(pythonPath(options.python), [benchPath('peers/tokenizer.py'), ...args]));
    console.error(`round ${round}, ${threads} thread${threads > 1 ? 's' : ''}: other load ${ours.at(-1)!.otherLoad!.toFixed(2)} cores`);
  }
}
await fs.rm(folder, { recursive: true });

const all = runs.flatMap(({ ours, theirs }) => [...ours, ...theirs]);
for (const key of ['merges_sha256', 'one_sha256', 'batch_sha256'] as const) {
  if (new Set(all.map((run) => run[key])).size > 1) throw new Error(`${key.replace('_sha256', '')} differs between the runs`);
}

type Seconds = (run: TokenizerRun) => number;
const rowOf = (name: string, of: (typeof runs)[number], ours: Seconds, theirs: Seconds, target: number) => {
  const [us, them] = [median(of.ours.map(ours)), median(of.theirs.map(theirs))];
  return [name, String(of.threads), rate(megabytes / us), rate(megabytes / them), ratio(them / us), `≥ ${ratio(target)}`];
};
const rows = runs.flatMap((of) => [
  rowOf('train', of, (run) => run.train[0], (run) => run.train[0], 1), // biome-ignore format: one row a line
  ...(of.threads > 1
    ? []
    : [
        rowOf('encode one text', of, (run) => median(run.one), (run) => median(run.one), 3), // biome-ignore format: one row a line
        rowOf('encode one text, first pass', of, (run) => run.one[0], (run) => run.one[0], 3), // biome-ignore format: one row a line
      ]),
  rowOf('encode lines', of, (run) => median(run.batch), (run) => median(run.batch), 3), // biome-ignore format: one row a line
  rowOf('encode lines, threads running', of, (run) => run.streamed!, (run) => median(run.batch), 3), // biome-ignore format: one row a line
]);
console.log(
  `${megabytes.toFixed(1)} MB in ${lines.length} lines of ${files.length} files; vocabulary ${options['vocab-size']}; merges and ids are equal`,
);
console.log(
  `${os.cpus()[0]?.model.trim()}, median of ${options.rounds} alternating runs: ${all[0].engine} and ${runs[0].theirs[0].engine}\n`,
);
console.log(table(['', 'threads', 'fourfold MB/s', 'Python MB/s', 'ratio', 'target'], rows));
const otherLoad = Math.max(...all.map((run) => run.otherLoad ?? 0));
if (otherLoad > 0.1) console.log(`\nbusy: other processes used up to ${otherLoad.toFixed(1)} cores; the figures count on an idle machine.`);
await fs.mkdir(benchPath('results'), { recursive: true });
await fs.writeFile(benchPath('results/tokenizer.json'), JSON.stringify({ megabytes, runs }, null, 1));
