import type { Tokenizer } from '../tokenizer/index.js';
import { groupBy } from '../util/group-by.js';
import { emptyBatch, type HostBatch, segmentsPacking } from './packing.js';
import type { Pass } from './pass.js';
import type { TokenBatch } from './token-store.js';
import { joinTokens } from './tokens.js';

/** A text in tokens. */
export interface TokenDocument {
  source: string;
  ids: readonly number[];
  /** Of each token, 1 = it is to be predicted. */
  supervised: Uint8Array;
}

/**
 * Documents in memory as a pass: source by source, each document a segment, several in a row of `contextLength` tokens. The pass needs no closing.
 * @param documents each of two tokens or more.
 */
export function memoryPass(
  documents: readonly TokenDocument[],
  tokenizer: Tokenizer,
  { contextLength, batchSize }: { contextLength: number; batchSize: number },
): Pass {
  const bySource = groupBy(documents, ({ source }) => source);
  const byteLengths = Uint32Array.from({ length: tokenizer.vocabSize }, (_, id) => tokenizer.byteLength(id));
  return {
    tokens: documents.reduce((sum, { ids }) => sum + ids.length, 0),
    sources: [...bySource.keys()],
    async *batches() {
      for (const [source, own] of bySource) {
        const packed = segmentsPacking(
          joinTokens([tokenBatch(own)], byteLengths, (i) => i),
          contextLength,
        );
        let batch: HostBatch | undefined;
        for (let row = 0; row < packed.rows; row++) {
          batch ??= emptyBatch(batchSize, contextLength, Math.max(0, tokenizer.special.pad));
          packed.fill(batch, row % batchSize, row);
          if (row % batchSize < batchSize - 1 && row < packed.rows - 1) continue;
          yield { source, batch };
          batch = undefined;
        }
      }
    },
    async close() {},
  };
}

function tokenBatch(documents: readonly TokenDocument[]): TokenBatch {
  const offsets = new Int32Array(documents.length + 1);
  documents.forEach(({ ids }, i) => {
    offsets[i + 1] = offsets[i] + ids.length;
  });
  const batch = { ids: new Uint32Array(offsets.at(-1)!), offsets, supervised: new Uint8Array(offsets.at(-1)!) };
  documents.forEach(({ ids, supervised }, i) => {
    batch.ids.set(ids, offsets[i]);
    batch.supervised.set(supervised, offsets[i]);
  });
  return batch;
}
