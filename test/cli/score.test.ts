import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import { ArrowFile } from '../../datasets/arrow.js';
import { type Preference, preferencesBatch, preferencesSchema } from '../../datasets/preferences.js';
import { loadRewardModel, scoreResponses } from '../../evaluation/reward-model.js';
import { type Message, trainTokenizer } from '../../tokenizer/index.js';
import { temporaryFolder } from '../datasets/temporary.js';
import { saveTinyModel, tinyConfig } from '../sampler/tiny-model.js';
import { withoutColour } from '../util/environment.js';
import { fourfold } from './capture.js';

describe('fourfold score', () => {
  const at = temporaryFolder();
  withoutColour();
  const tokenizer = trainTokenizer(['one two three four five'], { kind: 'bpe', vocabSize: 280 });
  const prompt: Message[] = [{ role: 'user', content: 'one' }];
  const responses = ['two', 'three four', 'five'];
  const scoresOf = async (name = 'rm') => {
    const model = await loadRewardModel(at(name));
    const scored = await scoreResponses(model, prompt, responses);
    model.dispose();
    return scored;
  };

  before(async () => {
    const config = { ...tinyConfig(tokenizer), head: 'scalar' as const, score_mean: 0.01, score_std: 0.5 };
    await saveTinyModel(at('rm'), tokenizer, config);
    await saveTinyModel(at('pair'), tokenizer, { ...config, head: 'pair' });
    await saveTinyModel(at('lm'), tokenizer);
    await fs.mkdir(at('both'));
    for (const member of ['member-0', 'member-1']) await fs.cp(at('rm'), at(`both/${member}`), { recursive: true });
    await fs.writeFile(at('both/ensemble.json'), JSON.stringify({ members: ['member-0', 'member-1'] }));
    const schema = preferencesSchema(new Map());
    const rows: Preference[] = [{ prompt, responses, ranks: [0, 1, 2], source: 'a' }];
    const file = new ArrowFile(at('ranked.arrow'), schema);
    await file.write(preferencesBatch(schema, rows));
    await file.close();
  });

  const ask = (name: string, ...more: string[]) =>
    fourfold('score', at(name), '--threads', '1', '--prompt', 'one', ...responses.flatMap((text) => ['--response', text]), ...more);

  it('prints raw and normalised scores, the best answer first', async () => {
    const { code, stdout, stderr } = await ask('rm');
    assert.equal(code, 0, stderr);
    const scored = (await scoresOf()).map((one, i) => ({ ...one, text: responses[i] })).sort((a, b) => b.score - a.score);
    const lines = stdout.trimEnd().split('\n');
    assert.match(lines[0], /^ *score {2}normalised {2}response$/);
    for (const [i, { score, normalised, text }] of scored.entries()) {
      assert.equal(lines[i + 1].trim().replace(/ {2,}/g, ' '), `${score.toFixed(4)} ${normalised.toFixed(2)} ${text}`);
      assert.ok(Math.abs(normalised - (score - 0.01) / 0.5) < 1e-9);
    }
  });

  it('prints JSON, with the spread of an ensemble', async () => {
    const { stdout } = await ask('both', '--json');
    const found = JSON.parse(stdout) as { scores: number[]; std: number[] };
    const alone = await scoresOf();
    assert.deepEqual(found.std, [0, 0, 0], 'the members are the same model');
    found.scores.forEach((score, i) => {
      assert.ok(Math.abs(score - (alone[i].score - 0.01)) < 1e-7, 'each less its own mean');
    });
  });

  it('scores a table, and leaves what is there unless told', async () => {
    const argv = ['score', at('rm'), '--threads', '1', '--data', at('ranked.arrow'), '-o', at('scores.jsonl')];
    const { code, stdout } = await fourfold(...argv);
    assert.deepEqual([code, stdout], [0, `${at('scores.jsonl')}: scores of 3 answers to 1 prompts\n`]);
    const [line] = (await fs.readFile(at('scores.jsonl'), 'utf8')).trimEnd().split('\n');
    assert.deepEqual(
      (JSON.parse(line) as { scores: number[] }).scores,
      (await scoresOf()).map(({ score }) => score),
    );
    assert.match((await fourfold(...argv)).stderr, /exists already\. Choose another output, or say --overwrite/);
    assert.equal((await fourfold(...argv, '--overwrite')).code, 0);
  });

  it('refuses language models, pair heads, halves of a question and texts that are too long', async () => {
    assert.match((await ask('lm')).stderr, /must be one; it is a language model\. Train one from it with fourfold reward/);
    assert.match((await ask('pair')).stderr, /must have a scalar head/);
    assert.match((await fourfold('score', at('rm'), '--prompt', 'one')).stderr, /give --prompt with one or more --response/);
    assert.match(
      (await ask('rm', '--response', 'four '.repeat(50))).stderr,
      /must fit into the model's context of 32 tokens; received \d+/,
    );
  });

  it('sample and chat refuse a reward model', async () => {
    for (const argv of [
      ['sample', at('rm'), '--prompt', 'one'],
      ['chat', at('rm')],
    ])
      assert.match((await fourfold(...argv)).stderr, /it must be a language model, which writes; it is a reward model/);
  });
});
