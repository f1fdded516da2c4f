/**
 * Speed of PPO against TRL's PPOTrainer in fp32: the same policy, reference, critic and reward model (four models of one size, random weights), the same
 * prompts of 16 tokens, answers of exactly 32, 64 an update, 4 passes over them of one optimizer step each; alternating runs of some updates behind a first
 * one, medians. Both sides run their whole trainer: drawing, scoring, learning. First it is asked whether both say the same of the same texts.
 *
 *     npm run bench:ppo -- [--rounds 3] [--threads 2] [--updates 6] [--peers 64,32,16] [--python PATH] [--trl FOLDER]
 *
 * PEERS are ways to run TRL: episodes that it learns from at a time (a micro-batch; an optimizer step is made of all 64). The one with the best median is
 * the peer. TRL 1.8 is the last one with this trainer: bench/peers/setup.sh installs it in bench/peers/.ppo, beside a later one.
 */
import { existsSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { useDevice } from '../backends/device.js';
import { benchPath, pythonPath, runJson, runOurs } from './child.js';
import { median, megabytes, percent, rate, ratio, table } from './figures.js';
import { writePpoData } from './ppo-data.js';
import { PPO_SHAPE } from './shapes.js';

interface Run {
  engine: string;
  updates: number;
  episodesPerSecond: number;
  /** Of an update. */
  seconds: Record<(typeof PARTS)[number], number>;
  peakRssBytes: number;
  /** Cores that other processes used meanwhile. */
  otherLoad: number;
  /** Of the first update: means over its passes. */
  first: { kl: number; ratio: number; policyLoss: number; entropy: number };
  /** What the models say of the same texts: log-probabilities of all tokens of the answers, and a score for each text. */
  said: { logProbs: number[]; scores: number[] };
}

const PARTS = ['rollout', 'scoring', 'optimisation'] as const;
const TARGET = 4;
/** More than this of a core taken by others spoils a figure. */
const IDLE = 0.1;
const SAME = 1e-4;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    threads: { type: 'string', default: '2' },
    updates: { type: 'string', default: '6' },
    peers: { type: 'string', default: '64,32,16' },
    python: { type: 'string' },
    trl: { type: 'string', default: benchPath('peers/.ppo') },
  },
});
const { threads, rounds, updates } = values;
const python = pythonPath(values.python);
const peers = values.peers.split(',');
const folder = benchPath('results/ppo');
const { batch, prompt, response, epochs, config } = PPO_SHAPE;
if (!existsSync(path.join(values.trl, 'trl')))
  throw new Error(`there must be TRL 1.8 in ${values.trl}; there is none. Run bench/peers/setup.sh, or name its folder with --trl`);

await useDevice('native', { threads: 1 });
await writePpoData(folder, batch * (Number(updates) + 1));

function ours(): Promise<Run> {
  return runOurs<Run>('ours-ppo.ts', [folder, threads, updates]);
}

function theirs(microBatch: string): Promise<Run> {
  const args = [benchPath('peers/ppo.py'), folder, '--micro-batch', microBatch, '--threads', threads, '--updates', updates];
  return runJson<Run>(python, args, { PYTHONPATH: values.trl });
}

const sides = ['fourfold', ...peers];
const runs: Record<string, Run[]> = Object.fromEntries(sides.map((side) => [side, []]));
for (let round = 0; round < Number(rounds); round++) {
  runs['fourfold'].push(await ours());
  for (const peer of peers) runs[peer].push(await theirs(peer));
  const rates = sides.map((side) => `${side} ${rate(runs[side].at(-1)!.episodesPerSecond)}`);
  console.error(`round ${round + 1}: ${rates.join(', ')} episodes/s`);
}

const speedOf = (who: string) => median(runs[who].map(({ episodesPerSecond }) => episodesPerSecond));
const memoryOf = (who: string) => median(runs[who].map(({ peakRssBytes }) => peakRssBytes));
const best = peers.reduce((a, b) => (speedOf(a) >= speedOf(b) ? a : b));
const load = (cores: number) => `${cores.toFixed(2)}${cores > IDLE ? ' (busy!)' : ''}`;
const largestDifference = (a: readonly number[], b: readonly number[]) =>
  a.length === b.length ? a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0) : Number.NaN;
const [us] = runs['fourfold'];
const lines = sides.map((who) => {
  const list = runs[who];
  const rates = list.map(({ episodesPerSecond }) => episodesPerSecond);
  const parts = PARTS.map((part) => median(list.map(({ seconds }) => seconds[part])));
  const all = parts.reduce((a, b) => a + b, 0);
  return [
    who === 'fourfold' ? who : `TRL, micro-batches of ${who}${who === best ? ' (the peer)' : ''}`,
    rate(speedOf(who)),
    `${rate(Math.min(...rates))}–${rate(Math.max(...rates))}`,
    ...parts.map((part) => `${part.toFixed(2)} s, ${percent(part / all)}`),
    megabytes(memoryOf(who)),
    load(Math.max(...list.map(({ otherLoad }) => otherLoad))),
  ];
});
console.log(
  `${os.cpus()[0]?.model.trim()}, ${threads} threads, fp32: ${config.architecture}, ${config.num_hidden_layers} layers of ${config.hidden_size}, vocabulary ${config.vocab_size}; ` +
    `prompts of ${prompt} tokens, answers of ${response}, ${batch} an update, ${epochs} passes of one step each; ${updates} updates a run behind a first one, median of ${rounds} alternating runs: ${us.engine} and ${runs[best][0].engine}\n`,
);
console.log(table(['', 'episodes/s', 'lowest–highest', ...PARTS.map((part) => `${part} an update`), 'memory', 'other load'], lines));
const speed = speedOf('fourfold') / speedOf(best);
console.log(`\nEpisodes/s: ${ratio(speed)} of TRL's, target ≥ ${ratio(TARGET)}; memory ${ratio(memoryOf('fourfold') / memoryOf(best))}`);

const wrong: string[] = [];
for (const peer of peers) {
  const { said } = runs[peer][0];
  const [logProbs, scores] = [largestDifference(us.said.logProbs, said.logProbs), largestDifference(us.said.scores, said.scores)];
  console.log(
    `The same texts, TRL with micro-batches of ${peer}: log-probabilities differ by ${logProbs.toExponential(1)} at most, scores by ${scores.toExponential(1)}`,
  );
  if (!(logProbs <= SAME && scores <= SAME)) wrong.push(`TRL with micro-batches of ${peer} says something else of the same texts`);
}
for (const who of sides) {
  const { kl, ratio: mean, policyLoss, entropy } = runs[who][0].first;
  console.log(
    `First update, ${who === 'fourfold' ? who : `TRL with micro-batches of ${who}`}: KL ${kl.toExponential(1)}, ratio ${mean.toFixed(5)}, policy loss ${policyLoss.toExponential(1)}, entropy ${entropy.toFixed(1)} an answer`,
  );
  if (!(Math.abs(kl) < 1e-3 && Math.abs(mean - 1) < 1e-3 && Math.abs(policyLoss) < 1e-2))
    wrong.push(`the first update of ${who} does not begin at the reference: KL 0, ratio 1 and policy loss 0 belong there`);
}
if (Object.values(runs).some((list) => list.some(({ otherLoad }) => otherLoad > IDLE)))
  console.log('busy!: other processes used the machine during a run; the figures count on an idle one.');
const short = Object.fromEntries(Object.entries(runs).map(([who, list]) => [who, list.map(({ said: _, ...run }) => run)]));
writeFileSync(benchPath('results/ppo.json'), JSON.stringify({ best, speed, runs: short }, null, 1));
if (wrong.length > 0) throw new Error(`the two sides do not compute the same: ${wrong.join('; ')}`);
