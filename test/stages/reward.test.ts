import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { loadCheckpoint } from '../../checkpoints/load.js';
import { resolveRewardConfig } from '../../configs/load.js';
import { isHeldOut } from '../../datasets/documents.js';
import type { Preference } from '../../datasets/preferences.js';
import { preparePreferences } from '../../datasets/prepare-preferences.js';
import { readBoundary } from '../../evaluation/boundary.js';
import { loadRewardModel, scoreTexts } from '../../evaluation/reward-model.js';
import { SCORE } from '../../model/config.js';
import { rewardDryRun } from '../../stages/dry-run.js';
import { reward } from '../../stages/reward.js';
import { readChatTemplate, trainTokenizer } from '../../tokenizer/index.js';
import { fourfold } from '../cli/capture.js';
import { pairOf, user, writePreferences } from '../datasets/preference-rows.js';
import { temporaryFolder } from '../datasets/temporary.js';
import { saveTinyModel, tinyConfig } from '../sampler/tiny-model.js';
import { withoutColour } from '../util/environment.js';
import { never, stopAfter } from './running.js';

const CITIES = ['Avon', 'Brill', 'Corby', 'Derry', 'Elgin', 'Foyle', 'Goole'];

/** Three answers to a question: the polite one is the best, the refusal the worst. */
function ranking(i: number): Preference {
  const city = CITIES[i % CITIES.length];
  return {
    prompt: [user(`Where is house ${i} of ${city}?`)],
    responses: ['No.', `In ${city}, please.`, `In ${city}.`],
    ranks: [2, 0, 1],
    source: i % 2 === 0 ? 'north' : 'south',
  };
}

describe('the training of a reward model', () => {
  const at = temporaryFolder();
  withoutColour();
  const tokenizer = trainTokenizer(['Where is house 1 of Avon? In Avon, please. No.'], { kind: 'bpe', vocabSize: 290 });
  const rows = Array.from({ length: 40 }, (_, i) => ranking(i));
  const trained = rows.filter(({ prompt }) => !isHeldOut(prompt[0].content, 0.2)).length;
  /** What `work` says to the user, and its result. */
  const heard = async <T>(work: () => Promise<T>): Promise<{ said: string; result: T }> => {
    const { write } = process.stderr;
    let said = '';
    process.stderr.write = (text: string | Uint8Array) => {
      said += String(text);
      return true;
    };
    try {
      return { result: await work(), said };
    } finally {
      process.stderr.write = write;
    }
  };

  before(async () => {
    await saveTinyModel(at('base'), tokenizer, { ...tinyConfig(tokenizer), max_position_embeddings: 64 });
    await writePreferences(at('cities.arrow'), rows);
  });

  const config = (name: string, { data, ...more }: { data?: object; [key: string]: unknown } = {}) =>
    resolveRewardConfig({
      init_from: at('base'),
      data: { path: at('cities.arrow'), eval_fraction: 0.2, ...data },
      output_dir: at(name),
      batch_size: 5,
      micro_batch_tokens: 256,
      max_steps: 6,
      learning_rate: 3e-3,
      eval_steps: 3,
      save_steps: 2,
      save_total_limit: 10,
      logging_steps: 1,
      threads: 1,
      ...more,
    } as Parameters<typeof resolveRewardConfig>[0]);
  const listen = (name: string, more: Parameters<typeof config>[1] = {}, signal = never, resume?: string) => {
    const resolved = config(name, more);
    return heard(() => reward(resolved, { directory: resolved.output_dir, resume }, signal));
  };
  const run = async (...given: Parameters<typeof listen>) => (await listen(...given)).result;
  const hash = async (...parts: string[]) =>
    createHash('sha256')
      .update(await fs.readFile(at(path.join(...parts))))
      .digest('hex');
  const metricsOf = async (name: string) =>
    (await fs.readFile(at(path.join(name, 'metrics.jsonl')), 'utf8'))
      .trim()
      .split('\n')
      .map((line) => {
        const { seconds: _, tokens_per_second: __, ...rest } = JSON.parse(line) as Record<string, number>;
        return rest;
      });
  const MODEL = ['model.safetensors', 'config.json', 'boundary.safetensors'].map((file) => `final/${file}`);
  const assertSameFiles = async (name: string, other: string, files: readonly string[]) => {
    for (const file of files) assert.equal(await hash(name, file), await hash(other, file), `${file} of ${name} and ${other}`);
  };
  const heldOutTexts = async () => {
    const template = await readChatTemplate(at('base'), tokenizer);
    const { heldOut } = await preparePreferences([at('cities.arrow')], template, { contextLength: 64, evalFraction: 0.2 });
    return heldOut.flatMap(({ ids }) => ids);
  };

  it('learns what makes the better answer, and says so from step 0 on, in all and by source', async () => {
    const steps = Math.ceil(trained / 5);
    assert.ok(trained % 5 > 0); // the last batch of an epoch is smaller
    const { metrics, steps: made } = await run('learns', { max_steps: undefined, epochs: 5, learning_rate: 1e-2, eval_steps: 10 });
    assert.equal(made, 5 * steps);
    assert.ok(metrics['eval/accuracy'] >= 0.95 && metrics['eval/loss'] < 0.2 && metrics['eval/margin'] > 1, JSON.stringify(metrics));
    assert.ok(metrics['eval/accuracy_low'] < metrics['eval/accuracy']);
    const lines = await metricsOf('learns');
    assert.ok(lines[0]['eval/loss'] > metrics['eval/loss'] + 0.3, `${lines[0]['eval/loss']}`);
    assert.deepEqual([lines[0].step, lines[0]['eval/accuracy']], [0, metrics['start/eval/accuracy']]);
    assert.ok('eval/accuracy/north' in lines[0] && 'eval/accuracy/south' in lines[0] && 'eval/ece' in lines[0]);
    assert.deepEqual(lines.filter(({ step }) => step > 0 && step % steps === 0).map(({ epoch }) => epoch), [1, 2, 3, 4, 5]); // biome-ignore format: short
    const { code, stdout } = await fourfold('score', at('learns'), '--prompt', 'Where is Avon?', '--response', 'No.', '--response', 'In Avon, please.', '--threads', '1'); // biome-ignore format: one command
    assert.equal(code, 0);
    assert.ok(stdout.indexOf('In Avon, please.') < stdout.indexOf('No.'), stdout);
  });

  it('stores mean and standard deviation of the score of held-out answers, and where its training texts lie', async () => {
    await run('stores', { max_steps: 2 });
    const model = await loadRewardModel(at('stores'));
    const texts = await heldOutTexts();
    const { mean: scores } = await scoreTexts(model, texts);
    const mean = scores.reduce((a, b) => a + b, 0) / texts.length;
    const std = Math.sqrt(scores.reduce((sum, score) => sum + (score - mean) ** 2, 0) / texts.length);
    model.dispose();
    assert.ok(Math.abs(model.normal.mean - mean) < 1e-6 && Math.abs(model.normal.std - std) < 1e-6, `${mean} ${std}`);
    assert.equal((await readBoundary(at(path.join('stores', 'final'))))!.mean.length, 32);
  });

  it('gives the same bits when it is stopped and resumed, with dropout, and on two threads', async () => {
    const more = { dropout: 0.1, max_steps: 8 };
    await run('whole', more);
    for (const stop of [1, 5]) {
      const name = `stopped-${stop}`;
      assert.equal((await run(name, more, stopAfter(stop))).steps, stop);
      assert.equal((await run(name, more, never, 'auto')).steps, 8);
      const state = ['optimizer.safetensors', 'trainer_state.json'].map((file) => `checkpoints/step-000008/${file}`);
      await assertSameFiles(name, 'whole', [...MODEL, ...state]);
      assert.deepEqual(await metricsOf(name), await metricsOf('whole'));
    }
    await run('threads', { ...more, threads: 2 });
    await assertSameFiles('threads', 'whole', MODEL);
  });

  it('leaves as many tensors as it found', async () => {
    const before = tf.memory().numTensors;
    await run('tidy', { max_steps: 2, eval_steps: 1, early_stopping_patience: 1, data: { boundary: at('cities.arrow') } });
    assert.equal(tf.memory().numTensors, before);
  });

  it('stops early when the held-out accuracy does not get better, and takes the best model with its own scores', async () => {
    const { steps, metrics } = await run('early', {
      ...{ learning_rate: 1e-2, max_steps: 100, eval_steps: 1, save_total_limit: 1, early_stopping_patience: 3 },
    });
    const best = metrics['best/step'];
    assert.ok(steps < 100 && steps === best + 3, `${steps} ${best}`);
    const checkpoint = `checkpoints/step-${String(best).padStart(6, '0')}`;
    assert.equal(await hash('early', 'final', 'model.safetensors'), await hash('early', checkpoint, 'model.safetensors'));
    const model = await loadRewardModel(at('early'));
    const { mean } = await scoreTexts(model, await heldOutTexts());
    model.dispose();
    assert.ok(Math.abs(mean.reduce((a, b) => a + b, 0) / mean.length - model.normal.mean) < 1e-6);
  });

  it('makes an ensemble of models from different seeds, which goes on where it stopped', async () => {
    const more = { ensemble: 2, max_steps: 3 };
    const { checkpoint, steps } = await run('ensemble', more);
    assert.deepEqual([checkpoint, steps], [at('ensemble/final'), 6]);
    assert.deepEqual(JSON.parse(await fs.readFile(at('ensemble/final/ensemble.json'), 'utf8')), { members: ['member-0', 'member-1'] });
    const [first, second] = await Promise.all([0, 1].map((i) => loadCheckpoint(at(`ensemble/final/member-${i}`))));
    assert.notDeepEqual(first.weights.get(SCORE), second.weights.get(SCORE));
    const model = await loadRewardModel(at('ensemble'));
    const texts = await heldOutTexts();
    const { std } = await scoreTexts(model, texts);
    model.dispose();
    assert.ok(std.every((value) => value > 0));

    const stopped = await run('resumed', more, stopAfter(5)); // 3 steps of the first, 1 of the second
    assert.deepEqual([stopped.steps, path.basename(stopped.checkpoint)], [1, 'step-000001']);
    await assert.rejects(run('resumed', more, never, stopped.checkpoint), /an ensemble goes on where each of its members stopped/);
    await run('resumed', more, never, 'auto');
    for (const member of ['member-0', 'member-1'])
      await assertSameFiles('resumed', 'ensemble', [`final/${member}/model.safetensors`, `final/${member}/config.json`]);
    await assert.rejects(run('stores', more), /an ensemble needs a directory without another run; .* holds checkpoints/);
    await assert.rejects(run('ensemble', more), /holds final\. Choose another output_dir/);
  });

  it('says how many rows hold no comparison, do not fit, or have lost a part of their prompt', async () => {
    const question = (i: number, words: number) => `${'far '.repeat(words)}house ${i}?`;
    const odd: Preference[] = [
      { ...ranking(0), ranks: [1, 1, 1] },
      pairOf('Too long?', 'word '.repeat(60), 'No.'),
      pairOf(question(1, 40), 'Yes.', 'No.'),
    ];
    await writePreferences(at('odd.arrow'), [...rows.slice(0, 17), ...odd]);
    const { said } = await listen('odd', { max_steps: 1, data: { path: at('odd.arrow'), eval_fraction: 0 } });
    assert.match(said, /1 of 20 rows \(5\.0 %\) hold no comparison/);
    assert.match(said, /1 of 20 rows \(5\.0 %\) left out: an answer does not fit into 64 tokens/);
    assert.match(said, /1 of 20 rows \(5\.0 %\) have a prompt that lost its left part/);
    assert.match(said, /18 prompts to train on with 53 answers; 0 held out; 1 steps/);
  });

  it('learns whole rankings by Plackett and Luce, but for ties, whose rows it names', async () => {
    await run('listwise', { loss: 'plackett_luce', max_steps: 1 });
    await run('pairwise', { max_steps: 1 });
    assert.notEqual(await hash('listwise', 'final/model.safetensors'), await hash('pairwise', 'final/model.safetensors'));
    await writePreferences(at('tied.arrow'), [ranking(0), { ...ranking(1), ranks: [0, 0, 1] }]);
    const data = { path: at('tied.arrow'), eval_fraction: 0 };
    await assert.rejects(
      run('tied', { loss: 'plackett_luce', data }),
      /with loss: plackett_luce each ranking must be without ties; 1 have some \(rows 1\)/,
    );
  });

  it('trains an encoder that reads two answers at once, which has no score to be normalised', async () => {
    const more = { head: 'pair', attention: 'bidirectional', learning_rate: 1e-2, max_steps: 40, eval_steps: 40 };
    const { metrics } = await run('pair', { ...more, data: { boundary: at('cities.arrow') } });
    assert.ok(metrics['eval/accuracy'] > 0.9, `${metrics['eval/accuracy']}`);
    const { config: model } = await loadCheckpoint(at('pair/final'));
    assert.deepEqual([model.head, model.attention, model.score_mean], ['pair', 'bidirectional', undefined]);
  });

  it('judges the finished model on other rankings, and says how far they lie from its own', async () => {
    const others = rows.map((row) => ({ ...row, prompt: [user(`${row.prompt[0].content.toUpperCase()} 12345 67890`)] }));
    await writePreferences(at('others.arrow'), others);
    const data = { boundary: [at('cities.arrow'), at('others.arrow')] };
    const { result, said } = await listen('judged', { max_steps: 4, data });
    const { metrics } = result;
    assert.match(said, /others: accuracy \d+\.\d % \(.*\), \d+\.\d % of its answers outside the boundary/);
    assert.ok(metrics['boundary/others/distance'] > 1.5 * metrics['boundary/cities/distance'], JSON.stringify(metrics));
    assert.ok(metrics['boundary/others/outside'] > 0.9 && metrics['boundary/cities/outside'] < 0.3, JSON.stringify(metrics));
    assert.ok(metrics['boundary/others/accuracy'] >= 0 && metrics['boundary/others/ece'] >= 0);
    const twice = { boundary: [at('others.arrow'), at('others.arrow')] };
    await assert.rejects(run('twice', { data: twice }), /must have different names, which their figures go by; received others twice/);
  });

  it('goes on with nothing but what it began with', async () => {
    await run('began', { max_steps: 2 });
    const again = (more: Parameters<typeof config>[1]) => run('began', { max_steps: 4, ...more }, never, 'auto');
    await assert.rejects(again({ data: { limit: 10 } }), /it began with other rankings/);
    await assert.rejects(again({ head: 'pair', attention: 'bidirectional' }), /other head \(scalar\), attention \(causal\)/);
    assert.equal((await again({})).steps, 4);
  });

  it('shows in a dry run what it would cost, and one ranking token by token, and writes nothing', async () => {
    const report = await rewardDryRun(config('rehearsed', { ensemble: 2 }));
    assert.match(report, /^model: .* parameters, vocabulary \d+, scalar head$/m);
    assert.match(report, new RegExp(`^data: +${trained} prompts to train on, ${40 - trained} held out$`, 'm'));
    assert.match(report, /^run: +12 steps of 5 prompts, in the first 15 pairs; batches of \d+ × \d+ tokens$/m);
    assert.match(report, /^speed: .* tokens\/s, .* pairs\/s/m);
    assert.match(report, /^time: .*\nmemory: /m);
    const marked = report.split('\n').filter((line) => line.startsWith('▌'));
    const best = ranking(rows.findIndex(({ prompt }) => !isHeldOut(prompt[0].content, 0.2)));
    assert.equal(marked[0].slice(2).replaceAll('|', '').replaceAll('␣', ' '), `${best.responses[1]}<eos>`);
    assert.match(report, /rank 0, \d+ of \d+ tokens are the answer[\s\S]*rank 1, [\s\S]*rank 2, /);
    await assert.rejects(fs.access(at('rehearsed')));
  });

  it('makes the table of a file that is none, and refuses what holds no rankings', async () => {
    const lines = rows
      .slice(0, 4)
      .map(({ prompt, responses }) => ({ prompt: prompt[0].content, chosen: responses[1], rejected: responses[0] }));
    await fs.writeFile(at('pairs.jsonl'), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    const data = { path: at('pairs.jsonl'), eval_fraction: 0 };
    assert.equal((await run('imported', { max_steps: 1, data })).steps, 1);
    await fs.writeFile(at('chats.jsonl'), `${JSON.stringify({ instruction: 'a', input: '', output: 'b' })}\n`);
    await assert.rejects(run('chats', { data: { path: at('chats.jsonl'), eval_fraction: 0 } }), /must lead to preferences; .* is read as a table of conversations/); // biome-ignore format: short
  });
});
