/**
 * GFLOP/s of the three products of a linear layer, and the bandwidth of decoding, against what the processor can do at most.
 *
 *   npm run bench:gemm -- [name]        name: only rows that contain it
 *
 * Each figure is the best of several short runs, so that other work on the machine matters little.
 */
import { loadAddon, multipliesBf16 } from '../backends/native/addon.js';

const { addon, reason } = loadAddon();
if (!addon) throw new Error(`bench:gemm: the native engine is not there: ${reason}`);
const native = addon;

interface Layer {
  name: string;
  M: number;
  N: number;
  K: number;
}

const TRAINING: Layer[] = [
  { name: 'S1 up', M: 768, N: 512, K: 128 },
  { name: 'S1 down', M: 768, N: 128, K: 512 },
  { name: 'S1 logits', M: 768, N: 65, K: 128 },
  { name: 'S2 qkv', M: 2048, N: 1152, K: 384 },
  { name: 'S2 up', M: 2048, N: 1536, K: 384 },
  { name: 'S2 down', M: 2048, N: 384, K: 1536 },
  { name: 'S3 gate+up', M: 2048, N: 2752, K: 512 },
  { name: 'S3 down', M: 2048, N: 512, K: 1376 },
  { name: 'S3 logits', M: 2048, N: 8192, K: 512 },
];
const DECODING: Layer[] = [1, 32].flatMap((M) => [
  { name: `384 → 2752, ${M} rows`, M, N: 2752, K: 384 },
  { name: `768 → 4096, ${M} rows`, M, N: 4096, K: 768 },
  { name: `768 → 8192, ${M} rows`, M, N: 8192, K: 768 },
]);

function buffer(floats: number): number {
  const handle = native.allocate(floats * 4);
  native.write(
    handle,
    Float32Array.from({ length: floats }, (_, i) => ((i * 7) % 13) / 13 - 0.5),
  );
  return handle;
}

function read(handle: number): number {
  const value = new Float32Array(1);
  native.read(handle, value);
  return value[0];
}

/** Least seconds of one call, over about 0.4 s of calls. */
function best(run: () => void): number {
  let least = Number.POSITIVE_INFINITY;
  for (const end = performance.now() + 400; performance.now() < end; ) {
    const start = performance.now();
    run();
    least = Math.min(least, (performance.now() - start) / 1000);
  }
  return least;
}

const only = process.argv[2] ?? '';
const precisions = multipliesBf16(native) ? [0, 1] : [0];
const { kernels } = native;
const result = native.allocate(4);
const cell = (text: string) => text.padStart(16);

for (const threads of [1, 2]) {
  native.threads(threads);
  for (const bf16 of precisions) {
    kernels.probeMultiply(result, bf16);
    const peak = read(result);
    console.log(`\n${native.isa}, ${bf16 ? 'bf16' : 'fp32'}, ${threads} threads; peak ${peak.toFixed(0)} GFLOP/s`);
    console.log('layer'.padEnd(24) + ['y = x·Wᵀ', 'dx = dy·W', 'dW += dyᵀ·x'].map(cell).join(''));
    for (const { name, M, N, K } of TRAINING.filter((layer) => layer.name.includes(only))) {
      const [x, w, y, dx, dw] = [M * K, N * K, M * N, M * K, N * K].map(buffer);
      const runs = [
        () => kernels.linear(x, w, 0, y, 0, M, N, K, 0, bf16),
        () => kernels.linearGrad(y, x, w, 0, 0, dx, 0, 0, M, N, K, 0, bf16),
        () => kernels.linearGrad(y, x, w, 0, 0, 0, dw, 0, M, N, K, 0, bf16),
      ];
      const rates = runs.map((run) => (2e-9 * M * N * K) / best(run));
      const cells = rates.map((rate) => cell(`${rate.toFixed(0)} (${((100 * rate) / peak).toFixed(0)} %)`));
      console.log(`${name} ${M}×${N}×${K}`.padEnd(24) + cells.join(''));
      for (const handle of [x, w, y, dx, dw]) native.release(handle);
    }
  }
}

for (const threads of [1, 2]) {
  native.threads(threads);
  const floats = 1 << 26;
  const stream = buffer(floats);
  kernels.probeRead(stream, result, floats);
  console.log(`\npacked weights, ${threads} threads; reading 256 MiB: ${read(result).toFixed(1)} GB/s`);
  native.release(stream);
  for (const { name, M, N, K } of DECODING.filter((layer) => layer.name.includes(only))) {
    // As many layers as make 256 MiB, so that none is left in a cache when its turn comes again.
    const cells = precisions.map((bf16) => {
      const size = bf16 ? Math.ceil(((N + 32) * (K + 32)) / 2) : (N + 32) * (K + 32);
      const bytes = N * K * (bf16 ? 2 : 4);
      const layers = Math.ceil(2 ** 28 / bytes);
      const [x, w, y] = [M * K, N * K, M * N].map(buffer);
      const packed = Array.from({ length: layers }, () => native.allocate(size * 4));
      for (const handle of packed) kernels.packWeights(w, handle, N, K, size, bf16);
      const seconds = best(() => {
        for (const handle of packed) kernels.linearPacked(x, handle, 0, y, M, N, K, size, 0, bf16);
      });
      for (const handle of [x, w, y, ...packed]) native.release(handle);
      const gigabytes = (1e-9 * bytes * layers) / seconds;
      const gigaflops = (2e-9 * M * N * K * layers) / seconds;
      return cell(`${bf16 ? 'bf16' : 'fp32'} ${gigabytes.toFixed(1)} GB/s`) + cell(`${gigaflops.toFixed(0)} GFLOP/s`);
    });
    console.log(name.padEnd(24) + cells.join(''));
  }
}
