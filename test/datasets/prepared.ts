import fs from 'node:fs/promises';
import path from 'node:path';
import { ArrowFile, tokensBatch, tokensSchema } from '../../datasets/arrow.js';
import type { Dataset } from '../../datasets/dataset.js';
import type { Tokenizer } from '../../tokenizer/index.js';

export interface PreparedDocument {
  source: string;
  ids: number[];
  bytes: number;
  /** Of each id, 1 = it is to be predicted; of every document of the part, or of none. */
  supervised?: number[];
  /** Of every document of the part, or of none. */
  weight?: number;
}

export interface Prepared {
  tokenizer: Tokenizer;
  train: readonly PreparedDocument[];
  eval?: readonly PreparedDocument[];
  mixture?: Record<string, number>;
  /** Documents in a record batch, and record batches in a shard. */
  batchDocuments?: number;
  shardBatches?: number;
}

/** The document that `text` becomes. */
export function preparedDocument(tokenizer: Tokenizer, source: string, text: string): PreparedDocument {
  const marked = [[tokenizer.special.bos], tokenizer.encode(text), [tokenizer.special.eos]].flat();
  return { source, ids: marked.filter((id) => id >= 0), bytes: Buffer.byteLength(text) };
}

/** Writes a directory of prepared tokens: documents in the order given, a new record batch wherever the source changes. */
export async function writePrepared(directory: string, prepared: Prepared): Promise<void> {
  const { tokenizer, batchDocuments = 10, shardBatches = 3 } = prepared;
  await fs.rm(directory, { recursive: true, force: true });
  await fs.mkdir(directory, { recursive: true });
  const sources = [...new Set([...prepared.train, ...(prepared.eval ?? [])].map(({ source }) => source))];
  const sums = (documents: readonly PreparedDocument[]) => ({
    documents: documents.length,
    tokens: documents.reduce((sum, { ids }) => sum + ids.length, 0),
    bytes: documents.reduce((sum, { bytes }) => sum + bytes, 0),
  });
  const part = async (name: string, documents: readonly PreparedDocument[]): Promise<Dataset['train']> => {
    const columns = { supervised: documents[0]?.supervised !== undefined, weight: documents[0]?.weight !== undefined };
    const schema = tokensSchema(tokenizer.vocabSize, new Map([['tokenizer_sha256', tokenizer.hash()]]), columns);
    const batches: PreparedDocument[][] = [];
    for (const document of documents) {
      const last = batches.at(-1);
      if (!last || last.length === batchDocuments || last[0].source !== document.source) batches.push([document]);
      else last.push(document);
    }
    const shards: Dataset['train']['shards'] = [];
    for (let from = 0; from < batches.length; from += shardBatches) {
      const inShard = batches.slice(from, from + shardBatches);
      const file = `${name}-${String(shards.length).padStart(5, '0')}.arrow`;
      const arrow = new ArrowFile(path.join(directory, file), schema);
      for (const batch of inShard) {
        const offsets = new Int32Array(batch.length + 1);
        for (const [i, document] of batch.entries()) offsets[i + 1] = offsets[i] + document.ids.length;
        const ids = batch.map((document) => Uint32Array.from(document.ids));
        const bytes = Uint32Array.from(batch, (document) => document.bytes);
        const supervised = columns.supervised ? Uint8Array.from(batch.flatMap((document) => document.supervised!)) : undefined;
        const weights = columns.weight ? Float32Array.from(batch, (document) => document.weight!) : undefined;
        await arrow.write(tokensBatch(schema, { ids, offsets, bytes, source: batch[0].source, supervised, weights }));
      }
      await arrow.close();
      shards.push({ file, batches: inShard.map((batch) => ({ source: sources.indexOf(batch[0].source), ...sums(batch) })) });
    }
    return { ...sums(documents), sources: sources.map((name) => sums(documents.filter(({ source }) => source === name))), shards };
  };
  const dataset: Dataset = {
    tokenizer_sha256: tokenizer.hash(),
    vocab_size: tokenizer.vocabSize,
    split: 'hash',
    eval_fraction: 0.1,
    seed: 1,
    importer: 'test',
    source_sha256: 'none',
    mixture: prepared.mixture,
    sources,
    train: await part('train', prepared.train),
    eval: await part('eval', prepared.eval ?? []),
  };
  await fs.writeFile(path.join(directory, 'tokenizer.json'), JSON.stringify(tokenizer));
  await fs.writeFile(path.join(directory, 'dataset.json'), JSON.stringify(dataset));
}
