import { emptyBatch, type HostBatch, segmentsPacking } from '../datasets/packing.js';
import type { Tokens } from '../datasets/tokens.js';
import { RandomStream } from '../util/random.js';
import type { EncodedConversation } from './sft-data.js';

export interface PackedBatches {
  rows: number;
  batches: number;
  /** Batch after batch, pass after pass over rows in random order; the last of a pass is filled up with padding. */
  next(): HostBatch;
}

/** Conversations packed into rows as segments, with the targets that are not supervised ignored. */
export function packedBatches(conversations: readonly EncodedConversation[], B: number, T: number): PackedBatches {
  const longestFirst = [...conversations].sort((a, b) => b.input_ids.length - a.input_ids.length);
  const packing = segmentsPacking(tokensOf(longestFirst), T);
  const order = Array.from({ length: packing.rows }, (_, row) => row);
  const random = new RandomStream(1337, 0);
  for (let i = order.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  const batches = Math.ceil(packing.rows / B);
  let index = 0;
  return {
    rows: packing.rows,
    batches,
    next() {
      const from = (index++ % batches) * B;
      const batch = emptyBatch(B, T, 0);
      order.slice(from, from + B).forEach((row, place) => {
        packing.fill(batch, place, row);
      });
      return batch;
    },
  };
}

function tokensOf(conversations: readonly EncodedConversation[]): Tokens {
  const offsets = new Int32Array(conversations.length + 1);
  conversations.forEach(({ input_ids }, i) => {
    offsets[i + 1] = offsets[i] + input_ids.length;
  });
  const ids = Uint32Array.from(conversations.flatMap(({ input_ids }) => input_ids));
  const supervised = Uint8Array.from(conversations.flatMap(({ assistant_masks }) => assistant_masks));
  return { ids, supervised, offsets, bytes: () => 0, untold: [] };
}
