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
  const ids = segmentsPacking(tokensOf(longestFirst, 'input_ids'), T);
  const masks = segmentsPacking(tokensOf(longestFirst, 'assistant_masks'), T);
  const order = Array.from({ length: ids.rows }, (_, row) => row);
  const random = new RandomStream(1337, 0);
  for (let i = order.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  const batches = Math.ceil(ids.rows / B);
  let index = 0;
  return {
    rows: ids.rows,
    batches,
    next() {
      const from = (index++ % batches) * B;
      const batch = emptyBatch(B, T, 0);
      const mask = emptyBatch(B, T, 0);
      order.slice(from, from + B).forEach((row, place) => {
        ids.fill(batch, place, row);
        masks.fill(mask, place, row); // its ids are 0 and 1, so its targets say whether the next token is supervised
      });
      batch.targets.forEach((_, i) => {
        if (mask.targets[i] !== 1) batch.targets[i] = -1;
      });
      batch.supervised = mask.targets.reduce((sum, target) => sum + Number(target === 1), 0);
      return batch;
    },
  };
}

function tokensOf(conversations: readonly EncodedConversation[], field: keyof EncodedConversation): Tokens {
  const offsets = new Int32Array(conversations.length + 1);
  conversations.forEach((conversation, i) => {
    offsets[i + 1] = offsets[i] + conversation[field].length;
  });
  return { ids: Uint32Array.from(conversations.flatMap((conversation) => conversation[field])), offsets, bytes: () => 0, untold: [] };
}
