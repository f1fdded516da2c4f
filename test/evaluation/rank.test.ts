import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fs from 'node:fs/promises';
import { readMetadata } from '../../datasets/arrow.js';
import type { Generation } from '../../datasets/generations.js';
import { goldOf, openGold } from '../../datasets/world/gold.js';
import { preferences } from '../../datasets/world/tables.js';
import { readWorld } from '../../datasets/world/world.js';
import { writeWorld } from '../../datasets/world/write.js';
import { type RankOptions, type RankTools, rankAnswers } from '../../evaluation/rank.js';
import { sha256File } from '../../util/files.js';
import { preferencesIn } from '../datasets/preference-rows.js';
import { temporaryFolder } from '../datasets/temporary.js';
import { generationOf, writeGenerations } from './generation-table.js';

const userError = (message: RegExp) => ({ name: 'UserError', message });

describe('ranking answers', () => {
  const at = temporaryFolder();
  const options = (more: Partial<RankOptions> & Pick<RankOptions, 'annotator'>): RankOptions => ({
    ...{ data: at('generations.arrow'), output: at('prefs.arrow'), seed: 3, overwrite: true },
    ...more,
  });

  describe('by the built-in world', () => {
    let made: Generation[] = [];
    before(async () => {
      await writeWorld({ output: at('world'), seed: 5, size: 0.1, languages: ['en'] });
      const world = await readWorld(at('world'));
      const rows = [...preferences(world, goldOf(world))].filter((row, i, all) => row.prompt !== all[i - 1]?.prompt).slice(0, 60);
      made = rows.map(({ prompt, responses }) => generationOf(prompt, responses));
      made[1].answers.push({ ...made[1].answers[0] }); // the same text again
      made[2].answers = made[2].answers.map((answer) => ({ ...answer, text: 'the same' }));
      made[3].answers[0].finishReason = 'length';
      await writeGenerations(at('generations.arrow'), made);
    });

    it('gold: ranks are those of the gold reward, which is kept as scores', async () => {
      const summary = await rankAnswers(options({ annotator: 'gold', world: at('world') }));
      const rows = await preferencesIn(at('prefs.arrow'));
      const gold = await openGold(at('world'));
      let sum = 0;
      let answers = 0;
      for (const { prompt, responses, ranks, scores, annotator, source } of rows) {
        const row = made.find(
          (generation) => JSON.stringify(generation.prompt) === JSON.stringify(prompt) && generation.answers[0].text === responses[0],
        )!;
        const expected = responses.map((text) => {
          const { finishReason } = row.answers.find((answer) => answer.text === text)!;
          return Math.fround(gold(prompt, text, finishReason === 'stop').total);
        });
        assert.deepEqual(scores, expected);
        assert.deepEqual([annotator, source], ['gold', 'made']);
        const best = Math.max(...expected);
        for (const [i, rank] of ranks.entries()) assert.equal(rank === 1, best - expected[i] < 0.05 - 1e-6);
        sum += expected.reduce((a, b) => a + b);
        answers += expected.length;
      }
      assert.deepEqual([summary.rows, summary.prompts, summary.same, summary.merged], [59, 60, 1, 1 + made[2].answers.length - 1]);
      assert.deepEqual([summary.answers, summary.annotators], [answers, { gold: { rows: 59 } }]);
      assert.ok(Math.abs(summary.score! - sum / answers) < 1e-6);
    });

    it('an answer that was cut is worth less to gold than the same one that ended', async () => {
      await rankAnswers(options({ annotator: 'gold', world: at('world') }));
      const rows = await preferencesIn(at('prefs.arrow'));
      const gold = await openGold(at('world'));
      const [{ prompt, answers }] = [made[3]];
      const row = rows.find(({ responses }) => responses.join() === answers.map(({ text }) => text).join())!;
      assert.equal(row.scores![0], Math.fround(gold(prompt, answers[0].text, false).total));
    });

    it('simulated: annotators take turns, every tenth prompt is ranked by all, and the seed decides their errors', async () => {
      const summary = await rankAnswers(options({ annotator: 'simulated', world: at('world') }));
      const rows = await preferencesIn(at('prefs.arrow'));
      assert.deepEqual(Object.keys(summary.annotators).sort(), ['careful', 'hurried', 'steady']);
      assert.equal(summary.rows, 59 + 2 * 6); // rows 0, 10 … 50 by all three
      assert.equal(rows.length, summary.rows);
      assert.deepEqual(rows.slice(0, 3).map(({ annotator }) => annotator), ['careful', 'steady', 'hurried']); // biome-ignore format: short
      const ranks = () => preferencesIn(at('prefs.arrow')).then((all) => all.map((row) => row.ranks.join()).join(' '));
      const before = await ranks();
      await rankAnswers(options({ annotator: 'simulated', world: at('world') }));
      assert.equal(await ranks(), before);
      await rankAnswers(options({ annotator: 'simulated', world: at('world'), seed: 4 }));
      assert.notEqual(await ranks(), before);
    });

    it('a prompt that is not of the world is an error that names its row', async () => {
      await writeGenerations(at('strange.arrow'), [made[0], generationOf('What is love?', ['a', 'b'])]);
      await assert.rejects(
        rankAnswers(options({ annotator: 'gold', world: at('world'), data: at('strange.arrow'), output: at('none.arrow') })),
        userError(/rank: row 1: .*What is love/),
      );
      await assert.rejects(fs.stat(at('none.arrow')));
    });
  });

  const three = [
    generationOf('one', ['a', 'bb', 'ccc']),
    generationOf('same', ['x', 'x']),
    generationOf('two', ['a', 'bb', 'a']),
    generationOf('three', ['ccc', 'aaa']),
  ];
  const ownTable = () => writeGenerations(at('generations.arrow'), three);

  it('by a scorer: the highest score is best, equal scores are a tie', async () => {
    await ownTable();
    const openScorer: RankTools['openScorer'] = async (checkpoint) => {
      assert.equal(checkpoint, 'runs/rm:1/final');
      return async (_, responses) => responses.map(({ length }) => length);
    };
    const summary = await rankAnswers(options({ annotator: 'rm:runs/rm:1/final' }), { openScorer });
    const rows = await preferencesIn(at('prefs.arrow'));
    assert.deepEqual(
      rows.map(({ responses, ranks, scores }) => [responses.join(), ranks.join(), scores!.join()]),
      [
        ['a,bb,ccc', '3,2,1', '1,2,3'],
        ['a,bb', '2,1', '1,2'],
        ['ccc,aaa', '1,1', '3,3'],
      ],
    );
    assert.deepEqual([summary.comparisons, summary.ties, summary.withoutComparison, summary.merged], [4, 1, 1, 2]);
    const metadata = await readMetadata(at('prefs.arrow'));
    assert.deepEqual([metadata.get('importer'), metadata.get('annotator'), metadata.get('seed')], ['rank', 'rm:runs/rm:1/final', '3']);
    assert.equal(metadata.get('source_sha256'), await sha256File(at('generations.arrow')));
  });

  describe('by a person', () => {
    const person = (...lines: (string | undefined)[]): RankTools => ({
      dialogue: { ask: async () => lines.shift(), show: () => {}, now: () => 0 },
    });

    it('writes what is ranked so far, and the same command goes on', async () => {
      await ownTable();
      const run = (...lines: string[]) =>
        rankAnswers(options({ annotator: 'human:ann', output: at('human.arrow'), overwrite: false }), person(...lines));
      const first = await run('1=2=3', 's', 'q');
      assert.deepEqual([first.rows, first.skipped, first.waiting, first.same], [1, 1, 1, 1]);
      const second = await run('2 1');
      assert.deepEqual([second.rows, second.skipped, second.waiting], [2, 1, 0]);
      const rows = await preferencesIn(at('human.arrow'));
      assert.deepEqual(rows.map(({ annotator, ranks }) => [annotator, ranks.length]), [['ann', 3], ['ann', 2]]); // biome-ignore format: short
      assert.deepEqual(second.annotators, { ann: { rows: 2, seconds: 0 } });
      await assert.rejects(fs.stat(`${at('human.annotations.jsonl')}.lock`));
    });

    it('--overwrite begins anew; a table that was not made so is not touched without it', async () => {
      await ownTable();
      const human = (more: Partial<RankOptions>, ...lines: string[]) =>
        rankAnswers(options({ annotator: 'human', ...more }), person(...lines));
      assert.equal((await human({ output: at('h.arrow') }, '1 2 3', '1 2', '1 2')).rows, 3);
      assert.equal((await human({ output: at('h.arrow') }, 'q')).rows, 0);
      assert.equal((await fs.readFile(at('h.annotations.jsonl.old'), 'utf8')).trim().split('\n').length, 4);
      assert.equal((await preferencesIn(at('h.arrow'))).length, 3); // until there is something in its place
      assert.equal((await human({ output: at('h.arrow'), overwrite: false }, '1 2 3', 'u', 'q')).waiting, 3);
      await assert.rejects(fs.stat(at('h.arrow')));
      await fs.writeFile(at('mine.arrow'), 'mine');
      await assert.rejects(human({ output: at('mine.arrow'), overwrite: false }), userError(/mine\.arrow exists already.*--overwrite/));
      assert.equal(await fs.readFile(at('mine.arrow'), 'utf8'), 'mine');
    });

    it('the guideline goes into the metadata by its SHA-256', async () => {
      await ownTable();
      await fs.writeFile(at('guide.md'), '# Guide');
      await rankAnswers(options({ annotator: 'human', output: at('g.arrow'), guideline: at('guide.md') }), person('1 2 3', 'q'));
      const sha256 = createHash('sha256').update('# Guide').digest('hex');
      assert.equal((await readMetadata(at('g.arrow'))).get('guideline_sha256'), sha256);
      assert.match(await fs.readFile(at('g.annotations.jsonl'), 'utf8'), new RegExp(`"seconds":0,"guideline":"${sha256}"`));
    });

    it('needs somebody who can be asked', async () => {
      await ownTable();
      await assert.rejects(rankAnswers(options({ annotator: 'human' })), userError(/nobody is there/));
    });
  });

  for (const [what, more, message] of [
    ['an unknown annotator', { annotator: 'robot' }, /must be simulated, gold, rm:CHECKPOINT, human or human:NAME; received robot/],
    ['a reward model without a checkpoint', { annotator: 'rm' }, /received rm\./],
    ['a name for gold', { annotator: 'gold:x' }, /received gold:x/],
    ['gold without a world', { annotator: 'gold' }, /--world DIR/],
    ['a world for a person', { annotator: 'human', world: 'w' }, /--world is for/],
    ['a guideline for gold', { annotator: 'gold', world: 'w', guideline: 'g' }, /--guideline is for/],
    ['a guideline that is not there', { annotator: 'human', guideline: 'none.md' }, /none\.md failed \(ENOENT\)/],
    ['a checkpoint that is not there', { annotator: 'rm:x' }, /^loading a checkpoint: x must be a checkpoint/],
  ] as const) {
    it(`refuses ${what}`, async () => {
      await ownTable();
      const tools = { dialogue: { ask: async () => undefined, show: () => {}, now: () => 0 } };
      await assert.rejects(rankAnswers(options({ ...more, output: at('refused.arrow') }), tools), userError(message));
    });
  }

  it('is an error where no prompt has two different answers, and where the output exists', async () => {
    await writeGenerations(at('one.arrow'), [generationOf('q', ['x', 'x'])]);
    const openScorer = async () => async () => [1];
    const run = (more: Partial<RankOptions>) => rankAnswers(options({ annotator: 'rm:x', data: at('one.arrow'), ...more }), { openScorer });
    await assert.rejects(run({ output: at('new.arrow') }), userError(/two different answers in .*one\.arrow; of 1, 1 have fewer.*--num/));
    await assert.rejects(run({ output: at('one.arrow'), overwrite: false }), userError(/one\.arrow exists already/));
  });
});
