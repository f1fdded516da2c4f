/**
 * One decoding benchmark of fourfold, greedy: prints one line of JSON as peers/llama-cpp.js and peers/generate.py do.
 *
 *     node --import tsx bench/ours-decode.ts CHECKPOINT --precision fp32 --batch 1 --threads 1 --tokens 200 [--device webgpu]
 */
import { parseArgs } from 'node:util';
import { type Device, useDevice } from '../backends/device.js';
import { loadCheckpoint } from '../checkpoints/load.js';
import { parametersFrom } from '../model/parameters.js';
import { setPrecision } from '../ops/precision.js';
import { generate } from '../sampler/generate.js';
import { median } from './figures.js';
import { OtherLoad } from './load.js';
import type { Precision } from './shapes.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    precision: { type: 'string', default: 'fp32' },
    batch: { type: 'string', default: '1' },
    threads: { type: 'string', default: '1' },
    tokens: { type: 'string', default: '200' },
    device: { type: 'string', default: 'native' },
    repeats: { type: 'string', default: '3' },
  },
});
const batch = Number(values.batch);
const maxTokens = Number(values.tokens);
/** The peers' prompt: row i starts with 5 + i. */
const prompts = Array.from({ length: batch }, (_, row) => Array.from({ length: 16 }, (_, i) => (i === 0 ? 5 + row : 5 + i)));

const device = await useDevice(values.device as Device, { threads: Number(values.threads) });
setPrecision(values.precision as Precision);
const { config, weights } = await loadCheckpoint(positionals[0]);
const model = { config, parameters: parametersFrom(config, weights) };

/** Generates `maxTokens` for each row; the clock starts with the first token, so that reading the prompt is not counted. */
async function run(): Promise<{ ids: number[]; tokensPerSecond: number }> {
  let start = 0;
  const options = { sampling: { temperature: 0 }, maxTokens, eos: new Set<number>(), seed: 1337, batchSize: batch };
  const { tokens } = await generate(model, prompts, options, () => {
    start ||= performance.now();
    return false;
  });
  return { ids: tokens[0], tokensPerSecond: (batch * (maxTokens - 1) * 1000) / (performance.now() - start) };
}

await run(); // warms up
const other = new OtherLoad();
const runs = [];
for (let i = 0; i < Number(values.repeats); i++) runs.push(await run());
console.log(
  JSON.stringify({
    engine: `fourfold ${device.isa ?? device.device}`,
    precision: values.precision,
    batch,
    threads: device.threads,
    tokensPerSecond: median(runs.map(({ tokensPerSecond }) => tokensPerSecond)),
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
    otherLoad: other.cores(),
    ids: runs[0].ids.slice(0, 32),
  }),
);
