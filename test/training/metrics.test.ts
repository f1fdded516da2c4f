import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { JsonLinesWriter, MetricsWriter } from '../../training/metrics.js';

describe('metrics', () => {
  let directory: string;
  let path: string;
  beforeEach(async () => {
    directory = await fs.mkdtemp(join(tmpdir(), 'fourfold-'));
    path = join(directory, 'metrics.jsonl');
  });
  afterEach(() => fs.rm(directory, { recursive: true }));

  const steps = async () =>
    (await fs.readFile(path, 'utf8'))
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line).step);

  it('are one JSON object a line, in the file as soon as they are written', async () => {
    const writer = await JsonLinesWriter.open(path, -1);
    writer.write({ step: 1, loss: 2.5, lr: 1e-3 });
    assert.equal(await fs.readFile(path, 'utf8'), '{"step":1,"loss":2.5,"lr":0.001}\n');
    writer.write({ step: 2, loss: Number.NaN, text: 'a\nb' });
    assert.equal(await fs.readFile(path, 'utf8'), '{"step":1,"loss":2.5,"lr":0.001}\n{"step":2,"loss":null,"text":"a\\nb"}\n');
    writer.close();
  });

  it('are cut back to the step that a run resumes from, so that each step stands there once', async () => {
    const first = await JsonLinesWriter.open(path, -1);
    for (const step of [10, 20, 20, 30]) first.write({ step });
    first.close();
    const second = await JsonLinesWriter.open(path, 20);
    second.write({ step: 30 });
    second.close();
    assert.deepEqual(await steps(), [10, 20, 20, 30]);
    (await JsonLinesWriter.open(path, -1)).close();
    assert.deepEqual(await steps(), []);
  });

  it('lose a torn last line, even one that looks whole', async () => {
    for (const torn of ['{"step":', '{"step":2}', '{"st\u00e4', '\n', 'null\n', '{}\n']) {
      await fs.writeFile(path, `{"step":1}\n${torn}`);
      (await JsonLinesWriter.open(path, 5)).close();
      assert.equal(await fs.readFile(path, 'utf8'), '{"step":1}\n');
    }
  });

  it('go to TensorBoard with the same names: numbers only', async () => {
    const events = join(directory, 'tensorboard', 'events.out.tfevents.fourfold');
    const writer = await MetricsWriter.open(path, events, -1);
    writer.write({ step: 3, 'eval/loss': 1.5, note: 'words' });
    writer.close();
    assert.deepEqual(await steps(), [3]);
    const bytes = await fs.readFile(events, 'latin1');
    assert.ok(bytes.includes('eval/loss') && !bytes.includes('words') && !bytes.includes('step'));
  });
});
