import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { loadPretrainConfig } from '../../configs/load.js';
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
    const directory = path.join(folder, [name, ...overrides].join('-'));
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

  it('chinese learns far beyond the frequency of characters', async () => {
    const metrics = await train('chinese');
    assert.ok(metrics['eval/bits_per_byte'] < 3, JSON.stringify(metrics));
  });
});
