import fs from 'node:fs/promises';
import path from 'node:path';
import { syncFile } from '../util/files.js';
import { ArrowFile, tokensBatch, type tokensSchema } from './arrow.js';
import type { Counts, Dataset } from './dataset.js';
import type { PartName } from './documents.js';
import type { EncodedChunk } from './encode-worker.js';

export type PartSummary = Dataset['train'];
export type ShardSummary = PartSummary['shards'][number];
type BatchSummary = ShardSummary['batches'][number];

/** What a unit of work adds to each part: a shard, where it has documents of the part. */
export type UnitShards = Partial<Record<PartName, ShardSummary>>;

export interface UnitOptions {
  /** Where the shards go. */
  directory: string;
  schema: ReturnType<typeof tokensSchema>;
  /** Names of the sources, in the order that dataset.json gives them. */
  sources: readonly string[];
  /** Number of the shard that each part gets. */
  numbers: Record<PartName, number>;
  /** A record batch is written when it has so many tokens. */
  batchTokens: number;
}

const BATCH_DOCUMENTS = 1 << 16;

/** Documents of one source and part that are not in a record batch yet. */
interface Pending {
  ids: EncodedChunk['ids'][];
  lengths: Uint32Array[];
  bytes: Uint32Array[];
  supervised: Uint8Array[];
  weights: Float32Array[];
  documents: number;
  tokens: number;
}

const nothing = (): Pending => ({ ids: [], lengths: [], bytes: [], supervised: [], weights: [], documents: 0, tokens: 0 });

/** Writes the shards of one unit of work: of each part one, whose record batches have documents of one source each. */
export class UnitWriter {
  /** Tokens added. */
  tokens = 0;
  private readonly pending = new Map<string, Pending>();
  private readonly shards = new Map<PartName, { arrow: ArrowFile; file: string; batches: BatchSummary[] }>();

  constructor(private readonly options: UnitOptions) {}

  async add({ groups, ids, lengths, bytes, supervised, weights }: EncodedChunk): Promise<void> {
    const { sources, batchTokens } = this.options;
    this.tokens += ids.length;
    let [token, document] = [0, 0];
    for (const { source, part, documents } of groups) {
      const index = sources.indexOf(source);
      const key = `${part} ${index}`;
      for (let end = document + documents; document < end; ) {
        const pending = this.pending.get(key) ?? nothing();
        this.pending.set(key, pending);
        const [firstToken, firstDocument] = [token, document];
        let [room, rows] = [batchTokens - pending.tokens, BATCH_DOCUMENTS - pending.documents];
        for (; document < end && room > 0 && rows > 0; rows--) {
          room -= lengths[document];
          token += lengths[document++];
        }
        pending.ids.push(ids.subarray(firstToken, token) as EncodedChunk['ids']);
        pending.lengths.push(lengths.subarray(firstDocument, document));
        pending.bytes.push(bytes.subarray(firstDocument, document));
        if (supervised) pending.supervised.push(supervised.subarray(firstToken, token));
        if (weights) pending.weights.push(weights.subarray(firstDocument, document));
        pending.documents += document - firstDocument;
        pending.tokens += token - firstToken;
        if (room <= 0 || rows <= 0) await this.flush(part, index, key);
      }
    }
  }

  /** Writes the rest. When this returns, the shards are on the disk under their names. */
  async finish(): Promise<UnitShards> {
    for (const part of ['train', 'eval'] as const) {
      for (let index = 0; index < this.options.sources.length; index++) await this.flush(part, index, `${part} ${index}`);
    }
    const written: UnitShards = {};
    for (const [part, { arrow, file, batches }] of this.shards) {
      const target = path.join(this.options.directory, file);
      await arrow.close();
      this.shards.delete(part);
      await syncFile(`${target}.part`);
      await fs.rename(`${target}.part`, target);
      written[part] = { file, batches };
    }
    return written;
  }

  /** Closes what is open after an error; the files that are not finished stay under other names. */
  async abandon(): Promise<void> {
    for (const { arrow } of this.shards.values()) await arrow.abandon();
  }

  private async flush(part: PartName, source: number, key: string): Promise<void> {
    const pending = this.pending.get(key);
    if (pending === undefined || pending.documents === 0) return;
    this.pending.delete(key);
    const { directory, schema, sources, numbers } = this.options;
    let shard = this.shards.get(part);
    if (shard === undefined) {
      const file = `${part}-${String(numbers[part]).padStart(5, '0')}.arrow`;
      shard = { file, arrow: new ArrowFile(path.join(directory, `${file}.part`), schema), batches: [] };
      this.shards.set(part, shard);
    }
    const { documents, tokens } = pending;
    const bytes = joined(Uint32Array, pending.bytes, documents);
    const offsets = new Int32Array(documents + 1);
    joined(Uint32Array, pending.lengths, documents).forEach((length, i) => {
      offsets[i + 1] = offsets[i] + length;
    });
    const marks = {
      ...(pending.supervised.length > 0 && { supervised: joined(Uint8Array, pending.supervised, tokens) }),
      ...(pending.weights.length > 0 && { weights: joined(Float32Array, pending.weights, documents) }),
    };
    await shard.arrow.write(tokensBatch(schema, { ids: pending.ids, offsets, bytes, source: sources[source], ...marks }));
    shard.batches.push({ source, documents, tokens, bytes: bytes.reduce((sum, n) => sum + n, 0) });
  }
}

export function emptyPart(sources: readonly string[]): PartSummary {
  return { documents: 0, tokens: 0, bytes: 0, sources: sources.map(() => ({ documents: 0, tokens: 0, bytes: 0 })), shards: [] };
}

/** Counts a shard into its part. */
export function addShard(part: PartSummary, shard: ShardSummary): void {
  part.shards.push(shard);
  for (const { source, ...counts } of shard.batches) {
    for (const sum of [part as Counts, part.sources[source]]) {
      sum.documents += counts.documents;
      sum.tokens += counts.tokens;
      sum.bytes += counts.bytes;
    }
  }
}

function joined<T extends Uint32Array | Uint8Array | Float32Array>(
  type: new (length: number) => T,
  arrays: readonly T[],
  length: number,
): T {
  const all = new type(length);
  let at = 0;
  for (const array of arrays) {
    all.set(array, at);
    at += array.length;
  }
  return all;
}
