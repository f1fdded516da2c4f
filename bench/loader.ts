/**
 * Speed of the loader against that of training, and its memory: prepared tokens are made on the spot, four sources of documents of very different
 * lengths, and loaded in every way, each in a process of its own, for batches of S1. Training of S1 is measured beside it.
 *
 *     npm run bench:loader -- [--tokens 120e6] [--seconds 5] [--threads 2] [--keep FOLDER]
 */
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { ArrowFile, tokensBatch, tokensSchema } from '../datasets/arrow.js';
import type { Dataset } from '../datasets/dataset.js';
import { trainTokenizer } from '../tokenizer/index.js';
import { exists } from '../util/files.js';
import { RandomStream } from '../util/random.js';
import { runOurs } from './child.js';
import { megabytes, rate, table } from './figures.js';
import type { LoaderRun } from './loader-run.js';
import { PRECISIONS } from './shapes.js';

const { values: options } = parseArgs({
  options: {
    tokens: { type: 'string', default: '120e6' },
    seconds: { type: 'string', default: '5' },
    threads: { type: 'string', default: '2' },
    keep: { type: 'string' },
  },
});

/** Sources and the mean length of their documents, in tokens. */
const SOURCES = { chat: 60, web: 400, wiki: 1500, books: 100_000 };
const VOCABULARY = 8192;
const BATCH_TOKENS = 1 << 20;
const SHARD_BATCHES = 16;

/** Random ids: what they are is nothing to the loader. */
async function writeTokens(directory: string, tokens: number): Promise<void> {
  await fs.mkdir(directory, { recursive: true });
  const alphabet = String.fromCodePoint(...Array.from({ length: VOCABULARY }, (_, i) => 0x4e00 + i));
  const tokenizer = trainTokenizer([alphabet], { kind: 'char', specialTokens: false });
  const schema = tokensSchema(VOCABULARY, new Map([['tokenizer_sha256', tokenizer.hash()]]));
  const sources = Object.keys(SOURCES);
  const part = async (name: string, tokens: number): Promise<Dataset['train']> => {
    const random = new RandomStream(1, tokens);
    const sums = sources.map(() => ({ documents: 0, tokens: 0, bytes: 0 }));
    const shards: Dataset['train']['shards'] = [];
    for (const [source, mean] of Object.values(SOURCES).entries()) {
      for (let left = tokens / sources.length; left > 0; ) {
        const file = `${name}-${String(shards.length).padStart(5, '0')}.arrow`;
        const arrow = new ArrowFile(path.join(directory, file), schema);
        shards.push({ file, batches: [] });
        for (let i = 0; i < SHARD_BATCHES && left > 0; i++) {
          const ends = [0];
          while (ends.at(-1)! < Math.min(BATCH_TOKENS, left))
            ends.push(ends.at(-1)! + 2 + Math.floor(-mean * Math.log(1 - random.uniform())));
          const offsets = Int32Array.from(ends);
          const ids = Uint16Array.from({ length: offsets.at(-1)! }, (_, t) => (t * 40503) % VOCABULARY);
          const bytes = offsets.subarray(1).map((end, d) => 3 * (end - offsets[d]));
          await arrow.write(tokensBatch(schema, { ids: [ids], offsets, bytes: Uint32Array.from(bytes), source: sources[source] }));
          const counts = { documents: bytes.length, tokens: ids.length, bytes: 3 * ids.length };
          shards.at(-1)!.batches.push({ source, ...counts });
          for (const key of ['documents', 'tokens', 'bytes'] as const) sums[source][key] += counts[key];
          left -= ids.length;
        }
        await arrow.close();
      }
    }
    const all = sums.reduce((a, b) => ({ documents: a.documents + b.documents, tokens: a.tokens + b.tokens, bytes: a.bytes + b.bytes }));
    return { ...all, sources: sums, shards };
  };
  const dataset: Dataset = {
    tokenizer_sha256: tokenizer.hash(),
    vocab_size: VOCABULARY,
    split: 'hash',
    eval_fraction: 0.01,
    seed: 1,
    importer: 'bench',
    source_sha256: 'none',
    sources,
    train: await part('train', tokens),
    eval: await part('eval', tokens / 100),
  };
  await fs.writeFile(path.join(directory, 'tokenizer.json'), JSON.stringify(tokenizer));
  await fs.writeFile(path.join(directory, 'dataset.json'), JSON.stringify(dataset));
}

const WAYS: Record<string, object> = {
  'epoch, concat': {},
  'epoch, segments': { packing: 'segments' },
  'epoch, concat, mixture': { mixture: { chat: 4, web: 3, wiki: 2, books: 1 } },
  'epoch, segments, mixture': { packing: 'segments', mixture: { chat: 4, web: 3, wiki: 2, books: 1 } },
  'random, concat': { sampling: 'random' },
  'random, concat, mixture': { sampling: 'random', mixture: { chat: 4, web: 3, wiki: 2, books: 1 } },
};

const folder = options.keep ?? (await fs.mkdtemp(path.join(os.tmpdir(), 'fourfold-bench-')));
try {
  const directory = path.join(folder, 'tokens');
  if (!(await exists(path.join(directory, 'dataset.json')))) await writeTokens(directory, Number(options.tokens));
  const training: number[] = [];
  for (const precision of PRECISIONS) {
    const { tokensPerSecond } = await runOurs<{ tokensPerSecond: number }>('ours-train.ts', ['S1', precision, options.threads, '20']);
    console.log(`training S1, ${precision}, ${options.threads} threads: ${rate(tokensPerSecond)} tokens/s`);
    training.push(tokensPerSecond);
  }
  const rows: string[][] = [];
  for (const [name, way] of Object.entries(WAYS)) {
    const run = await runOurs<LoaderRun>('loader-run.ts', [directory, options.seconds, JSON.stringify(way)]);
    const ratios = training.map((speed) => `${(run.tokensPerSecond / speed).toFixed(0)}×`);
    rows.push([name, rate(run.tokensPerSecond), ...ratios, megabytes(run.peakBytes), megabytes(run.emptyBytes), run.otherLoad.toFixed(2)]);
    console.error(rows.at(-1)!.join('  '));
  }
  const { train } = JSON.parse(await fs.readFile(path.join(directory, 'dataset.json'), 'utf8')) as Dataset;
  const files = train.shards.map(({ file }) => fs.stat(path.join(directory, file)));
  const size = (await Promise.all(files)).reduce((sum, { size }) => sum + size, 0);
  console.log(
    `\n${train.tokens.toLocaleString('en-US')} tokens in ${train.documents.toLocaleString('en-US')} documents, ${megabytes(size)}\n`,
  );
  const header = [
    'loader',
    'tokens/s',
    ...PRECISIONS.map((precision) => `of ${precision} training`),
    'peak memory',
    'before',
    'other load',
  ];
  console.log(table(header, rows));
} finally {
  if (options.keep === undefined) await fs.rm(folder, { recursive: true, force: true });
}
