/**
 * One fine-tuning benchmark of fourfold: a pass over the conversations of a folder that sft-data.ts wrote, packed; prints one line of JSON as
 * peers/sft.py does.
 *
 *     node --import tsx bench/ours-sft.ts FOLDER 2 4
 */
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { useDevice } from '../backends/device.js';
import { loadCheckpoint } from '../checkpoints/load.js';
import { parametersFrom } from '../model/parameters.js';
import { trainState } from '../training/state.js';
import { stepper } from '../training/step.js';
import { OtherLoad } from './load.js';
import { packedBatches } from './packed-batches.js';
import { readSftData } from './sft-data.js';
import { SFT_SHAPE } from './shapes.js';

const [folder, threads, warmUp, maxSteps] = process.argv.slice(2);
const { B, T } = SFT_SHAPE;
/** Conversations of the batch whose loss is compared; peers/sft.py has the same. */
const FIRST = 8;

const device = await useDevice('native', { threads: Number(threads) });
const { config, weights } = await loadCheckpoint(join(folder, 'model'));
const state = trainState(config, parametersFrom(config, weights));
const step = stepper(state, B, T, { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, maxGradNorm: 1, seed: 1337 });
const conversations = readSftData(folder);
const batches = packedBatches(conversations, B, T);
// Without a learning rate nothing moves.
const first = await step.step([packedBatches(conversations.slice(0, FIRST), B, T).next()], 0);
const steps = maxSteps ? Number(maxSteps) : batches.batches;

for (let i = 0; i < Number(warmUp); i++) await step.step([batches.next()], 1e-4);
const tensors = tf.memory().numTensors;
const other = new OtherLoad();
const cpu = process.cpuUsage();
const began = performance.now();
const losses: number[] = [];
let supervised = 0;
let tokens = 0;
for (let i = Number(warmUp); i < steps; i++) {
  const batch = batches.next();
  const { loss } = await step.step([batch], 1e-4);
  losses.push(loss);
  supervised += batch.supervised;
  tokens += batch.segments.reduce((sum, segment) => sum + Number(segment >= 0), 0);
}
const seconds = (performance.now() - began) / 1000;
const { user, system } = process.cpuUsage(cpu);
console.log(
  JSON.stringify({
    engine: `fourfold ${device.isa}`,
    threads: device.threads,
    rows: batches.rows,
    steps: losses.length,
    msPerStep: (seconds * 1000) / losses.length,
    cpuMsPerStep: (user + system) / 1000 / losses.length,
    supervisedPerSecond: supervised / seconds,
    tokensPerSecond: tokens / seconds,
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
    otherLoad: other.cores(),
    notReplayed: step.notReplayed,
    tensorGrowth: tf.memory().numTensors - tensors,
    first: { loss: first.loss, gradNorm: first.gradNorm, supervised: first.tokens },
    loss: losses.at(-1),
  }),
);
