import { createHash } from 'node:crypto';
import { type Tokenizer, TokenizerTrainer, type TrainOptions } from '../tokenizer/index.js';
import { checkColumns, readBatches } from './arrow.js';

export interface SplitOptions {
  /**
   * `hash`: each document by the hash of its text, so that none moves when data is added.
   * `tail`: the end of the text, counted in characters over all documents; the one that the cut goes through becomes two.
   */
  split: 'hash' | 'tail';
  /** Part of the data that is held out, in [0, 1). */
  evalFraction: number;
}

export interface CorpusDocument {
  text: string;
  source: string;
  part: 'train' | 'eval';
}

const SALT = 'fourfold held out\n'; // one for the project: a text held out once stays held out in every stage

/** Whether the hash of a text puts it into the held-out part. */
export function isHeldOut(text: string, evalFraction: number): boolean {
  return createHash('sha256').update(SALT).update(text).digest().readUIntBE(0, 6) < evalFraction * 2 ** 48;
}

/** Documents of a corpus in their order, each with the part it belongs to. */
export async function* documents(corpus: string, options: SplitOptions): AsyncGenerator<CorpusDocument> {
  if (options.split === 'hash') {
    for await (const { text, source } of readDocuments(corpus)) {
      yield { text, source, part: isHeldOut(text, options.evalFraction) ? 'eval' : 'train' };
    }
    return;
  }
  let left = Math.floor((await countCharacters(corpus)) * (1 - options.evalFraction)); // of the training part; nanoGPT's int(0.9 · n)
  for await (const { text, source } of readDocuments(corpus)) {
    const cut = unitsOf(text, left);
    left -= charactersOf(text, cut);
    if (cut > 0) yield { text: text.slice(0, cut), source, part: 'train' };
    if (cut < text.length) yield { text: text.slice(cut), source, part: 'eval' };
  }
}

/** Trains a tokenizer on the training part; a `char` one on all text, so that it knows each character of the held-out part, too. */
export async function trainTokenizerOn(corpus: string, split: SplitOptions, options: TrainOptions): Promise<Tokenizer> {
  const trainer = new TokenizerTrainer(options);
  for await (const { text, part } of documents(corpus, split)) if (part === 'train' || options.kind === 'char') trainer.add(text);
  return trainer.finish();
}

async function* readDocuments(corpus: string): AsyncGenerator<{ text: string; source: string }> {
  for await (const batch of readBatches(corpus)) {
    checkColumns(corpus, batch, ['text', 'source']);
    const texts = batch.getChild('text')!;
    const sources = batch.getChild('source')!;
    for (let i = 0; i < batch.numRows; i++) yield { text: texts.get(i), source: sources.get(i) };
  }
}

async function countCharacters(corpus: string): Promise<number> {
  let total = 0;
  for await (const { text } of readDocuments(corpus)) total += charactersOf(text, text.length);
  return total;
}

const isHighSurrogate = (unit: number) => unit >= 0xd800 && unit < 0xdc00;

/** Characters (code points) in the first `units` UTF-16 units. */
function charactersOf(text: string, units: number): number {
  let pairs = 0;
  for (let i = 0; i < units; i++) if (isHighSurrogate(text.charCodeAt(i))) pairs++;
  return units - pairs;
}

/** UTF-16 units of the first `characters` characters, or of all where there are fewer. */
function unitsOf(text: string, characters: number): number {
  let units = 0;
  for (let n = 0; n < characters && units < text.length; n++) units += isHighSurrogate(text.charCodeAt(units)) ? 2 : 1;
  return units;
}
