/**
 * Decoding speed: batch 1 against llama.cpp (node-llama-cpp), batch 32 against Python transformers' generate; the same weights everywhere.
 *
 *     npm run bench:decode -- [--shapes 12M,97M] [--precisions fp32,bf16] [--rounds 5] [--threads 1,2] [--tokens 200] [--python PATH]
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { parseArgs } from 'node:util';
import { benchPath, pythonPath, runJson, runOurs } from './child.js';
import { median, megabytes, rate, ratio, table } from './figures.js';
import { DECODE_SHAPES, PRECISIONS } from './shapes.js';

interface Run {
  tokensPerSecond: number;
  peakRssBytes: number;
  /** Cores that other processes used meanwhile; only our runs say it. */
  otherLoad?: number;
  /** What greedy decoding of the first row gave, for comparison. */
  ids: number[];
}

/** Alternating runs of us and the peer on one case. */
interface Comparison {
  label: string[];
  target: number;
  ours: Run[];
  peer: Run[];
}

const BATCH = 32;
const BATCH_THREADS = '2';
const TARGETS = { single: 1, batch: 4 };

const { values } = parseArgs({
  options: {
    shapes: { type: 'string', default: DECODE_SHAPES.join() },
    precisions: { type: 'string', default: PRECISIONS.join() },
    rounds: { type: 'string', default: '5' },
    threads: { type: 'string', default: '1,2' },
    tokens: { type: 'string', default: '200' },
    python: { type: 'string' },
  },
});
const { tokens } = values;
const python = pythonPath(values.python);
const models = benchPath('results/models');

/** Writes the shape's weights for all engines, once. */
async function prepare(shape: string): Promise<string> {
  const folder = `${models}/${shape}`;
  if (!existsSync(`${folder}/bf16.gguf`)) {
    mkdirSync(models, { recursive: true });
    await runJson(python, [benchPath('peers/decode_model.py'), shape, models]);
  }
  return folder;
}

async function alternate(label: string[], target: number, ours: () => Promise<Run>, peer: () => Promise<Run>): Promise<Comparison> {
  const result: Comparison = { label, target, ours: [], peer: [] };
  for (let round = 0; round < Number(values.rounds); round++) {
    result.ours.push(await ours());
    result.peer.push(await peer());
    console.error(
      `${label.join(' ')} round ${round + 1}: ${[result.ours, result.peer].map((list) => rate(list.at(-1)!.tokensPerSecond)).join(' against ')} tok/s`,
    );
  }
  return result;
}

const single: Comparison[] = [];
const batched: Comparison[] = [];
for (const shape of values.shapes.split(',')) {
  const folder = await prepare(shape);
  for (const precision of values.precisions.split(',')) {
    const ours = (batch: number, threads: string) =>
      runOurs<Run>('ours-decode.ts', [
        folder,
        '--precision',
        precision,
        '--batch',
        String(batch),
        '--threads',
        threads,
        '--tokens',
        tokens,
      ]);
    for (const threads of values.threads.split(',')) {
      const llamaCpp = () =>
        runJson<Run>(process.execPath, [
          benchPath('peers/llama-cpp.js'),
          `${folder}/${precision}.gguf`,
          '--threads',
          threads,
          '--tokens',
          tokens,
        ]);
      single.push(await alternate([shape, precision, threads], TARGETS.single, () => ours(1, threads), llamaCpp));
    }
    const generate = () =>
      runJson<Run>(python, [
        ...[benchPath('peers/generate.py'), folder, '--precision', precision, '--batch', String(BATCH)],
        ...['--threads', BATCH_THREADS, '--tokens', tokens],
      ]);
    batched.push(await alternate([shape, precision, BATCH_THREADS], TARGETS.batch, () => ours(BATCH, BATCH_THREADS), generate));
  }
}

/** How many ids at the start two engines agree on. */
function agreement(a: readonly number[], b: readonly number[]): string {
  const length = Math.min(a.length, b.length);
  const differs = a.findIndex((id, i) => i < length && id !== b[i]);
  return `${differs < 0 ? length : differs} of ${length}`;
}

function report(title: string, peer: string, comparisons: Comparison[]): void {
  const header = [
    'model',
    'precision',
    'threads',
    'fourfold tok/s',
    `${peer} tok/s`,
    'ratio',
    'target',
    'memory',
    `${peer}'s`,
    'same greedy ids',
    'other load',
  ];
  const rows = comparisons.map(({ label, target, ours, peer: theirs }) => {
    const middle = (list: Run[], field: 'tokensPerSecond' | 'peakRssBytes') => median(list.map((run) => run[field]));
    const [a, b] = [middle(ours, 'tokensPerSecond'), middle(theirs, 'tokensPerSecond')];
    const load = Math.max(...ours.map(({ otherLoad = 0 }) => otherLoad)).toFixed(2);
    const memory = [ours, theirs].map((list) => megabytes(middle(list, 'peakRssBytes')));
    return [...label, rate(a), rate(b), ratio(a / b), `≥ ${ratio(target)}`, ...memory, agreement(ours[0].ids, theirs[0].ids), load];
  });
  console.log(`\n${title}\n\n${table(header, rows)}`);
}

console.log(`${os.cpus()[0]?.model.trim()}, median of ${values.rounds} alternating runs; reading the prompt (16 tokens) is not counted`);
report('Batch 1, greedy', 'llama.cpp', single);
report(`Batch ${BATCH}, greedy`, 'transformers', batched);
writeFileSync(benchPath('results/decode.json'), JSON.stringify({ single, batched }, null, 1));
