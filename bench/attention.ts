/**
 * Attention by itself on the native device: GFLOP/s forward and backward for the shapes of bench:train (only what a causal mask leaves is counted),
 * and GB/s of keys and values read by a step of decoding.
 *
 *   npm run bench:attention [-- --threads 2]
 */
import { parseArgs } from 'node:util';
import * as tf from '@tensorflow/tfjs';
import { useDevice } from '../backends/device.js';
import { attention, cachedAttention } from '../ops/attention.js';
import { runKernel } from '../ops/fused.js';
import { normals } from '../util/random.js';
import { rate, table } from './figures.js';

const TRAINING = [
  { name: 'S1', B: 12, T: 64, heads: 4, kvHeads: 4, D: 32 },
  { name: 'S2', B: 8, T: 256, heads: 6, kvHeads: 6, D: 64 },
  { name: 'S3', B: 4, T: 512, heads: 8, kvHeads: 8, D: 64 },
  { name: 'grouped heads', B: 4, T: 512, heads: 8, kvHeads: 2, D: 64 },
  { name: 'long context', B: 1, T: 4096, heads: 6, kvHeads: 6, D: 64 },
];
const DECODING = [
  { name: '12 M, one row', B: 1, context: 2048, heads: 6, kvHeads: 6, D: 64 },
  { name: '97 M, one row', B: 1, context: 4096, heads: 12, kvHeads: 12, D: 64 },
  { name: '97 M, 4 query heads a key head', B: 1, context: 4096, heads: 12, kvHeads: 3, D: 64 },
  { name: '12 M, 32 rows', B: 32, context: 512, heads: 6, kvHeads: 6, D: 64 },
];

const { values } = parseArgs({ options: { threads: { type: 'string' } } });
const device = await useDevice('native', { threads: values.threads ? Number(values.threads) : undefined });
console.log(`${device.cpu}, ${device.isa}, ${device.threads} threads\n`);

const random = (shape: number[], stream: number): tf.Tensor => {
  const size = shape.reduce((a, b) => a * b, 1);
  return tf.tensor(Float32Array.from(normals(1, stream, size)), shape);
};

/** Seconds of the fastest of many calls: what else the machine does only ever adds. */
function seconds(run: () => void): number {
  const until = performance.now() + 1500;
  let best = Number.POSITIVE_INFINITY;
  while (performance.now() < until) {
    const start = performance.now();
    tf.tidy(run);
    best = Math.min(best, (performance.now() - start) / 1000);
  }
  return best;
}

const training = TRAINING.map(({ name, B, T, heads, kvHeads, D }) =>
  tf.tidy(() => {
    const qkv = random([B, T, (heads + 2 * kvHeads) * D], 0) as tf.Tensor3D;
    const dy = random([B, T, heads * D], 1);
    const segments = tf.zeros([B, T], 'int32') as tf.Tensor2D;
    const attributes = { heads, kvHeads, causal: true };
    const [o, lse] = runKernel('FourfoldAttention', { qkv, segments }, attributes);
    const forward = seconds(() => void attention(qkv, segments, { heads, kvHeads, mask: 'causal' }));
    const backward = seconds(() => void runKernel('FourfoldAttentionGrad', { qkv, segments, o, lse, dy }, attributes));
    // Two products forward, five backward, each of T·(T + 1) / 2 scores.
    const product = B * heads * T * (T + 1) * D;
    const gflops = (products: number, time: number) => rate((products * product) / time / 1e9);
    const shape = `B ${B}, T ${T}, ${heads}/${kvHeads} heads of ${D}`;
    return [name, shape, gflops(2, forward), gflops(5, backward), gflops(7, forward + backward), `${rate(1e6 * (forward + backward))} µs`];
  }),
);
console.log(table(['training', 'shape', 'forward GFLOP/s', 'backward GFLOP/s', 'both', 'time'], training));

const decoding = DECODING.map(({ name, B, context, heads, kvHeads, D }) =>
  tf.tidy(() => {
    const keys = random([B, kvHeads, context, D], 0) as tf.Tensor4D;
    const layers = [{ keys, values: keys.clone().add(1) as tf.Tensor4D }];
    const lengths = tf.fill([B], context - 1, 'int32') as tf.Tensor1D;
    const qkv = random([B, 1, (heads + 2 * kvHeads) * D], 1) as tf.Tensor3D;
    const time = seconds(() => void cachedAttention(qkv, { layers, lengths }, 0, { heads, kvHeads }));
    const bytes = 2 * B * kvHeads * context * D * 4;
    const shape = `B ${B}, context ${context}, ${heads}/${kvHeads} heads of ${D}`;
    return [name, shape, rate(bytes / 1e6), rate(bytes / time / 1e9), `${rate(1e6 * time)} µs`];
  }),
);
console.log(`\n${table(['decoding, one layer', 'shape', 'MB', 'GB/s', 'time'], decoding)}`);
