/**
 * One decoding benchmark of llama.cpp through node-llama-cpp, batch 1, greedy: prints one line of JSON.
 *
 *     node llama-cpp.js MODEL.gguf --threads 1 --tokens 200 --repeats 3 --prompt 5,6,7
 */
import { parseArgs } from 'node:util';
import { getLlama, LlamaLogLevel } from 'node-llama-cpp';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    threads: { type: 'string', default: '1' },
    tokens: { type: 'string', default: '200' },
    repeats: { type: 'string', default: '3' },
    prompt: { type: 'string', default: '5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20' },
  },
});
const prompt = values.prompt.split(',').map(Number);
const tokens = Number(values.tokens);
const threads = Number(values.threads);

const llama = await getLlama({ gpu: false, build: 'never', skipDownload: true, maxThreads: 0, logLevel: LlamaLogLevel.error });
const model = await llama.loadModel({ modelPath: positionals[0] });
const context = await model.createContext({ contextSize: 512, threads });

/** Generates `tokens` ids; the clock starts when the first one is there, so that reading the prompt is not counted. */
async function generate(sequence) {
  const ids = [];
  let start = 0;
  for await (const id of sequence.evaluate(prompt, { temperature: 0, yieldEogToken: true })) {
    if (ids.length === 0) start = performance.now();
    ids.push(id);
    if (ids.length === tokens) break;
  }
  return { ids, tokensPerSecond: ((tokens - 1) / (performance.now() - start)) * 1e3 };
}

const rates = [];
let ids = [];
for (let i = 0; i <= Number(values.repeats); i++) {
  const sequence = context.getSequence();
  const run = await generate(sequence);
  await sequence.dispose();
  ids = run.ids;
  if (i > 0) rates.push(run.tokensPerSecond); // the first one warms up
}
rates.sort((a, b) => a - b);
console.log(
  JSON.stringify({
    engine: 'llama.cpp',
    threads: context.currentThreads,
    tokensPerSecond: rates[rates.length >> 1],
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
    ids: ids.slice(0, 32),
  }),
);
await llama.dispose();
