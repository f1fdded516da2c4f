import type { HostBatch } from '../datasets/loader.js';
import { RandomStream } from '../util/random.js';

/** Random ids, other ones for each `index`. */
export function randomBatch(vocabSize: number, B: number, T: number, index: number): HostBatch {
  const size = B * T;
  const random = new RandomStream(1337, index);
  const ids = Int32Array.from({ length: B * (T + 1) }, () => random.below(vocabSize));
  const rows = (offset: number) => Int32Array.from({ length: size }, (_, i) => ids[Math.floor(i / T) * (T + 1) + (i % T) + offset]);
  return {
    ids: rows(0),
    targets: rows(1),
    positions: Int32Array.from({ length: size }, (_, i) => i % T),
    segments: new Int32Array(size),
    batchSize: B,
    contextLength: T,
    supervised: size,
    weight: size,
    bytes: size,
  };
}
