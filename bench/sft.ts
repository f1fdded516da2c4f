/**
 * Fine-tuning speed against TRL's SFTTrainer in fp32: the same weights, conversations and masks, packing on in both, loss on answers only;
 * alternating runs of one pass over the conversations each, medians. DATA is a folder with alpaca_en_demo.json and alpaca_zh_demo.json; without
 * it the conversations are made up.
 *
 *     npm run bench:sft -- [DATA] [--rounds 3] [--threads 2] [--steps 20] [--warm-up 4] [--peers rows,accumulate,flat] [--python PATH]
 *
 * STEPS is about the steps of a pass, those of the warm-up included. PEERS are ways to run TRL (peers/sft.py): flat, accumulate, rows, each with
 * `+compile` or without. The one with the best median is the peer.
 */
import { writeFileSync } from 'node:fs';
import os from 'node:os';
import { parseArgs } from 'node:util';
import { useDevice } from '../backends/device.js';
import { benchPath, pythonPath, runJson, runOurs } from './child.js';
import { median, megabytes, percent, rate, ratio, table } from './figures.js';
import { writeSftData } from './sft-data.js';
import { SFT_SHAPE } from './shapes.js';

interface Run {
  engine: string;
  rows: number;
  steps: number;
  msPerStep: number;
  supervisedPerSecond: number;
  tokensPerSecond: number;
  peakRssBytes: number;
  /** Cores that other processes used meanwhile. */
  otherLoad: number;
  /** Of one batch of the first conversations, before any step. */
  first: { loss: number; gradNorm: number; supervised: number };
  loss: number;
}

const TARGET = 1.3;
/** More than this of a core taken by others spoils a figure. */
const IDLE = 0.1;
const SAME_LOSS = 1e-4;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '3' },
    threads: { type: 'string', default: '2' },
    steps: { type: 'string', default: '20' },
    'warm-up': { type: 'string', default: '4' },
    peers: { type: 'string', default: 'rows,accumulate,flat' },
    python: { type: 'string' },
  },
});
const { threads, 'warm-up': warmUp } = values;
const python = pythonPath(values.python);
const peers = values.peers.split(',');
const folder = benchPath('results/sft');
const { B, T, config } = SFT_SHAPE;

await useDevice('native', { threads: 1 });
const data = await writeSftData(folder, positionals[0], config, Number(values.steps) * B * T);
console.error(
  `${data.conversations.length} conversations, ${rate(data.tokens)} tokens, ${percent(data.supervised / data.tokens)} of them supervised`,
);

function ours(): Promise<Run> {
  return runOurs<Run>('ours-sft.ts', [folder, threads, warmUp]);
}

function theirs(peer: string): Promise<Run> {
  const [layout, compile] = peer.split('+');
  const options = ['--layout', layout, '--threads', threads, '--warm-up', warmUp, ...(compile ? ['--compile'] : [])];
  return runJson<Run>(python, [benchPath('peers/sft.py'), folder, ...options]);
}

const runs: Record<string, Run[]> = { fourfold: [], ...Object.fromEntries(peers.map((peer) => [peer, []])) };
for (let round = 0; round < Number(values.rounds); round++) {
  runs['fourfold'].push(await ours());
  for (const peer of peers) runs[peer].push(await theirs(peer));
  const rates = Object.entries(runs).map(([who, list]) => `${who} ${rate(list.at(-1)!.supervisedPerSecond)}`);
  console.error(`round ${round + 1}: ${rates.join(', ')} supervised tok/s`);
}

const middle = (list: Run[], field: 'supervisedPerSecond' | 'tokensPerSecond' | 'peakRssBytes') => median(list.map((run) => run[field]));
const best = peers.reduce((a, b) => (middle(runs[a], 'supervisedPerSecond') >= middle(runs[b], 'supervisedPerSecond') ? a : b));
const rows = Object.entries(runs).map(([who, list]) => {
  const otherLoad = Math.max(...list.map((run) => run.otherLoad));
  return [
    who === 'fourfold' ? who : `TRL, ${who}${who === best ? ' (the peer)' : ''}`,
    rate(middle(list, 'supervisedPerSecond')),
    rate(middle(list, 'tokensPerSecond')),
    String(list[0].rows),
    megabytes(middle(list, 'peakRssBytes')),
    list[0].first.loss.toFixed(6),
    list[0].first.gradNorm.toFixed(4),
    `${otherLoad.toFixed(2)}${otherLoad > IDLE ? ' (busy!)' : ''}`,
  ];
});
const header = ['', 'supervised tok/s', 'all tok/s', 'rows', 'memory', 'loss of the first batch', 'norm of its gradient', 'other load'];
const [us, them] = [runs['fourfold'], runs[best]];
console.log(
  `${os.cpus()[0]?.model.trim()}, ${threads} threads, fp32, median of ${values.rounds} alternating runs: ${us[0].engine} and ${them[0].engine}\n`,
);
console.log(table(header, rows));
const speed = middle(us, 'supervisedPerSecond') / middle(them, 'supervisedPerSecond');
const memory = middle(us, 'peakRssBytes') / middle(them, 'peakRssBytes');
console.log(`\nSupervised tokens/s: ${ratio(speed)} of TRL's, target ≥ ${ratio(TARGET)}; memory ${ratio(memory)}`);
if (Object.values(runs).some((list) => list.some((run) => run.otherLoad > IDLE)))
  console.log('busy!: other processes used the machine during a run; the figures count on an idle one.');
writeFileSync(benchPath('results/sft.json'), JSON.stringify({ best, speed, memory, runs }, null, 1));
const different = peers.filter((peer) => Math.abs(runs[peer][0].first.loss - us[0].first.loss) > SAME_LOSS);
if (different.length > 0)
  throw new Error(`the loss of the first batch differs from ours: ${different.join(', ')}; the two sides do not compute the same`);
