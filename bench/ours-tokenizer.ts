/**
 * One run of our tokenizer, as peers/tokenizer.py does it: trains, then encodes the same texts, all as one and line by line.
 *
 *     node --import tsx bench/ours-tokenizer.ts TEXTS.json THREADS VOCAB_SIZE PASSES
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type EncodedBatch, encodeBatches, textBatches, trainTokenizerInWorkers } from '../tokenizer/index.js';
import { OtherLoad } from './load.js';
import type { TokenizerRun } from './tokenizer.js';

const [path, threadCount, vocabSize, passes] = process.argv.slice(2);
const threads = Number(threadCount);
const { lines } = JSON.parse(readFileSync(path, 'utf8')) as { lines: string[] };
const text = lines.join('\n');
const load = new OtherLoad();

async function timed<T>(work: () => T | Promise<T>, times: number): Promise<{ seconds: number[]; result: T }> {
  const seconds: number[] = [];
  let result: T | undefined;
  for (let i = 0; i < times; i++) {
    const began = performance.now();
    result = await work();
    seconds.push((performance.now() - began) / 1000);
  }
  return { seconds, result: result! };
}

const sha256 = (parts: Iterable<Int32Array>) => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
  return hash.digest('hex');
};

const train = await timed(() => trainTokenizerInWorkers(textBatches(lines), { kind: 'bpe', vocabSize: Number(vocabSize) }, threads), 1);
const tokenizer = train.result;
const one = await timed(() => tokenizer.encode(text), Number(passes));
const batch = await timed(async () => {
  const out: EncodedBatch[] = [];
  for await (const encoded of encodeBatches(tokenizer, textBatches(lines), threads)) out.push(encoded);
  return out;
}, Number(passes));

/** The same lines again and again through threads that run already: seconds a time, after the first. */
async function streamed(times: number): Promise<number> {
  const perTime = batch.result.length;
  async function* batches() {
    for (let i = 0; i <= times; i++) yield* textBatches(lines);
  }
  let done = 0;
  let began = 0;
  for await (const _ of encodeBatches(tokenizer, batches(), threads)) if (++done === perTime) began = performance.now();
  return (performance.now() - began) / 1000 / times;
}

const { model } = tokenizer.toJSON() as { model: { merges: [string, string][] } };
const run: TokenizerRun = {
  engine: `fourfold, node ${process.version}`,
  train: train.seconds,
  one: one.seconds,
  batch: batch.seconds,
  streamed: await streamed(8),
  merges_sha256: createHash('sha256')
    .update(model.merges.map((pair) => pair.join(' ')).join('\n'))
    .digest('hex'),
  one_sha256: sha256([Int32Array.from(one.result)]),
  batch_sha256: sha256(batch.result.map(({ ids }) => ids)),
  otherLoad: load.cores(),
};
console.log(JSON.stringify(run));
