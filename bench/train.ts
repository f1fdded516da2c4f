/**
 * Training speed against PyTorch: whole steps, the same shapes and threads, alternating runs, medians.
 *
 *     npm run bench:train -- [--shapes S1,S2,S3] [--precisions fp32,bf16] [--rounds 5] [--threads 2] [--steps 10] [--python PATH]
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { parseArgs } from 'node:util';
import { benchPath, pythonPath, runJson, runOurs } from './child.js';
import { median, megabytes, percent, rate, ratio, table } from './figures.js';
import { PRECISIONS, type Precision } from './shapes.js';

interface Run {
  engine: string;
  tokensPerSecond: number;
  peakRssBytes: number;
  /** Cores that other processes used meanwhile. */
  otherLoad: number;
  peakFraction?: number;
  loss: number;
}

/** What the project sets out to reach: tokens/s over PyTorch's. Peak memory is to stay below 0.6 of PyTorch's. */
const TARGETS: Record<Precision, Record<string, number>> = { fp32: { S1: 1.35, S2: 1.15, S3: 1.15 }, bf16: { S1: 2, S2: 1.3, S3: 1.3 } };
const MODES = ['eager', 'compile'] as const;
/** More than this of a core taken by others spoils a figure. */
const IDLE = 0.1;

const { values } = parseArgs({
  options: {
    shapes: { type: 'string', default: Object.keys(TARGETS.fp32).join() },
    precisions: { type: 'string', default: PRECISIONS.join() },
    rounds: { type: 'string', default: '5' },
    threads: { type: 'string', default: '2' },
    steps: { type: 'string', default: '10' },
    python: { type: 'string' },
  },
});
const { threads, steps } = values;
const python = pythonPath(values.python);

function ours(shape: string, precision: Precision): Promise<Run> {
  return runOurs<Run>('ours-train.ts', [shape, precision, threads, steps]);
}

function peer(shape: string, precision: Precision, mode: string): Promise<Run> {
  const options = ['--precision', precision, '--mode', mode, '--threads', threads, '--steps', steps];
  return runJson<Run>(python, [benchPath('peers/train.py'), shape, ...options]);
}

/** Alternating runs of us and both of PyTorch's modes; the mode with the better median is the peer. */
async function compare(shape: string, precision: Precision) {
  const runs: Record<string, Run[]> = { ours: [], eager: [], compile: [] };
  for (let round = 0; round < Number(values.rounds); round++) {
    runs['ours'].push(await ours(shape, precision));
    for (const mode of MODES) runs[mode].push(await peer(shape, precision, mode));
    const rates = Object.entries(runs).map(([who, list]) => `${who} ${rate(list.at(-1)!.tokensPerSecond)}`);
    console.error(`${shape} ${precision} round ${round + 1}: ${rates.join(', ')} tok/s`);
  }
  const middle = (list: Run[], field: 'tokensPerSecond' | 'peakRssBytes') => median(list.map((run) => run[field]));
  const mode = MODES.reduce((a, b) => (middle(runs[a], 'tokensPerSecond') >= middle(runs[b], 'tokensPerSecond') ? a : b));
  const figures = (list: Run[]) => ({ tokensPerSecond: middle(list, 'tokensPerSecond'), peakRssBytes: middle(list, 'peakRssBytes') });
  const [us, them] = [figures(runs['ours']), figures(runs[mode])];
  const otherLoad = Math.max(...[...runs['ours'], ...runs[mode]].map((run) => run.otherLoad));
  const fractions = runs['ours'].flatMap((run) => run.peakFraction ?? []);
  return { shape, precision, mode, us, them, otherLoad, peakFraction: fractions.length > 0 ? median(fractions) : undefined, runs };
}

const results: Awaited<ReturnType<typeof compare>>[] = [];
for (const shape of values.shapes.split(',')) {
  for (const precision of values.precisions.split(',') as Precision[]) results.push(await compare(shape, precision));
}

const header = [
  'shape',
  'precision',
  'fourfold tok/s',
  'PyTorch tok/s',
  'mode',
  'ratio',
  'target',
  'of peak',
  'memory',
  "PyTorch's",
  'ratio',
  'other load',
];
const rows = results.map(({ shape, precision, mode, us, them, otherLoad, peakFraction }) => [
  shape,
  precision,
  rate(us.tokensPerSecond),
  rate(them.tokensPerSecond),
  mode,
  ratio(us.tokensPerSecond / them.tokensPerSecond),
  `≥ ${ratio(TARGETS[precision][shape])}`,
  peakFraction === undefined ? '-' : percent(peakFraction),
  megabytes(us.peakRssBytes),
  megabytes(them.peakRssBytes),
  ratio(us.peakRssBytes / them.peakRssBytes),
  `${otherLoad.toFixed(2)}${otherLoad > IDLE ? ' (busy!)' : ''}`,
]);
const { runs } = results[0];
console.log(
  `${os.cpus()[0]?.model.trim()}, ${threads} threads, median of ${values.rounds} alternating runs: ${runs['ours'][0].engine} and ${runs['eager'][0].engine}\n`,
);
console.log(table(header, rows));
if (results.some(({ otherLoad }) => otherLoad > IDLE))
  console.log('\nbusy!: other processes used the machine during a run; the figures count on an idle one.');
mkdirSync(benchPath('results'), { recursive: true });
writeFileSync(benchPath('results/train.json'), JSON.stringify(results, null, 1));
