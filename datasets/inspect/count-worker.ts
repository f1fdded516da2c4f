import { IdList } from '../../tokenizer/id-list.js';
import { loadTokenizer } from '../../tokenizer/index.js';
import type { WorkerTask } from '../../util/workers.js';
import { chunkLength, type TextChunk } from '../chunks.js';

/** Tokens of a chunk's documents, by source. */
export interface TokenCounts {
  sources: string[];
  tokens: number[];
  /** Of all texts of the chunk. */
  bytes: number;
}

/** Counts tokens in a thread of its own. @param setup contents of tokenizer.json. */
export function start(setup: object): WorkerTask<TextChunk, TokenCounts> {
  const tokenizer = loadTokenizer(setup);
  const ids = new IdList();
  return {
    run(chunk) {
      const tokens = chunk.sources.map(() => 0);
      for (let i = 0; i < chunkLength(chunk); i++) {
        ids.length = 0;
        tokenizer.encodeUtf8(chunk.text.subarray(chunk.offsets[i], chunk.offsets[i + 1]), ids);
        tokens[chunk.sourceOf[i]] += ids.length;
      }
      return { sources: chunk.sources, tokens, bytes: chunk.text.length };
    },
  };
}
