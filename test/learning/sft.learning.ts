import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { run } from '../../cli/run.js';
import { loadPretrainConfig, loadSftConfig } from '../../configs/load.js';
import { generate } from '../../sampler/generate.js';
import { loadModel } from '../../sampler/model.js';
import { pretrain } from '../../stages/pretrain.js';
import { sft } from '../../stages/sft.js';
import { type Message, readChatTemplate } from '../../tokenizer/index.js';

/** What fine-tuning learns on real conversations, after a base model trained for a third of its usual steps. */
describe('ready configurations of fine-tuning', function () {
  this.timeout(60 * 60_000);
  const folder = mkdtempSync(path.join(os.tmpdir(), 'fourfold-learning-'));
  const at = (name: string) => path.join(folder, name);
  const never = new AbortController().signal;
  after(() => rmSync(folder, { recursive: true, force: true }));
  const fourfold = async (...args: string[]) => assert.equal(await run(args), 0, args.join(' '));

  const train = async (name: string, overrides: string[]) => {
    const config = await loadSftConfig(name, [`init_from=${at('base')}`, 'logging_steps=100', ...overrides]);
    const result = await sft(config, { directory: at([name, ...overrides].join('-').replaceAll('/', '_')) }, never);
    console.log(
      `      ${[name, ...overrides.filter((one) => !one.startsWith('data.path'))].join(' ')}: ${JSON.stringify(result.metrics)}, ${result.seconds.toFixed(0)} s`,
    );
    return result;
  };

  before('a base model', async () => {
    const corpora: [string, ...string[]][] = [
      ['wiki_demo.txt', '--document', 'line'],
      ['c4_demo.jsonl'],
      ['tinyshakespeare.txt', '--document', 'blank_line'],
      ['alpaca_en_demo.json', '--columns', 'text=output'],
      ['alpaca_zh_demo.json', '--columns', 'text=output'],
    ];
    const arrows: string[] = [];
    for (const [file, ...options] of corpora) {
      assert.ok(existsSync(`data/${file}`), `data/${file} is needed: fourfold data fetch brings it`);
      arrows.push(at(`${path.parse(file).name}.text.arrow`));
      await fourfold('data', 'import', `data/${file}`, ...options, '-o', arrows.at(-1)!);
    }
    await fourfold('tokenizer', 'train', ...arrows, '-o', at('tokenizer.json'), '--vocab-size', '8192');
    await fourfold('data', 'prepare', ...arrows.slice(0, 3), '--tokenizer', at('tokenizer.json'), '-o', at('tokens'));
    for (const language of ['en', 'zh']) {
      await fourfold('data', 'import', `data/alpaca_${language}_demo.json`, '-o', at(`alpaca_${language}_demo.arrow`));
    }
    const config = await loadPretrainConfig('base', [`data.path=${at('tokens')}`, 'max_steps=500', 'logging_steps=100']);
    await pretrain(config, { directory: at('base') }, never);
  });

  it('sft-alpaca answers held-out questions with a far lower loss in both languages, beside replayed text', async () => {
    const paths = `data.path=[${at('alpaca_en_demo.arrow')}, ${at('alpaca_zh_demo.arrow')}]`;
    const { metrics } = await train('sft-alpaca', [paths, `data.replay.path=${at('tokens')}`, 'data.replay.fraction=0.2']);
    // measured: 6.24 → 5.17 and 12.44 → 5.91
    assert.ok(metrics['eval/loss/alpaca_en_demo'] < 5.3, `${metrics['eval/loss/alpaca_en_demo']}`);
    assert.ok(metrics['eval/loss/alpaca_zh_demo'] < 6.1, `${metrics['eval/loss/alpaca_zh_demo']}`);
    assert.ok(metrics['eval/loss'] < metrics['start/eval/loss'] - 3);
  });

  it('sft-fudan learns its answer word for word', async () => {
    const { checkpoint } = await train('sft-fudan', []);
    const model = await loadModel(checkpoint);
    const template = await readChatTemplate(checkpoint, model.tokenizer);
    const question: Message[] = [{ role: 'user', content: '复旦大学有几个校区？' }];
    const { ids } = template.encode(question, { addGenerationPrompt: true });
    const { tokens } = await generate(model, [ids], { sampling: { temperature: 0 }, maxTokens: 120, eos: template.stopIds, seed: 1 });
    assert.equal(
      model.tokenizer.decode(tokens[0], { skipSpecial: true }),
      '复旦大学有四个校区：邯郸校区、江湾校区、枫林校区和张江校区。邯郸校区是主校区，它和江湾校区都在杨浦区；枫林校区在徐汇区，张江校区在浦东新区。',
    );
    model.dispose();
  });
});
