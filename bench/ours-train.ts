/**
 * One training benchmark of fourfold: whole steps (forward, backward, clip, AdamW) of a shape; prints one line of JSON as peers/train.py does.
 *
 *     node --import tsx bench/ours-train.ts S2 bf16 2 20 [DEVICE [WARM_UP]]
 */
import * as tf from '@tensorflow/tfjs';
import { type Device, peakFlops, useDevice } from '../backends/device.js';
import { flopsPerToken, parameterCount } from '../model/config.js';
import { initialParameters } from '../model/parameters.js';
import { setPrecision } from '../ops/precision.js';
import { trainState } from '../training/state.js';
import { stepper } from '../training/step.js';
import { median } from './figures.js';
import { OtherLoad } from './load.js';
import { randomBatch } from './random-batch.js';
import { type Precision, TRAIN_SHAPES } from './shapes.js';

const [name, precision, threads, steps, on = 'native', warmUp = '4'] = process.argv.slice(2);
const { config, B, T } = TRAIN_SHAPES[name];
const SECONDS = 3;

const device = await useDevice(on as Device, { threads: Number(threads) });
setPrecision(precision as Precision);
const state = trainState(config, initialParameters(config, 1337));
const step = stepper(state, B, T, { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, maxGradNorm: 1, seed: 1337 });
const batches = Array.from({ length: 8 }, (_, i) => [randomBatch(config.vocab_size, B, T, i)]);

let last = { loss: Number.NaN };
for (let i = 0; i < Number(warmUp); i++) last = await step.step(batches[i], 1e-3);
const tensors = tf.memory().numTensors;
const other = new OtherLoad();
const began = performance.now();
const times: number[] = [];
while (times.length < Number(steps) || performance.now() - began < SECONDS * 1000) {
  const at = performance.now();
  last = await step.step(batches[times.length % batches.length], 1e-3);
  times.push(performance.now() - at);
}
const otherLoad = other.cores();
const peakRssBytes = process.resourceUsage().maxRSS * 1024;
const msPerStep = median(times);
const tokensPerSecond = (B * T * 1000) / msPerStep;
const peak = peakFlops(precision as Precision);
console.log(
  JSON.stringify({
    engine: `fourfold ${device.isa ?? device.device}`,
    shape: name,
    precision,
    threads: device.threads,
    steps: times.length,
    parameters: parameterCount(config),
    msPerStep,
    tokensPerSecond,
    peakRssBytes,
    otherLoad,
    peakFraction: peak ? (tokensPerSecond * flopsPerToken(config, T)) / peak : undefined,
    peakGflops: peak ? peak / 1e9 : undefined,
    notReplayed: step.notReplayed,
    tensorGrowth: tf.memory().numTensors - tensors,
    loss: last.loss,
  }),
);
