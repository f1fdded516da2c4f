/**
 * Where a training step's time goes: milliseconds a step of each kernel, and what lies between kernels.
 *
 *     node --import tsx bench/profile.ts S2 bf16 2 20
 *     node --import tsx bench/profile.ts SFT fp32 2 20 FOLDER    on packed conversations of a folder that sft-data.ts wrote
 */
import { useDevice } from '../backends/device.js';
import { loadAddon } from '../backends/native/addon.js';
import { initialParameters } from '../model/parameters.js';
import { setPrecision } from '../ops/precision.js';
import { trainState } from '../training/state.js';
import { stepper } from '../training/step.js';
import { packedBatches } from './packed-batches.js';
import { randomBatch } from './random-batch.js';
import { readSftData } from './sft-data.js';
import { type Precision, SFT_SHAPE, TRAIN_SHAPES } from './shapes.js';

const [name, precision, threads, steps, folder] = process.argv.slice(2);
const { config, B, T } = name === 'SFT' ? SFT_SHAPE : TRAIN_SHAPES[name];
await useDevice('native', { threads: Number(threads) });
setPrecision(precision as Precision);
const state = trainState(config, initialParameters(config, 1337));
const step = stepper(state, B, T, { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, maxGradNorm: 1, seed: 1337 });
const packed = folder ? packedBatches(readSftData(folder), B, T) : undefined;
const batches = Array.from({ length: 4 }, (_, i) => [packed?.next() ?? randomBatch(config.vocab_size, B, T, i)]);
for (let i = 0; i < 4; i++) await step.step(batches[i], 1e-3);
const { addon } = loadAddon();
addon!.profile();
const began = performance.now();
for (let i = 0; i < Number(steps); i++) await step.step(batches[i % 4], 1e-3);
const total = (performance.now() - began) / Number(steps);
const rows = Object.entries(addon!.profile()).map(([kernel, { calls, seconds }]) => ({
  kernel,
  'calls a step': calls / Number(steps),
  'ms a step': Number(((seconds * 1000) / Number(steps)).toFixed(3)),
}));
rows.sort((a, b) => b['ms a step'] - a['ms a step']);
console.table(rows);
const inside = rows.reduce((sum, row) => sum + row['ms a step'], 0);
console.log(`${total.toFixed(2)} ms a step, ${(total - inside).toFixed(2)} outside the kernels above (AdamW, JavaScript)`);
