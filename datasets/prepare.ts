import fs from 'node:fs/promises';
import path from 'node:path';
import type { Tokenizer } from '../tokenizer/index.js';
import { UserError } from '../util/errors.js';
import { atomicDirectory, exists } from '../util/files.js';
import { ArrowFile, readMetadata, tokensBatch, tokensSchema } from './arrow.js';
import { documents, type SplitOptions } from './documents.js';

export interface PrepareOptions extends SplitOptions {
  /** A corpus, as the importers write it. */
  corpus: string;
  tokenizer: Tokenizer;
  /** Directory to write; an earlier one of this kind is replaced. */
  output: string;
  /** Of the run that this is for, written down with the data. */
  seed: number;
  /** Read text that spells a special token as that token. */
  allowSpecial?: boolean;
  /** A new shard is begun after so many tokens. */
  shardTokens?: number;
}

/** One part (train or eval) of prepared data. */
export interface PartSummary {
  shards: string[];
  documents: number;
  tokens: number;
  bytes: number;
}

/** dataset.json of a directory of prepared tokens. */
export interface DatasetSummary {
  tokenizer_sha256: string;
  vocab_size: number;
  split: 'hash' | 'tail';
  eval_fraction: number;
  seed: number;
  importer: string;
  source_sha256: string;
  train: PartSummary;
  eval: PartSummary;
}

const BATCH_TOKENS = 1 << 20;
const BATCH_DOCUMENTS = 8192;

/**
 * Corpus → directory of token shards (train-00000.arrow …, eval-00000.arrow …) with tokenizer.json and dataset.json.
 * A document is bos, text, eos; where the tokenizer has no special tokens, the text alone. The directory appears when it is complete.
 */
export async function prepare(options: PrepareOptions): Promise<DatasetSummary> {
  const { corpus, tokenizer, output, split, evalFraction, seed, shardTokens = 1 << 26 } = options;
  if (!(evalFraction >= 0 && evalFraction < 1)) {
    throw new UserError(`prepare data: eval_fraction must be at least 0 and below 1; received ${evalFraction}`);
  }
  await checkReplaceable(output);
  const origin = await readMetadata(corpus);
  const provenance = {
    tokenizer_sha256: tokenizer.hash(),
    seed,
    importer: origin.get('importer') ?? 'unknown',
    source_sha256: origin.get('source_sha256') ?? 'unknown',
  };
  const metadata = new Map(Object.entries(provenance).map(([key, value]) => [key, String(value)]));
  const { bos, eos } = tokenizer.special;
  let summary: DatasetSummary | undefined;
  await atomicDirectory(output, async (directory) => {
    const schema = tokensSchema(tokenizer.vocabSize, metadata);
    const parts = { train: new Part(directory, 'train', schema, shardTokens), eval: new Part(directory, 'eval', schema, shardTokens) };
    for await (const { text, source, part } of documents(corpus, options)) {
      const ids = tokenizer.encode(text, { allowSpecial: options.allowSpecial });
      if (bos >= 0) ids.unshift(bos);
      if (eos >= 0) ids.push(eos);
      await parts[part].add(ids, Buffer.byteLength(text, 'utf8'), source);
    }
    const settings = { vocab_size: tokenizer.vocabSize, split, eval_fraction: evalFraction };
    summary = { ...provenance, ...settings, train: await parts.train.close(), eval: await parts.eval.close() };
    checkParts(summary);
    await fs.writeFile(path.join(directory, 'tokenizer.json'), JSON.stringify(tokenizer));
    await fs.writeFile(path.join(directory, 'dataset.json'), `${JSON.stringify(summary, null, 2)}\n`);
  });
  return summary!;
}

/** Shards of one part, written record batch by record batch. */
class Part {
  private readonly summary: PartSummary = { shards: [], documents: 0, tokens: 0, bytes: 0 };
  private shard: ArrowFile | undefined;
  private ids: number[][] = [];
  private bytes: number[] = [];
  private sources: string[] = [];
  private pending = 0;
  private inShard = 0;

  constructor(
    private readonly directory: string,
    private readonly name: string,
    private readonly schema: ReturnType<typeof tokensSchema>,
    private readonly shardTokens: number,
  ) {}

  async add(ids: number[], bytes: number, source: string): Promise<void> {
    this.ids.push(ids);
    this.bytes.push(bytes);
    this.sources.push(source);
    this.pending += ids.length;
    this.summary.documents++;
    this.summary.tokens += ids.length;
    this.summary.bytes += bytes;
    if (this.pending >= Math.min(BATCH_TOKENS, this.shardTokens) || this.ids.length >= BATCH_DOCUMENTS) await this.flush();
  }

  async close(): Promise<PartSummary> {
    await this.flush();
    await this.shard?.close();
    return this.summary;
  }

  private async flush(): Promise<void> {
    if (this.ids.length === 0) return;
    if (this.inShard >= this.shardTokens) {
      await this.shard?.close();
      this.shard = undefined;
      this.inShard = 0;
    }
    if (this.shard === undefined) {
      const file = `${this.name}-${String(this.summary.shards.length).padStart(5, '0')}.arrow`;
      this.summary.shards.push(file);
      this.shard = new ArrowFile(path.join(this.directory, file), this.schema);
    }
    await this.shard.write(tokensBatch(this.schema, this.ids, this.bytes, this.sources));
    this.inShard += this.pending;
    [this.ids, this.bytes, this.sources, this.pending] = [[], [], [], 0];
  }
}

/** A directory is replaced only if it is prepared data, or empty. */
async function checkReplaceable(output: string): Promise<void> {
  if (!(await exists(output)) || (await exists(path.join(output, 'dataset.json')))) return;
  const held = await fs.readdir(output).catch(() => ['a file']);
  if (held.length > 0) {
    throw new UserError(
      `prepare data: the output ${output} must be a new directory or earlier prepared data; it holds ${held.slice(0, 3).join(', ')}. Choose another directory`,
    );
  }
}

function checkParts({ split, eval_fraction, train, eval: heldOut }: DatasetSummary): void {
  const empty = train.tokens === 0 ? 'training' : heldOut.tokens === 0 && eval_fraction > 0 ? 'held-out' : undefined;
  if (empty === undefined) return;
  throw new UserError(
    `prepare data: both parts must have documents; with split: ${split} and eval_fraction: ${eval_fraction} the ${empty} part of ${train.documents + heldOut.documents} documents is empty. ` +
      'Use split: tail, or make more documents of the text (document: line or blank_line)',
  );
}
