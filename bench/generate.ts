/**
 * `fourfold generate` at several batch sizes: tokens a second, and whether the files are the same to the byte.
 *
 *     npm run bench:generate -- CHECKPOINT --data PROMPTS.arrow [--limit 1000] [--batches 1,16,64] [--rounds 1] [--max-tokens 32] [--threads 2] [--precision fp32]
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { answerPrompts } from '../sampler/answers.js';
import { median, rate, table } from './figures.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    data: { type: 'string' },
    limit: { type: 'string', default: '1000' },
    batches: { type: 'string', default: '1,16,64' },
    rounds: { type: 'string', default: '1' },
    'max-tokens': { type: 'string', default: '32' },
    threads: { type: 'string', default: '2' },
    precision: { type: 'string', default: 'fp32' },
  },
});
const [checkpoint] = positionals;
if (checkpoint === undefined || values.data === undefined) throw new Error('bench:generate needs a checkpoint and --data PROMPTS.arrow');
const batches = values.batches.split(',').map(Number);
const folder = mkdtempSync(path.join(os.tmpdir(), 'fourfold-bench-'));
const output = (batch: number) => path.join(folder, `${batch}.arrow`);
const speeds = new Map(batches.map((batch) => [batch, [] as number[]]));
let answers = 0;
try {
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const batch of batches) {
      const { drawn, ...summary } = await answerPrompts(checkpoint, {
        ...{ data: values.data, output: output(batch), num: 1, maxTokens: Number(values['max-tokens']), seed: 1, temperature: 1 },
        ...{ limit: Number(values.limit), overlong: 'drop', batchSize: batch, overwrite: true },
        ...{ device: 'native', threads: Number(values.threads), precision: values.precision as 'fp32' | 'bf16' },
      });
      answers = summary.answers;
      speeds.get(batch)!.push(drawn.tokens / drawn.seconds);
    }
  }
  const [first, ...others] = batches.map((batch) => readFileSync(output(batch)));
  console.log(
    `${answers} answers of at most ${values['max-tokens']} tokens, ${values.precision}, ${values.threads} threads, median of ${values.rounds}`,
  );
  console.log(
    table(
      ['batch', 'tokens/s'],
      batches.map((batch) => [String(batch), rate(median(speeds.get(batch)!))]),
    ),
  );
  const same = others.every((bytes) => bytes.equals(first));
  console.log(same ? 'the same file, to the byte, at each batch size' : 'THE FILES DIFFER between batch sizes');
  if (!same) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
