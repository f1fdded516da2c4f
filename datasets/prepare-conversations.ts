import { createHash } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import type { SftConfig } from '../configs/sft-schema.js';
import type { ChatTemplate, EncodedChat, Message, Tokenizer } from '../tokenizer/index.js';
import { UserError } from '../util/errors.js';
import { atomicDirectory } from '../util/files.js';
import { readMetadata, tokensSchema } from './arrow.js';
import { type Conversation, readConversations, splitKey } from './conversations.js';
import { type Dataset, datasetJson, readDataset } from './dataset.js';
import { isHeldOut } from './documents.js';
import type { EncodedChunk } from './encode-worker.js';
import { originOf } from './origin.js';
import { permutation } from './permutation.js';
import { addShard, emptyPart, UnitWriter } from './shards.js';
import { openTokens } from './token-store.js';

export interface PrepareConversationsOptions extends Pick<SftConfig['data'], 'train_on' | 'overlong' | 'allow_special' | 'eval_fraction'> {
  /** Tables of conversations. */
  paths: readonly string[];
  tokenizer: Tokenizer;
  template: ChatTemplate;
  /** Directory to write; what is there is replaced. */
  output: string;
  /** Tokens that a conversation may have. */
  contextLength: number;
  seed: number;
  /** Prepared pretraining text of the same tokenizer, and how many tokens of it are wanted beside so many of conversations. */
  replay?: { directory: string; tokens: (trainTokens: number) => number };
}

/** What became of the conversations; dataset.json has it, too. */
export type ConversationCounts = NonNullable<Dataset['conversations']>;

/** Sources of replayed text are named so. */
export const REPLAY = 'replay/';

const BATCH_TOKENS = 1 << 18;
const SHARD_TOKENS = 1 << 24;
const MOST_NAMED = 5;

/**
 * Conversations → directory of prepared tokens, as `prepare` makes them of text: a document is a conversation, `supervised` says which of its tokens
 * are to be predicted. A conversation is held out by the hash of its first question. Replayed text is training data only, each document under the
 * source `replay/SOURCE`, all but its first token supervised.
 * @throws UserError that names the rows with nothing to learn, that the template refuses, or (`overlong: error`) that are too long.
 */
export async function prepareConversations(options: PrepareConversationsOptions): Promise<Dataset> {
  const { paths, tokenizer, output } = options;
  const metadata = await Promise.all(paths.map(readMetadata));
  const { importer, sourceSha256 } = originOf(metadata);
  const provenance = { tokenizer_sha256: tokenizer.hash(), seed: options.seed, importer, source_sha256: sourceSha256 };
  const { sources, weighted } = await survey(options);
  const encoder = new Encoder(options, weighted);
  const schema = tokensSchema(tokenizer.vocabSize, new Map(Object.entries(provenance).map(([key, value]) => [key, String(value)])), {
    supervised: true,
    weight: weighted,
  });
  const dataset: Dataset = {
    ...provenance,
    vocab_size: tokenizer.vocabSize,
    split: 'hash',
    eval_fraction: options.eval_fraction,
    sources,
    conversations: encoder.counts,
    train: emptyPart(sources),
    eval: emptyPart(sources),
  };
  await atomicDirectory(output, async (temporary) => {
    const unit = () => {
      const numbers = { train: dataset.train.shards.length, eval: dataset.eval.shards.length };
      return new UnitWriter({ directory: temporary, schema, sources, numbers, batchTokens: BATCH_TOKENS });
    };
    let writer = unit();
    const finish = async () => {
      for (const [part, shard] of Object.entries(await writer.finish())) addShard(dataset[part as 'train' | 'eval'], shard);
    };
    try {
      for await (const chunk of encoder.chunks()) {
        await writer.add(chunk);
        if (writer.tokens < SHARD_TOKENS) continue;
        await finish();
        writer = unit();
      }
      encoder.check();
      for await (const chunk of replayed(options, encoder.trainTokens, weighted)) await writer.add(chunk);
      await finish();
    } catch (error) {
      await writer.abandon();
      throw error;
    }
    checkParts(dataset, options);
    await fs.writeFile(path.join(temporary, 'tokenizer.json'), JSON.stringify(tokenizer));
    if (tokenizer.config) await fs.writeFile(path.join(temporary, 'tokenizer_config.json'), JSON.stringify(tokenizer.config));
    await fs.writeFile(path.join(temporary, 'dataset.json'), datasetJson(dataset));
  });
  return dataset;
}

/** What the tokens of conversations depend on beside the conversations: prepared ones that differ in it are not gone on with. */
export function conversationSettings(options: Omit<PrepareConversationsOptions, 'output' | 'paths' | 'tokenizer' | 'replay' | 'seed'>) {
  const { template, contextLength, train_on, overlong, allow_special } = options;
  const template_sha256 = createHash('sha256').update(template.source).digest('hex');
  return { template_sha256, context_length: contextLength, train_on, overlong, allow_special };
}

/** Encodes conversations and counts what happens to them. */
class Encoder {
  readonly counts: ConversationCounts;
  trainTokens = 0;
  private readonly tooLong: string[] = [];
  private readonly unsupervised: string[] = [];

  constructor(
    private readonly options: PrepareConversationsOptions,
    private readonly weighted: boolean,
  ) {
    this.counts = { ...conversationSettings(options), rows: 0, dropped: 0, truncated: 0, supervised: 0, ignored: 0 };
  }

  async *chunks(): AsyncGenerator<EncodedChunk> {
    for (const [corpus, file] of this.options.paths.entries()) {
      let document = 0;
      for await (const rows of readConversations(file)) {
        const chunk = new ChunkBuilder(this.options.tokenizer, this.weighted);
        for (const row of rows) {
          const encoded = this.encode(row, `${file}, row ${document++}`);
          if (encoded === undefined) continue;
          const part = isHeldOut(splitKey(row.messages), this.options.eval_fraction) ? 'eval' : 'train';
          if (part === 'train') this.trainTokens += encoded.ids.length;
          chunk.add(row.source, part, encoded, row.weight);
        }
        yield chunk.finish({ corpus, document });
        await new Promise(setImmediate);
      }
    }
  }

  /** @throws UserError for what was found on the way. */
  check(): void {
    const { contextLength, train_on } = this.options;
    const named = (rows: readonly string[]) =>
      `${rows.slice(0, MOST_NAMED).join('; ')}${rows.length > MOST_NAMED ? ` and ${rows.length - MOST_NAMED} more` : ''}`;
    if (this.tooLong.length > 0) {
      throw new UserError(
        `prepare conversations: each must fit into context_length, ${contextLength} tokens; too long: ${named(this.tooLong)}. ` +
          'Raise context_length, or say data.overlong: drop, truncate_turns or truncate',
      );
    }
    if (this.unsupervised.length > 0) {
      throw new UserError(
        `prepare conversations: each must have a token to be predicted (train_on: ${train_on}); there is none in ${named(this.unsupervised)}. Remove these rows, or choose another train_on`,
      );
    }
  }

  private encode(row: Conversation, place: string): EncodedChat | undefined {
    this.counts.rows++;
    const encoded = this.fitted(row, place);
    if (encoded === undefined) return undefined;
    const supervised = encoded.supervised.reduce((sum, bit) => sum + bit, 0);
    if (supervised === 0 || !((row.weight ?? 1) > 0))
      this.unsupervised.push(row.weight === undefined || row.weight > 0 ? place : `${place} (weight ${row.weight})`);
    this.counts.supervised += supervised;
    this.counts.ignored += encoded.ids.length - supervised;
    return encoded;
  }

  /** The conversation, as long as it may be, or nothing where it is left out. */
  private fitted({ messages }: Conversation, place: string): EncodedChat | undefined {
    const { contextLength, overlong } = this.options;
    const whole = this.tokens(messages, place);
    if (whole.ids.length <= contextLength) return whole;
    if (overlong === 'error') this.tooLong.push(`${place} (${whole.ids.length} tokens)`);
    if (overlong === 'truncate') {
      const cut = { ids: whole.ids.slice(0, contextLength), supervised: whole.supervised.subarray(0, contextLength) };
      if (cut.supervised.includes(1)) {
        this.counts.truncated++;
        return cut;
      }
    }
    // The last turns go: what is left has its whole context.
    for (let end = messages.length - 2; overlong === 'truncate_turns' && messages[end - 1]?.role === 'assistant'; end -= 2) {
      const fewer = this.tokens(messages.slice(0, end), place);
      if (fewer.ids.length > contextLength) continue;
      this.counts.truncated++;
      return fewer;
    }
    this.counts.dropped++;
    return undefined;
  }

  private tokens(messages: readonly Message[], place: string): EncodedChat {
    const { template, train_on, allow_special } = this.options;
    try {
      return template.encode(messages, { trainOn: train_on, allowSpecial: allow_special });
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      throw new UserError(`prepare conversations: ${place}: ${error.message}`, 1, { cause: error });
    }
  }
}

/** Documents as `UnitWriter` takes them. */
class ChunkBuilder {
  private readonly groups: EncodedChunk['groups'] = [];
  private readonly ids: number[][] = [];
  private readonly masks: Uint8Array[] = [];
  private readonly weights: number[] = [];
  private readonly bytes: number[] = [];

  constructor(
    private readonly tokenizer: Tokenizer,
    private readonly weighted: boolean,
  ) {}

  add(source: string, part: 'train' | 'eval', { ids, supervised }: EncodedChat, weight = 1): void {
    const last = this.groups.at(-1);
    if (last?.source === source && last.part === part) last.documents++;
    else this.groups.push({ source, part, documents: 1 });
    this.ids.push(ids);
    this.masks.push(supervised);
    this.weights.push(weight);
    this.bytes.push(ids.reduce((sum, id) => sum + this.tokenizer.byteLength(id), 0));
  }

  finish(next: EncodedChunk['next']): EncodedChunk {
    const lengths = Uint32Array.from(this.ids, ({ length }) => length);
    const Ids = this.tokenizer.vocabSize <= 0x10000 ? Uint16Array : Uint32Array;
    return {
      next,
      textBytes: 0,
      groups: this.groups,
      ids: Ids.from(this.ids.flat()),
      lengths,
      bytes: Uint32Array.from(this.bytes),
      supervised: Uint8Array.from(this.masks.flatMap((mask) => [...mask])),
      ...(this.weighted && { weights: Float32Array.from(this.weights) }),
    };
  }
}

/** Training documents of prepared text, the same part of each of its record batches, chosen by the seed: in all as many tokens as wanted, or all there are. */
async function* replayed(
  { replay, seed, tokenizer }: PrepareConversationsOptions,
  trainTokens: number,
  weighted: boolean,
): AsyncGenerator<EncodedChunk> {
  if (replay === undefined) return;
  const store = await openTokens(replay.directory, 'train');
  try {
    const part = replay.tokens(trainTokens) / store.dataset.train.tokens;
    let due = 0;
    for (const [number, { source, documents, tokens }] of store.batches.entries()) {
      due += part * tokens;
      if (due <= 0) continue;
      const { ids, offsets } = await store.read(number);
      const order = permutation(documents, seed, [number, 0, 0]);
      const chunk = new ChunkBuilder(tokenizer, weighted);
      for (let i = 0; i < documents && due > 0; i++) {
        const d = order(i);
        const document = Array.from(ids.subarray(offsets[d], offsets[d + 1]));
        if (document.length < 2) continue;
        due -= document.length;
        const supervised = new Uint8Array(document.length).fill(1, 1);
        chunk.add(REPLAY + store.dataset.sources[source], 'train', { ids: document, supervised });
      }
      yield chunk.finish({ corpus: 0, document: 0 });
    }
  } finally {
    await store.close();
  }
}

/** All sources, in the order in which they are met, those of replayed text after the others; and whether a table has weights. */
async function survey({ paths, replay }: PrepareConversationsOptions): Promise<{ sources: string[]; weighted: boolean }> {
  const sources = new Set<string>();
  let weighted = false;
  for (const file of paths) {
    for await (const rows of readConversations(file)) {
      for (const { source } of rows) sources.add(source);
      weighted ||= rows[0]?.weight !== undefined;
    }
  }
  if (replay) for (const source of (await readDataset(replay.directory)).sources) sources.add(REPLAY + source);
  return { sources: [...sources], weighted };
}

function checkParts(
  { train, eval: heldOut, conversations }: Dataset,
  { paths, eval_fraction, overlong }: PrepareConversationsOptions,
): void {
  const empty = train.documents === 0 ? 'train on' : heldOut.documents === 0 && eval_fraction > 0 ? 'hold out' : undefined;
  if (empty === undefined) return;
  const { rows, dropped } = conversations!;
  throw new UserError(
    `prepare conversations: there must be some to ${empty}; of ${rows} in ${paths.join(', ')}, ${dropped} are too long (overlong: ${overlong}) and with eval_fraction: ${eval_fraction} none is left. ` +
      'Add data, raise context_length, or change data.eval_fraction (0 holds none out)',
  );
}
