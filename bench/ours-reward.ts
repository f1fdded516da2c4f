/**
 * One reward-model benchmark of fourfold: a pass over the pairs of a folder that reward-data.ts wrote, after some steps of warm-up; prints one line of
 * JSON as peers/reward.py does.
 *
 *     node --import tsx bench/ours-reward.ts FOLDER 2 1
 */
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { useDevice } from '../backends/device.js';
import { loadCheckpoint } from '../checkpoints/load.js';
import { parametersFrom } from '../model/parameters.js';
import { batchShape, rankedBatches } from '../training/ranked-batches.js';
import { rewardStepper } from '../training/reward-step.js';
import { trainState } from '../training/state.js';
import { RandomStream } from '../util/random.js';
import { OtherLoad } from './load.js';
import { groupsOf, OBJECTIVE, rankingOf, readRewardData } from './reward-data.js';
import { MICRO_BATCH_TOKENS, REWARD_SHAPE } from './shapes.js';

const [folder, threads, warmUp] = process.argv.slice(2);
/** Pairs of the batch whose loss is compared; peers/reward.py has the same. */
const FIRST = 8;

const device = await useDevice('native', { threads: Number(threads) });
const { config, weights } = await loadCheckpoint(join(folder, 'model'));
const state = trainState(config, parametersFrom(config, weights));
const groups = groupsOf(readRewardData(folder).pairs.map(rankingOf));
const shape = batchShape(groups, MICRO_BATCH_TOKENS);
const step = rewardStepper(state, shape, {
  ...{ beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, maxGradNorm: 1, seed: 1337 },
  ...{ objective: OBJECTIVE, centerRewards: 0 },
});
// Without a learning rate nothing moves.
const first = await step.step(rankedBatches(groups.slice(0, FIRST), shape, 0), 0);

const random = new RandomStream(1337, 0);
for (let i = groups.length - 1; i > 0; i--) {
  const j = random.below(i + 1);
  [groups[i], groups[j]] = [groups[j], groups[i]];
}
const steps = groups.length / REWARD_SHAPE.pairs;
const update = (i: number) => {
  const from = (i % steps) * REWARD_SHAPE.pairs;
  return rankedBatches(groups.slice(from, from + REWARD_SHAPE.pairs), shape, 0);
};

for (let i = 0; i < Number(warmUp); i++) await step.step(update(i), 1e-4);
const tensors = tf.memory().numTensors;
const other = new OtherLoad();
const cpu = process.cpuUsage();
const began = performance.now();
const losses: number[] = [];
let tokens = 0;
let computed = 0;
for (let i = Number(warmUp); i < Number(warmUp) + steps; i++) {
  const batches = update(i);
  const result = await step.step(batches, 1e-4);
  losses.push(result.loss);
  tokens += result.tokens;
  computed += batches.length * shape.B * shape.T;
}
const seconds = (performance.now() - began) / 1000;
const { user, system } = process.cpuUsage(cpu);
console.log(
  JSON.stringify({
    engine: `fourfold ${device.isa}`,
    threads: device.threads,
    steps,
    msPerStep: (seconds * 1000) / steps,
    cpuMsPerStep: (user + system) / 1000 / steps,
    pairsPerSecond: groups.length / seconds,
    tokensPerSecond: tokens / seconds,
    padding: 1 - tokens / computed,
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
    otherLoad: other.cores(),
    tensorGrowth: tf.memory().numTensors - tensors,
    first: { loss: first.loss, gradNorm: first.gradNorm },
    loss: losses.at(-1),
  }),
);
