/**
 * The memory of training steps on a device: Llama, 6 layers of 384, 8,192 tokens tied, 8 rows of 256 tokens; prints one line of JSON.
 *
 *     node --import tsx bench/step-memory.ts tensorflow 3
 */
import * as tf from '@tensorflow/tfjs';
import { type Device, useDevice } from '../backends/device.js';
import { initialParameters } from '../model/parameters.js';
import { trainState } from '../training/state.js';
import { stepper } from '../training/step.js';
import { median } from './figures.js';
import { randomBatch } from './random-batch.js';
import { SFT_SHAPE } from './shapes.js';

const [device, steps] = process.argv.slice(2);
const { config, B } = SFT_SHAPE;
const T = 256;
const peakBytes = () => process.resourceUsage().maxRSS * 1024;

await useDevice(device as Device);
await tf.zeros([1]).data();
const atStart = peakBytes();
const state = trainState(config, initialParameters(config, 1337));
const step = stepper(state, B, T, { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, maxGradNorm: 1, seed: 1337 });
const beforeSteps = { peak: peakBytes(), tensors: tf.memory().numBytes };
const times: number[] = [];
let loss = Number.NaN;
for (let i = 0; i < Number(steps); i++) {
  const began = performance.now();
  ({ loss } = await step.step([randomBatch(config.vocab_size, B, T, i)], 1e-3));
  times.push(performance.now() - began);
}
const megabytes = (bytes: number) => Math.round(bytes / 1e6);
console.log(
  JSON.stringify({
    device,
    atStartMB: megabytes(atStart),
    parametersMB: megabytes(beforeSteps.tensors),
    beforeStepsMB: megabytes(beforeSteps.peak),
    peakMB: megabytes(peakBytes()),
    msPerStep: Math.round(median(times)),
    tensorGrowthMB: megabytes(tf.memory().numBytes - beforeSteps.tensors),
    loss,
  }),
);
