// Legend: M rows (all dimensions but the last), C columns.
import * as tf from '@tensorflow/tfjs';
import { philox } from '../util/random.js';

/**
 * A tensor whose elements are `of` a random 32-bit word each, which is a function of (seed, step, row, site, column); rows are counted through the
 * micro-steps of a step. For devices without a kernel of their own: the twin of `rowWords` in backends/native/cpp/kernels/dropout.h.
 * @param key what lies in the op's key: seed low, seed high, step, micro-step.
 */
export function randomTensor(shape: number[], key: ArrayLike<number>, site: number, of: (word: number) => number): tf.Tensor {
  const C = shape[shape.length - 1];
  const M = shape.slice(0, -1).reduce((a, b) => a * b, 1);
  const values = new Float32Array(M * C);
  for (let i = 0; i < M; i++) {
    // Column 64·b + 16·w + l is word w of the Philox block with counter 16·b + l.
    for (let block = 0; block < C; block += 64) {
      for (let lane = 0; lane < 16 && block + lane < C; lane++) {
        const words = philox([key[0], key[1]], [block / 4 + lane, key[3] * M + i, key[2], site]);
        for (let w = 0; w < 4; w++) {
          const column = block + 16 * w + lane;
          if (column < C) values[i * C + column] = of(words[w]);
        }
      }
    }
  }
  return tf.tensor(values, shape);
}
