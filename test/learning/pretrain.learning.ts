import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { run } from '../../cli/run.js';
import { loadPretrainConfig } from '../../configs/load.js';
import { openPass } from '../../datasets/pass.js';
import { pretrain } from '../../stages/pretrain.js';

/** Mean over seeds 1, 2 and 3 of the PyTorch port of the same run: bench/peers/shakespeare_char.py, bench/peers/results.md. */
const PYTORCH_LOSS = 1.9166;

/** What the ready configurations learn on real text; run by `npm run test:learning`, minutes long. */
describe('ready configurations', function () {
  this.timeout(30 * 60_000);
  const folder = mkdtempSync(path.join(os.tmpdir(), 'fourfold-learning-'));
  after(() => rmSync(folder, { recursive: true, force: true }));

  const train = async (name: string, overrides: string[] = []) => {
    const config = await loadPretrainConfig(name, [...overrides, 'logging_steps=500']);
    assert.ok(existsSync(config.data.path), `${config.data.path} is needed: fourfold data fetch brings it`);
    const directory = path.join(folder, [name, ...overrides].join('-').replaceAll('/', '_'));
    const result = await pretrain(config, { directory }, new AbortController().signal);
    console.log(`      ${[name, ...overrides].join(' ')}: ${JSON.stringify(result.metrics)}, ${result.seconds.toFixed(0)} s`);
    return result.metrics;
  };

  it('shakespeare-char learns what the PyTorch port of the same run learns: mean of 3 seeds within 0.015, and at most 1.93', async () => {
    let sum = 0;
    for (const seed of [1, 2, 3]) sum += (await train('shakespeare-char', [`seed=${seed}`]))['eval/loss'];
    const mean = sum / 3;
    assert.ok(Math.abs(mean - PYTORCH_LOSS) < 0.015 && mean <= 1.93, `mean loss ${mean}, PyTorch ${PYTORCH_LOSS}`);
  });

  it('shakespeare-bpe needs fewer bits a byte than shakespeare-char does', async () => {
    const characters = await train('shakespeare-char');
    const pieces = await train('shakespeare-bpe');
    assert.ok(pieces['eval/bits_per_byte'] < characters['eval/bits_per_byte'], JSON.stringify([pieces, characters]));
  });

  it('bilingual learns every source of its mixture, and not the one that is left out', async () => {
    const corpora: string[] = [];
    for (const [file, ...options] of [
      ['wiki_demo.txt', '--document', 'line'],
      ['c4_demo.jsonl'],
      ['tinyshakespeare.txt', '--document', 'blank_line'],
      ['alpaca_zh_demo.json', '--columns', 'text=output'],
    ]) {
      corpora.push(path.join(folder, `${path.parse(file).name}.arrow`));
      assert.equal(await run(['data', 'import', `data/${file}`, ...options, '-o', corpora.at(-1)!]), 0);
    }
    const tokens = path.join(folder, 'bilingual-tokens');
    assert.equal(await run(['data', 'prepare', ...corpora, '-o', tokens, '--vocab-size', '4096', '--eval-fraction', '0.2']), 0);

    const byFrequency = await unigramBits(tokens);
    const mixed = await train('bilingual', [`data.path=${tokens}`]);
    const without = await train('bilingual', [`data.path=${tokens}`, 'data.mixture.alpaca_zh_demo=0']);
    const bits = (metrics: Record<string, number>, source: string) => metrics[`eval/bits_per_byte/${source}`];
    console.log('      bits per byte by frequency, mixed, without Chinese:');
    for (const [source, unigram] of byFrequency) {
      console.log(`      ${source} ${[unigram, bits(mixed, source), bits(without, source)].map((n) => n.toFixed(3)).join(' ')}`);
      assert.ok(bits(mixed, source) < 0.75 * unigram, `${source}: ${bits(mixed, source)}, by frequency ${unigram}`);
    }
    const chinese = 'alpaca_zh_demo';
    assert.ok(bits(without, chinese) > 1.5 * bits(mixed, chinese));
    for (const source of byFrequency.keys()) if (source !== chinese) assert.ok(bits(without, source) < bits(mixed, source), source);
  });

  it('chinese learns far beyond the frequency of characters', async () => {
    const metrics = await train('chinese');
    assert.ok(metrics['eval/bits_per_byte'] < 3, JSON.stringify(metrics));
  });
});

/** Bits per byte of each held-out source, coded by the frequency of tokens in the training part, each seen once more than it was. */
async function unigramBits(directory: string): Promise<Map<string, number>> {
  const settings = { directory, contextLength: 128, batchSize: 8, packing: 'segments' } as const;
  const counts = new Map<number, number>();
  let total = 4096;
  const training = await openPass({ ...settings, split: 'train' });
  for await (const { batch } of training.batches()) {
    total += batch.supervised;
    for (const target of batch.targets) counts.set(target, (counts.get(target) ?? 0) + 1);
  }
  await training.close();
  const sums = new Map<string, { bits: number; bytes: number }>();
  const heldOut = await openPass({ ...settings, split: 'eval' });
  for await (const { source, batch } of heldOut.batches()) {
    const sum = sums.get(source) ?? { bits: 0, bytes: 0 };
    sums.set(source, sum);
    for (const target of batch.targets) if (target >= 0) sum.bits -= Math.log2(((counts.get(target) ?? 0) + 1) / total);
    sum.bytes += batch.bytes;
  }
  await heldOut.close();
  return new Map([...sums].map(([source, { bits, bytes }]) => [source, bits / bytes]));
}
