import { type TextBatch, type Tokenizer, type TrainOptions, trainTokenizerInWorkers } from '../tokenizer/index.js';
import { defaultThreads } from '../util/workers.js';
import { readChunks } from './chunks.js';
import { charactersIn, type PlacedChunk, pieces, placedChunks, type SplitOptions, trainCharacters } from './documents.js';

/**
 * Trains a tokenizer on the training part of corpora; a `char` one on all text, so that it knows each character of the held-out part, too.
 * The same tokenizer for any number of threads and any order of the documents.
 */
export async function trainTokenizerOn(
  corpora: readonly string[],
  split: SplitOptions,
  options: TrainOptions,
  threads = defaultThreads(),
): Promise<Tokenizer> {
  return trainTokenizerInWorkers(options.kind === 'char' ? wholeText(corpora) : trainingText(corpora, split), options, threads);
}

async function* wholeText(corpora: readonly string[]): AsyncGenerator<TextBatch> {
  for (const corpus of corpora) yield* readChunks(corpus);
}

async function* trainingText(corpora: readonly string[], split: SplitOptions): AsyncGenerator<TextBatch> {
  let characters = 0;
  if (split.split === 'tail') for await (const { text } of wholeText(corpora)) characters += charactersIn(text);
  const left = trainCharacters(characters, split.evalFraction);
  for await (const chunk of placedChunks(corpora, { split: split.split, left })) yield withoutHeldOut(chunk, split);
}

/** The training part of a chunk, moved together within its text. */
function withoutHeldOut(chunk: PlacedChunk, split: SplitOptions): TextBatch {
  const offsets = [0];
  let end = 0;
  for (const { from, to, part } of pieces(chunk, split)) {
    if (part !== 'train') continue;
    chunk.text.copyWithin(end, from, to);
    end += to - from;
    offsets.push(end);
  }
  return { text: chunk.text.slice(0, end), offsets: Int32Array.from(offsets) };
}
