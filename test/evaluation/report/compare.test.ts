import assert from 'node:assert/strict';
import { join } from 'node:path';
import { compareRuns } from '../../../evaluation/report/compare.js';
import { inFolder, model, pipelineFiles, verdict, writeFiles } from './run-directory.js';

/** Two pipelines, the second with `changes`, compared. */
async function compared(changes: Readonly<Record<string, unknown>>, format: 'html' | 'markdown' = 'markdown'): Promise<string> {
  return inFolder(async (folder) => {
    const files = pipelineFiles();
    const [a, b] = [join(folder, 'a'), join(folder, 'b')];
    await writeFiles(a, { ...files, '2-sft/config.yaml': `${files['2-sft/config.yaml']}output_dir: ${join(a, '2-sft')}\n` });
    await writeFiles(b, {
      ...files,
      '2-sft/config.yaml': `${files['2-sft/config.yaml']}output_dir: ${join(b, '2-sft')}\n`,
      'lineage.json': { ...(files['lineage.json'] as object), pipeline: 'other' },
      ...changes,
    });
    return compareRuns([a, b], format);
  });
}

const part = (markdown: string, title: string) => markdown.split(/^## /m).find((section) => section.startsWith(title)) ?? '';

describe('runs beside each other', () => {
  it('that are equal differ in nothing, wherever they lie', async () => {
    const markdown = await compared({});
    assert.match(part(markdown, 'Configuration'), /^Configuration\n\nNothing that was recorded of the configuration differs\.$/m);
    assert.match(part(markdown, 'Lineage'), /^Nothing that was recorded of the lineage differs\.$/m);
  });

  it('show the keys that differ, nested ones by their path, and no others', async () => {
    const markdown = await compared({
      '1-pretrain/config.yaml': 'stage: pretrain\nseed: 1337\nlearning_rate: 0.001\nmodel:\n  hidden_size: 256\nprecision: bf16\n',
    });
    const rows = part(markdown, 'Configuration').match(/^\| pretrain .*$/gm);
    assert.deepEqual(
      rows?.map((row) => row.replace(/ +/g, ' ')),
      [
        '| pretrain | `learning_rate` | 0.003 | 0.001 |',
        '| pretrain | `model.hidden_size` | 128 | 256 |',
        '| pretrain | `precision` | – | bf16 |',
      ],
    );
  });

  it('show steps, hashes and environments that differ', async () => {
    const lineage = structuredClone(pipelineFiles()['lineage.json']) as { environment: object; steps: Record<string, unknown>[] };
    lineage.environment = { ...lineage.environment, threads: 8 };
    lineage.steps[1]['outputs'] = { checkpoint: { path: '2-sft/final', sha256: 'd'.repeat(64) } };
    lineage.steps.pop();
    const markdown = await compared({ 'lineage.json': { ...lineage, pipeline: 'other' }, '6-verdict/verdict.json': undefined });
    const rows = part(markdown, 'Lineage').match(/^\| .*$/gm);
    assert.deepEqual(
      rows?.slice(2).map((row) => row.replace(/ +/g, ' ')),
      [
        '| environment | `threads` | 2 | 8 |',
        '| sft | `out: checkpoint` | `bbbbbbbbbbbb` | `dddddddddddd` |',
        '| verdict | `is there` | yes | no |',
      ],
    );
  });

  it('have their figures in one table, with the better one first in the sentence', async () => {
    const better = verdict({ base: model(0.1), sft: model(0.21), ppo: model(0.5) });
    const markdown = await compared({ '6-verdict/verdict.json': better });
    assert.match(
      markdown,
      /^\*\*Gold reward: PPO of other \.50 \(\.48 – \.52\), PPO of small \.43 \(\.41 – \.45\); the 95\u00a0% intervals do not overlap\.\*\*$/m,
    );
    assert.match(markdown, /^\| gold reward, PPO +\| +\.43 \(\.41 – \.45\) \| +\.50 \(\.48 – \.52\) \|$/m);
    assert.match(markdown, /^\| pretrain: bits per byte +\| +\.300 \| +\.300 \|$/m);
    assert.match(markdown, /^\| time +\| +21\u00a0min 0\u00a0s \| +21\u00a0min 0\u00a0s \|$/m);
  });

  it('name the verdict that one of them lacks', async () => {
    const markdown = await compared({ '6-verdict/verdict.json': '{}' });
    assert.match(markdown, /^\*not recorded: the verdict of other\*$/m);
  });

  it('have their curves over each other, each told by its name', async () => {
    const page = await compared({}, 'html');
    assert.match(page, /aria-label="Bits per byte, held-out text: small from \.500 to \.300; other from \.500 to \.300"/);
    assert.match(page, /<\/svg> small<\/li><li>.*<\/svg> other<\/li>/);
  });

  it('must be two', async () => {
    await assert.rejects(compareRuns(['runs/one'], 'markdown'), /^UserError: compare: two or more runs are required; received runs\/one/);
  });
});
