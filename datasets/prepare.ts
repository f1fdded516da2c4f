import fs from 'node:fs/promises';
import path from 'node:path';
import type { Tokenizer, TrainOptions } from '../tokenizer/index.js';
import { UserError, writeError } from '../util/errors.js';
import { errorCode, exists } from '../util/files.js';
import { besides, defaultThreads, mapInWorkers } from '../util/workers.js';
import { tokensSchema } from './arrow.js';
import { CHUNK_BYTES } from './chunks.js';
import { type Dataset, datasetJson } from './dataset.js';
import { type PlacedChunk, placedChunks, type SplitOptions, trainCharacters } from './documents.js';
import type { EncodedChunk, EncodeSetup } from './encode-worker.js';
import { type Mixture, mixtureWeights } from './mixture.js';
import { Preparation, type Progress } from './preparation.js';
import { UnitWriter } from './shards.js';
import { type Survey, surveyCorpora } from './survey.js';
import { trainTokenizerOn } from './train-tokenizer.js';

export interface PrepareOptions extends SplitOptions {
  /** As the importers write them; one after another. */
  corpora: readonly string[];
  /** A tokenizer, or how to train one on the training part. */
  tokenizer: Tokenizer | TrainOptions;
  /** Directory to write. */
  output: string;
  /** Of the run that this is for, written down with the data. */
  seed: number;
  /** Read text that spells a special token as that token. */
  allowSpecial?: boolean;
  /** Weight of each source in training, written down with the data. */
  mixture?: Mixture;
  /** The bytes written are the same for any number. */
  threads?: number;
  /** A new shard of each part is begun after so many tokens; work that is stopped goes on from there. */
  shardTokens?: number;
  /** Replace earlier prepared data; it stays until the new is complete. */
  overwrite?: boolean;
  /** Stops the work after the shard that is being written. */
  signal?: AbortSignal;
  onProgress?: (progress: PrepareProgress) => void;
  /** What a person should hear. */
  say?: (text: string) => void;
}

export interface PrepareProgress {
  /** Reading everything once; training the tokenizer: counting words, merging pairs; encoding. */
  phase: 'read' | 'count' | 'merge' | 'encode';
  /** UTF-8 bytes of text; when merging, tokens. */
  done: number;
  /** Unknown while reading. */
  total?: number;
}

const FORMAT = 2; // of the shards' bytes: work begun with another is not gone on with
const BATCH_TOKENS = 1 << 18;
const SHARD_TOKENS = 1 << 24;

/**
 * Corpora → directory of token shards (train-00000.arrow …, eval-00000.arrow …) with tokenizer.json and dataset.json.
 * A document is bos, text, eos; where the tokenizer has no special tokens, the text alone. The directory appears when it is complete. Until
 * then its finished shards are in `.NAME.preparing` beside it: stopped at any moment, the same call goes on from there and gives the same bytes.
 * @throws UserError for what is wrong with corpora, options or disk; an AbortError when the signal stopped it.
 */
export async function prepare(options: PrepareOptions): Promise<Dataset> {
  const { corpora, split, evalFraction, overwrite = false } = options;
  const output = path.resolve(options.output);
  if (corpora.length === 0)
    throw new UserError('prepare data: there must be a corpus to prepare; received none. Make one with fourfold data import');
  if (!(evalFraction >= 0 && evalFraction < 1)) {
    throw new UserError(`prepare data: eval_fraction must be at least 0 and below 1; received ${evalFraction}`);
  }
  await checkOutput(output, options.output, overwrite);
  const survey = await surveyCorpora(corpora, {
    characters: split === 'tail',
    signal: options.signal,
    onProgress: (done) => options.onProgress?.({ phase: 'read', done }),
  });
  checkSurvey(survey, options);
  const preparation = await Preparation.open(output);
  try {
    await checkOutput(output, options.output, overwrite); // another process may have been faster
    return await prepareIn(preparation, survey, options);
  } catch (error) {
    throw await explained(error, preparation, options);
  } finally {
    await preparation.close();
  }
}

async function prepareIn(preparation: Preparation, survey: Survey, options: PrepareOptions): Promise<Dataset> {
  const { split, evalFraction, seed, allowSpecial = false, mixture, signal, shardTokens = SHARD_TOKENS, say = () => {} } = options;
  const tokenizer = await tokenizerOf(preparation, survey, options);
  signal?.throwIfAborted();
  const provenance = { tokenizer_sha256: tokenizer.hash(), seed, importer: survey.importer, source_sha256: survey.sourceSha256 };
  const { special, vocabSize } = tokenizer;
  const inputs = { FORMAT, corpora: survey.sha256, provenance, special, split, evalFraction, allowSpecial, shardTokens };
  const progress = await preparation.begin(inputs, survey.sources, say);

  // 1. Tokenize unit by unit. A unit ends with the chunk in which it reaches shardTokens, whatever the number of threads.
  const metadata = new Map(Object.entries(provenance).map(([key, value]) => [key, String(value)]));
  const schema = tokensSchema(vocabSize, metadata);
  const unit = () =>
    new UnitWriter({
      directory: preparation.tokens,
      schema,
      sources: survey.sources,
      numbers: { train: progress.train.shards.length, eval: progress.eval.shards.length },
      batchTokens: Math.min(BATCH_TOKENS, shardTokens),
    });
  let done = progress.train.bytes + progress.eval.bytes;
  if (done > 0) say(`going on after ${done.toLocaleString('en-US')} of ${survey.bytes.toLocaleString('en-US')} bytes of text`);
  let writer = unit();
  let last: EncodedChunk | undefined;
  try {
    for await (const encoded of encodedChunks(tokenizer, survey, progress, options)) {
      await writer.add(encoded);
      last = encoded;
      done += encoded.textBytes;
      options.onProgress?.({ phase: 'encode', done, total: survey.bytes });
      if (writer.tokens < shardTokens) continue;
      await preparation.save(progress, await writer.finish(), encoded.next);
      last = undefined;
      writer = unit();
      signal?.throwIfAborted();
    }
    if (last) await preparation.save(progress, await writer.finish(), last.next);
  } catch (error) {
    await writer.abandon();
    throw error;
  }

  // 2. The directory is complete.
  const settings = { vocab_size: vocabSize, split, eval_fraction: evalFraction };
  const { train, eval: heldOut } = progress;
  const dataset: Dataset = { ...provenance, ...settings, ...(mixture && { mixture }), sources: survey.sources, train, eval: heldOut };
  await checkParts(dataset, preparation);
  await fs.writeFile(path.join(preparation.tokens, 'tokenizer.json'), JSON.stringify(tokenizer));
  if (tokenizer.config) await fs.writeFile(path.join(preparation.tokens, 'tokenizer_config.json'), JSON.stringify(tokenizer.config));
  await fs.writeFile(path.join(preparation.tokens, 'dataset.json'), datasetJson(dataset));
  await preparation.finish();
  return dataset;
}

/** The chunks after what is finished, encoded in threads. */
function encodedChunks(
  tokenizer: Tokenizer,
  survey: Survey,
  { next }: Progress,
  { corpora, split, evalFraction, allowSpecial = false, threads = defaultThreads(), shardTokens = SHARD_TOKENS }: PrepareOptions,
): AsyncGenerator<EncodedChunk> {
  const left = split === 'tail' ? trainCharacters(survey.characters, evalFraction) : 0;
  const chunkBytes = Math.min(CHUNK_BYTES, shardTokens);
  const chunks = placedChunks(corpora, { split, left, chunkBytes });
  const useful = Math.min(threads, Math.ceil(survey.bytes / chunkBytes)); // to begin a thread takes time
  const setup: EncodeSetup = { tokenizer: tokenizer.toJSON(), config: tokenizer.config, split, evalFraction, allowSpecial };
  return mapInWorkers<PlacedChunk, EncodedChunk>(besides(import.meta.url, './encode-worker'), setup, unfinished(), useful);

  async function* unfinished() {
    for await (const chunk of chunks) {
      if (chunk.corpus > next.corpus || (chunk.corpus === next.corpus && chunk.first >= next.document)) yield chunk;
    }
  }
}

async function tokenizerOf(preparation: Preparation, survey: Survey, options: PrepareOptions): Promise<Tokenizer> {
  const { tokenizer, corpora, threads, signal, onProgress } = options;
  if ('encode' in tokenizer) return tokenizer;
  const { onProgress: _, ...training } = tokenizer;
  const split = { split: options.split, evalFraction: options.evalFraction };
  return preparation.tokenizer({ corpora: survey.sha256, ...split, ...training }, () =>
    trainTokenizerOn(
      corpora,
      split,
      {
        ...training,
        onProgress({ phase, done, total = survey.bytes }) {
          signal?.throwIfAborted();
          onProgress?.({ phase, done, total });
        },
      },
      threads,
    ),
  );
}

/** Prepared data is replaced only when that is wanted, and other things never. */
async function checkOutput(output: string, name: string, overwrite: boolean): Promise<void> {
  if (!(await exists(output))) return;
  const held = await fs.readdir(output).catch(() => ['a file']);
  if (held.length === 0) return;
  if (!held.includes('dataset.json')) {
    throw new UserError(
      `prepare data: the output ${name} must be a new directory or earlier prepared data; it holds ${held.slice(0, 3).join(', ')}. Choose another directory`,
    );
  }
  if (!overwrite) throw new UserError(`prepare data: ${name} exists already. Choose another directory, or say --overwrite`);
}

function checkSurvey({ documents, sources }: Survey, { corpora, mixture }: PrepareOptions): void {
  if (documents === 0) {
    throw new UserError(
      `prepare data: there must be documents in ${corpora.join(', ')}; received none. Look at them with fourfold data inspect`,
    );
  }
  if (mixture) mixtureWeights(mixture, sources, corpora.join(', '));
}

async function checkParts({ split, eval_fraction, train, eval: heldOut }: Dataset, preparation: Preparation): Promise<void> {
  const empty = train.tokens === 0 ? 'training' : heldOut.tokens === 0 && eval_fraction > 0 ? 'held-out' : undefined;
  if (empty === undefined) return;
  await preparation.discard(); // going on would end here again
  throw new UserError(
    `prepare data: both parts must have documents; with split: ${split} and eval_fraction: ${eval_fraction} the ${empty} part of ${train.documents + heldOut.documents} documents is empty. ` +
      'Use split: tail, a larger eval_fraction, or make more documents of the text (document: line or blank_line)',
  );
}

/** An error of the system (a full disk, a file that is gone), said with what is finished and how to go on; another error as it is. */
async function explained(error: unknown, preparation: Preparation, { output }: PrepareOptions): Promise<unknown> {
  if (!(error instanceof Error) || (errorCode(error) ?? errorCode(error.cause)) === undefined) return error;
  const hidden = error instanceof UserError && error.message.includes(preparation.directory);
  const said = writeError(output, hidden ? error.cause : error);
  if (!(said instanceof UserError) || !(await preparation.isBegun())) return said;
  return new UserError(`${said.message}. What is finished is kept in ${preparation.directory}: the same command goes on from there`, 1, {
    cause: error,
  });
}
