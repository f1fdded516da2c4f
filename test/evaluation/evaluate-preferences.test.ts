import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import path from 'node:path';
import { writeSafetensors } from '../../checkpoints/safetensors.js';
import { isHeldOut } from '../../datasets/documents.js';
import type { Preference } from '../../datasets/preferences.js';
import { preparePreferences } from '../../datasets/prepare-preferences.js';
import { boundaryArrays, fitBoundary } from '../../evaluation/boundary.js';
import { type EvaluateOptions, evaluate } from '../../evaluation/evaluate.js';
import type { PreferenceEvaluation } from '../../evaluation/evaluation.js';
import { meanPooledStates } from '../../evaluation/mean-pooled-states.js';
import { openRewardModel, scoreTexts } from '../../evaluation/reward-model.js';
import { trainTokenizer } from '../../tokenizer/index.js';
import { fourfold } from '../cli/capture.js';
import { pairOf, user, writePreferences } from '../datasets/preference-rows.js';
import { temporaryFolder } from '../datasets/temporary.js';
import { saveTinyModel, tinyConfig } from '../sampler/tiny-model.js';
import { withoutColour } from '../util/environment.js';

const WORDS = ['one', 'two', 'three', 'four', 'five', 'six', 'seven'];

describe('the evaluation of a reward model', () => {
  const at = temporaryFolder();
  withoutColour();
  const tokenizer = trainTokenizer(['one two three four five six seven'], { kind: 'bpe', vocabSize: 290 });
  const options = { device: 'auto', threads: 1, evalFraction: 0.3 } as EvaluateOptions;
  const judged = async (table: string, more: Partial<EvaluateOptions> = {}, model = 'rm') =>
    (await evaluate(at(model), [at(table)], { ...options, ...more }))[0] as PreferenceEvaluation;
  const printed = async (table: string, ...flags: string[]) => {
    const { code, stdout, stderr } = await fourfold('eval', at('rm'), at(table), '--threads', '1', ...flags);
    assert.equal(code, 0, stderr);
    return stdout;
  };

  /** Answers to 60 prompts, the one that the untrained model likes best first; its scores. */
  let liked: { prompt: string; responses: string[]; scores: number[] }[];

  before(async () => {
    const config = { ...tinyConfig(tokenizer), max_position_embeddings: 48, head: 'scalar' as const };
    await saveTinyModel(at('rm'), tokenizer, config);
    const answers = Array.from({ length: 60 }, (_, i) => ({
      prompt: `${WORDS[i % 7]} ${i}`,
      responses: [3, 2, 1, 4].map((words, k) => Array.from({ length: words }, (_, w) => WORDS[(i * (k + 2) + 3 * w + k) % 7]).join(' ')),
    }));
    const unranked = answers.map((row): Preference => ({ ...row, prompt: [user(row.prompt)], ranks: [0, 1, 2, 3], source: 'a' }));
    await writePreferences(at('unranked.arrow'), unranked);
    const model = await openRewardModel(at('rm'), { device: 'auto', threads: 1 });
    const { train } = await preparePreferences([at('unranked.arrow')], model.template, { contextLength: 48, evalFraction: 0 });
    const { mean } = await scoreTexts(model, train.flatMap(({ ids }) => ids)); // biome-ignore format: short
    liked = answers.map(({ prompt, responses }, i) => {
      const own = [...mean.subarray(4 * i, 4 * i + 4)];
      const order = [0, 1, 2, 3].sort((a, b) => own[b] - own[a]);
      return { prompt, responses: order.map((k) => responses[k]), scores: order.map((k) => own[k]) };
    });
    const states = await meanPooledStates(model.members[0], train.flatMap(({ ids }) => ids)); // biome-ignore format: short
    await writeSafetensors(path.join(at('rm'), 'boundary.safetensors'), boundaryArrays(fitBoundary(states, [])));
    model.dispose();

    const rowsOf = (ranks: (i: number) => number[]) =>
      liked.map(({ prompt, responses, scores }, i): Preference => {
        return { prompt: [user(prompt)], responses, ranks: ranks(i), scores, source: i % 2 ? 'a' : 'b' };
      });
    const [right, wrong] = [[0, 1, 2, 3], [3, 2, 1, 0]]; // biome-ignore format: short
    await writePreferences(at('right.arrow'), rowsOf(() => right)); // biome-ignore format: short
    await writePreferences(at('wrong.arrow'), rowsOf(() => wrong)); // biome-ignore format: short
    await writePreferences(at('coin.arrow'), rowsOf((i) => (i % 4 < 2 ? right : wrong))); // biome-ignore format: short
    // Pairs of which the longer answer is the better one, in 40 of 50 with the model, in 10 against it.
    const byLength = (model: 'with' | 'against') =>
      liked.flatMap(({ prompt, responses: [first, , , last] }) => {
        if (Math.abs(first.length - last.length) < 3) return [];
        const [longer, shorter] = first.length > last.length ? [first, last] : [last, first];
        return (longer === first) === (model === 'with') ? [pairOf(prompt, longer, shorter)] : [];
      });
    const [agree, disagree] = [byLength('with'), byLength('against')];
    const more = agree.length > disagree.length ? agree : disagree; // the model may like short answers
    const less = more === agree ? disagree : agree;
    const rows = [...more, ...less.slice(0, Math.floor(more.length / 4))];
    const turned = rows.map(({ responses, ...row }) => ({ ...row, responses: [...responses].reverse() }));
    await writePreferences(at('length.arrow'), more === agree ? rows : turned);
  });

  it('gives the scores that the model gives, and every figure of them', async () => {
    const { metrics, rows, part, without_comparison, too_long } = await judged('right.arrow');
    assert.deepEqual([rows, part, without_comparison, too_long, metrics.prompts, metrics.pairs], [60, 'all', 0, 0, 60, 360]);
    assert.deepEqual([metrics.accuracy, metrics.tau], [1, 1]);
    const margins = liked.flatMap(({ scores }) => scores.flatMap((a, i) => scores.slice(i + 1).map((b) => a - b)));
    assert.ok(Math.abs(metrics.margin - margins.reduce((a, b) => a + b, 0) / 360) < 1e-5);
    const wrong = await judged('wrong.arrow');
    assert.deepEqual([wrong.metrics.accuracy, wrong.metrics.tau], [0, -1]);
    assert.ok(Math.abs(wrong.metrics.margin + metrics.margin) < 1e-6);
  });

  it('says what best of n is worth where the table has gold scores', async () => {
    const { best_of_n } = await judged('right.arrow');
    assert.deepEqual(best_of_n!.map(({ n }) => n), [1, 2, 4]); // biome-ignore format: short
    const [one, , four] = best_of_n!;
    const mean = (of: (scores: number[]) => number) => liked.reduce((sum, { scores }) => sum + of(scores), 0) / 60;
    assert.ok(Math.abs(one.gold - mean((scores) => scores.reduce((a, b) => a + b, 0) / 4)) < 1e-5);
    assert.ok(Math.abs(four.gold - mean((scores) => scores[0])) < 1e-5 && Math.abs(four.gold - four.oracle) < 1e-5);
    assert.equal((await judged('length.arrow')).best_of_n, undefined);
  });

  it('says how far the answers lie from what it was trained on', async () => {
    const { boundary } = await judged('right.arrow');
    assert.ok(boundary!.outside > 0.02 && boundary!.outside < 0.06 && boundary!.distance > 0.7 && boundary!.distance < 1.1); // they are those it was fitted to
    await writePreferences(
      at('strange.arrow'),
      liked.map(({ prompt }) => pairOf(`¿${prompt}?`, '¡¡¡¡¡¡¡¡', '¿¿¿¿¿¿¿¿¿')),
    );
    assert.equal((await judged('strange.arrow')).boundary!.outside, 1);
    assert.match(await printed('strange.arrow'), /unlike those it was trained on: its scores here are guesses/);
  });

  it('takes the held-out part by the hash of the prompt, and so many as it is told', async () => {
    const heldOut = liked.filter(({ prompt }) => isHeldOut(prompt, 0.3)).length;
    assert.ok(heldOut > 5 && heldOut < 50);
    assert.equal((await judged('right.arrow', { split: 'eval' })).metrics.prompts, heldOut);
    assert.equal((await judged('right.arrow', { split: 'train' })).metrics.prompts, 60 - heldOut);
    assert.equal((await judged('right.arrow', { limit: 7 })).metrics.prompts, 7);
  });

  it('counts what it leaves out, and says so where nothing is left', async () => {
    const long = pairOf('long', 'seven '.repeat(50), 'one');
    const even: Preference = { ...pairOf('even', 'one', 'two'), ranks: [1, 1] };
    await writePreferences(at('left.arrow'), [pairOf('fine', 'one', 'two'), long, even]);
    const found = await judged('left.arrow');
    assert.deepEqual([found.rows, found.without_comparison, found.too_long, found.metrics.prompts], [3, 1, 1, 1]);
    assert.match(await printed('left.arrow'), /1 prompts, 1 pairs; of 3 rows 1 without a comparison, 1 too long: left out/);
    await writePreferences(at('nothing.arrow'), [long, even]);
    await assert.rejects(judged('nothing.arrow'), { name: 'UserError', message: /1 hold no comparison, 1 are longer than 48 tokens/ });
  });

  it('of an ensemble gives the mean spread of its members', async () => {
    const config = JSON.parse(await fs.readFile(at('rm/config.json'), 'utf8'));
    for (const [i, mean] of [0, 1].entries()) {
      await fs.cp(at('rm'), at(`both/member-${i}`), { recursive: true });
      // Scores are taken from each member's own mean: these two are apart by 1 everywhere, √½ from their middle by n − 1.
      const shifted = { ...config, fourfold: { ...config.fourfold, score_mean: mean } };
      await fs.writeFile(at(`both/member-${i}/config.json`), JSON.stringify(shifted));
    }
    await fs.writeFile(at('both/ensemble.json'), JSON.stringify({ members: ['member-0', 'member-1'] }));
    const found = await judged('right.arrow', {}, 'both');
    assert.ok(Math.abs(found.spread! - Math.SQRT1_2) < 1e-6);
    assert.equal(found.metrics.accuracy, 1);
  });

  it('is printed as tables and as JSON', async () => {
    const text = await printed('right.arrow');
    assert.match(text, /right\.arrow: 60 prompts, 360 pairs\n {2}pair accuracy +100\.0 % \(98\.9 % – 100\.0 %, 360 pairs\)/);
    for (const title of [
      'by source ',
      'the better one is ',
      'ranks apart ',
      'margins \\(better less worse\\)',
      'how sure it is',
      'best of n',
    ])
      assert.match(text, new RegExp(`^ {2}${title}`, 'm'));
    assert.match(text, /^ +4 {2}[ -]*\d\.\d{3} .* 0\.64$/m); // best of 4: log 4 − 3/4
    const [json] = JSON.parse(await printed('right.arrow', '--json'));
    assert.deepEqual([json.kind, json.metrics.pairs, json.best_of_n.length], ['preferences', 360, 3]);
  });

  it('warns of a model that is no better than chance, or worse, or that tells no more than length does', async () => {
    const warnings = [
      /cannot be told from chance/,
      /takes the worse answer for the better one/,
      /Length alone, the (longer|shorter) answer/,
    ];
    const said = async (table: string) => {
      const text = await printed(table);
      return warnings.map((warning) => warning.test(text));
    };
    assert.deepEqual(await said('right.arrow'), [false, false, false]);
    assert.deepEqual(await said('coin.arrow'), [true, false, false]);
    assert.deepEqual(await said('wrong.arrow'), [false, true, false]);
    const { metrics } = await judged('length.arrow');
    assert.ok(metrics.accuracy < 1 && metrics.interval[0] > 0.5, `${metrics.accuracy} of ${metrics.pairs}`);
    assert.deepEqual(await said('length.arrow'), [false, false, true]);
  });

  it('reads rankings with the template that the model was trained with, and nothing else', async () => {
    const { code, stderr } = await fourfold('eval', at('rm'), at('right.arrow'), '--template', 'alpaca');
    assert.equal(code, 1);
    assert.match(stderr, /--template is for language models/);
    await fs.writeFile(at('text.txt'), 'one two');
    assert.equal((await fourfold('eval', at('rm'), at('text.txt'))).code, 1);
  });
});
