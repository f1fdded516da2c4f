/**
 * Speed of learning a reward model against TRL's RewardTrainer in fp32: the same weights, pairs, pairs an update and optimizer; alternating runs of one
 * pass over the pairs each, medians. Then, of our side alone, rankings of four answers learnt whole against their six pairs each.
 * DATA is a folder with dpo_en_demo.json and gsm8k-solutions.jsonl; without it answers are made up.
 *
 *     npm run bench:reward -- [DATA] [--rounds 3] [--threads 2] [--pairs 96] [--warm-up 1] [--rankings 8] [--peers 4+grouped+causal,1+causal,8] [--python PATH]
 *
 * PAIRS are those of a pass, 16 an update. PEERS are ways to run TRL (peers/reward.py): pairs at a time, with `+grouped`, `+causal`, `+compile` or
 * without. The one with the best median is the peer.
 */
import { writeFileSync } from 'node:fs';
import os from 'node:os';
import { parseArgs } from 'node:util';
import { useDevice } from '../backends/device.js';
import { benchPath, pythonPath, runJson, runOurs } from './child.js';
import { median, megabytes, percent, rate, ratio, table } from './figures.js';
import { writeRewardData } from './reward-data.js';
import { REWARD_SHAPE } from './shapes.js';

interface Run {
  engine: string;
  steps: number;
  /** Processor time of a step. */
  cpuMsPerStep: number;
  pairsPerSecond: number;
  tokensPerSecond: number;
  /** Share of what was computed that was no text. */
  padding: number;
  peakRssBytes: number;
  /** Cores that other processes used meanwhile. */
  otherLoad: number;
  /** Of one batch of the first pairs, before any step. */
  first: { loss: number; gradNorm: number };
  loss: number;
}

interface KWay {
  rankings: number;
  answers: number;
  pairs: number;
  msWhole: number;
  msPairs: number;
  lossDifference: number;
  /** Largest of any element, and of all elements |a − b| / |a| in the L2 norm. */
  gradientDifference: number;
  relativeDifference: number;
  otherLoad: number;
}

const TARGET = 1.3;
const K_WAY_TARGET = 0.6;
/** More than this of a core taken by others spoils a figure. */
const IDLE = 0.1;
const SAME_LOSS = 1e-4;
const SAME_GRADIENT = 1e-5;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '3' },
    threads: { type: 'string', default: '2' },
    pairs: { type: 'string', default: '96' },
    'warm-up': { type: 'string', default: '1' },
    rankings: { type: 'string', default: '8' },
    peers: { type: 'string', default: '4+grouped+causal,1+causal,8' },
    python: { type: 'string' },
  },
});
const { threads, rounds, 'warm-up': warmUp } = values;
const python = pythonPath(values.python);
const peers = values.peers.split(',');
const folder = benchPath('results/reward');
const { config, pairs: batch } = REWARD_SHAPE;
const pairs = Number(values.pairs);
if (!(pairs > 0 && pairs % batch === 0))
  throw new Error(`--pairs must be a multiple of ${batch}, the pairs of an update; it is ${values.pairs}`);

await useDevice('native', { threads: 1 });
const data = await writeRewardData(folder, positionals[0], config, { pairs, rankings: Number(values.rankings) });
const tokens = data.pairs.reduce((sum, { chosen_ids, rejected_ids }) => sum + chosen_ids.length + rejected_ids.length, 0);
const { rows, dropped, promptsCut } = data.counts.pairs;
console.error(
  `${pairs} pairs of ${rows} rows, ${rate(tokens / pairs)} tokens each; left out of the rows: ${dropped} whose answers do not fit into ${config.max_position_embeddings} tokens; ${promptsCut} prompts lost their left part`,
);

function ours(): Promise<Run> {
  return runOurs<Run>('ours-reward.ts', [folder, threads, warmUp]);
}

function theirs(layout: string): Promise<Run> {
  return runJson<Run>(python, [benchPath('peers/reward.py'), folder, '--layout', layout, '--threads', threads, '--warm-up', warmUp]);
}

const runs: Record<string, Run[]> = { fourfold: [], ...Object.fromEntries(peers.map((peer) => [peer, []])) };
for (let round = 0; round < Number(rounds); round++) {
  runs['fourfold'].push(await ours());
  for (const peer of peers) runs[peer].push(await theirs(peer));
  const rates = Object.entries(runs).map(([who, list]) => `${who} ${rate(list.at(-1)!.pairsPerSecond)}`);
  console.error(`round ${round + 1}: ${rates.join(', ')} pairs/s`);
}
const kWay = await runOurs<KWay>('ours-k-way.ts', [folder, threads, rounds]);

const middle = (list: Run[], field: 'pairsPerSecond' | 'tokensPerSecond' | 'peakRssBytes' | 'cpuMsPerStep') =>
  median(list.map((run) => run[field]));
const load = (cores: number) => `${cores.toFixed(2)}${cores > IDLE ? ' (busy!)' : ''}`;
const best = peers.reduce((a, b) => (middle(runs[a], 'pairsPerSecond') >= middle(runs[b], 'pairsPerSecond') ? a : b));
const lines = Object.entries(runs).map(([who, list]) => [
  who === 'fourfold' ? who : `TRL, ${who}${who === best ? ' (the peer)' : ''}`,
  middle(list, 'pairsPerSecond').toPrecision(3),
  rate(middle(list, 'tokensPerSecond')),
  percent(list[0].padding),
  (middle(list, 'cpuMsPerStep') / batch / 1000).toFixed(3),
  megabytes(middle(list, 'peakRssBytes')),
  list[0].first.loss.toFixed(6),
  list[0].first.gradNorm.toFixed(4),
  load(Math.max(...list.map((run) => run.otherLoad))),
]);
const header = ['', 'pairs/s', 'tokens/s', 'padding', 'processor s a pair', 'memory', 'loss of the first batch', 'norm of its gradient', 'other load']; // biome-ignore format: short
const [us, them] = [runs['fourfold'], runs[best]];
console.log(
  `${os.cpus()[0]?.model.trim()}, ${threads} threads, fp32, ${batch} pairs an update, median of ${rounds} alternating runs: ${us[0].engine} and ${them[0].engine}\n`,
);
console.log(table(header, lines));
const speed = middle(us, 'pairsPerSecond') / middle(them, 'pairsPerSecond');
const memory = middle(us, 'peakRssBytes') / middle(them, 'peakRssBytes');
console.log(`\nPairs/s: ${ratio(speed)} of TRL's, target ≥ ${ratio(TARGET)}; memory ${ratio(memory)}`);
console.log(
  `${kWay.rankings} rankings of ${kWay.answers} answers whole: ${ratio(kWay.msWhole / kWay.msPairs)} the time of their ${kWay.pairs} pairs (${rate(kWay.msWhole)} and ${rate(kWay.msPairs)} ms), target < ${ratio(K_WAY_TARGET)}; ` +
    `differences: loss ${kWay.lossDifference.toExponential(1)}, gradients ${kWay.gradientDifference.toExponential(1)} at most, ${kWay.relativeDifference.toExponential(1)} in the L2 norm; other load ${load(kWay.otherLoad)}`,
);
if ([...Object.values(runs).flat(), kWay].some(({ otherLoad }) => otherLoad > IDLE))
  console.log('busy!: other processes used the machine during a run; the figures count on an idle one.');
writeFileSync(benchPath('results/reward.json'), JSON.stringify({ best, speed, memory, runs, kWay }, null, 1));
const different = peers.filter((peer) => !(Math.abs(runs[peer][0].first.loss - us[0].first.loss) <= SAME_LOSS));
if (different.length > 0)
  throw new Error(`the loss of the first batch differs from ours: ${different.join(', ')}; the two sides do not compute the same`);
if (!(kWay.lossDifference <= SAME_GRADIENT && kWay.gradientDifference <= SAME_GRADIENT))
  throw new Error('rankings learnt whole and their pairs do not give the same loss and gradients');
