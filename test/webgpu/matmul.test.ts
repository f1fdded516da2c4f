import assert from 'node:assert/strict';
import type * as tf from '@tensorflow/tfjs';
import { webgpuEngine } from '../../backends/webgpu.js';
import { linear } from '../../ops/linear.js';
import { assertClose, gradientsOf, onWebgpu, randomTensor } from '../ops/conformance.js';

/** What ran while `body` did. */
async function shadersOf(body: () => Promise<void>): Promise<string[]> {
  const engine = webgpuEngine();
  const { run } = engine;
  const names: string[] = [];
  engine.run = (shader, ...rest) => {
    names.push(shader.name);
    run.call(engine, shader, ...rest);
  };
  try {
    await body();
  } finally {
    engine.run = run;
  }
  return names;
}

/** Every 97th element, and the last: Σ_k a(m, k) · b(k, n) in double precision. */
function some(M: number, N: number, K: number, a: (m: number, k: number) => number, b: (k: number, n: number) => number) {
  const places = [...Array.from({ length: Math.ceil((M * N) / 97) }, (_, i) => 97 * i), M * N - 1];
  const values = places.map((place) => {
    const [m, n] = [Math.floor(place / N), place % N];
    let sum = 0;
    for (let k = 0; k < K; k++) sum += a(m, k) * b(k, n);
    return sum;
  });
  return { places, values };
}

describe('products on webgpu', () => {
  for (const { M, N, K, expected } of [
    { M: 1100, N: 1100, K: 20, expected: ['matmul-8-4-B-wideA-wideB', 'matmul-2-2-split', 'matmul-2-2-A-split'] },
    { M: 1101, N: 1099, K: 19, expected: ['matmul-8-4-B', 'matmul-2-2-split', 'matmul-2-2-A-split'] },
    { M: 2060, N: 20, K: 520, expected: ['matmul-2-2-B', 'matmul-8-4-wideA-wideB', 'matmul-2-2-A-split'] },
    { M: 20, N: 2060, K: 520, expected: ['matmul-2-2-B', 'matmul-2-2-split', 'matmul-8-4-A-wideA-wideB-add'] },
  ]) {
    onWebgpu(`of [${M}, ${K}] and [${N}, ${K}], with gradients: ${expected.join(', ')}`, async () => {
      const [x, weight, dy] = [randomTensor([M, K], 1), randomTensor([N, K], 2), randomTensor([M, N], 3)];
      const [x64, w64, dy64] = await Promise.all([x, weight, dy].map((tensor) => tensor.data()));
      const names = await shadersOf(async () => {
        const { value, gradients } = gradientsOf((x, weight) => linear(x as tf.Tensor2D, weight as tf.Tensor2D), [x, weight], dy);
        const at = async (tensor: tf.Tensor, places: number[]) => {
          const data = await tensor.data();
          return places.map((place) => data[place]);
        };
        const y = some(
          M,
          N,
          K,
          (m, k) => x64[m * K + k],
          (k, n) => w64[n * K + k],
        );
        await assertClose(await at(value, y.places), y.values, { K });
        const dx = some(
          M,
          K,
          N,
          (m, n) => dy64[m * N + n],
          (n, k) => w64[n * K + k],
        );
        await assertClose(await at(gradients[0], dx.places), dx.values, { K: N, name: 'dx' });
        const dw = some(
          N,
          K,
          M,
          (n, m) => dy64[m * N + n],
          (m, k) => x64[m * K + k],
        );
        await assertClose(await at(gradients[1], dw.places), dw.values, { K: M, name: 'dweight' });
      });
      assert.deepEqual(
        names.filter((name) => name.startsWith('matmul')),
        expected,
      );
    });
  }
});
