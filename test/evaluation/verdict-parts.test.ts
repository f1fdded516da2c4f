import assert from 'node:assert/strict';
import { openDialogues } from '../../datasets/world/dialogues.js';
import { goldOf } from '../../datasets/world/gold.js';
import { reader } from '../../datasets/world/mentions.js';
import { partOf, questionOf } from '../../datasets/world/questions.js';
import { corpus as corpusOf, prompts } from '../../datasets/world/tables.js';
import { makeWorld } from '../../datasets/world/world.js';
import { meanInterval } from '../../evaluation/intervals.js';
import { decoded, examplesOf, type JudgedAnswer, winRate } from '../../evaluation/verdict/decoded.js';
import { bestOf } from '../../evaluation/verdict/judging.js';
import { type Message, trainTokenizer } from '../../tokenizer/index.js';

const near = (actual: number, expected: number) => assert.ok(Math.abs(actual - expected) < 1e-6, `${actual} ${expected}`);

describe('the mean of answers', () => {
  it('has an interval of 1.96 standard deviations of the mean on either side', () => {
    const { mean, ci95, n } = meanInterval([1, 2, 3, 6]); // deviations −2 −1 0 3: variance 14/3, of the mean 14/12
    assert.deepEqual([mean, n], [3, 4]);
    near(ci95[0], 3 - 1.959963984540054 * 1.0801234497346435);
    near(ci95[1], 3 + 1.959963984540054 * 1.0801234497346435);
  });

  it('has none where all are equal, or there is one', () => {
    assert.deepEqual(meanInterval([0.5, 0.5, 0.5]), { mean: 0.5, ci95: [0.5, 0.5], n: 3 });
    assert.deepEqual(meanInterval([0.25]), { mean: 0.25, ci95: [0.25, 0.25], n: 1 });
  });
});

describe('a comparison of answers', () => {
  it('wins by the higher gold reward to the same prompt, and by half where they are equal', () => {
    const { mean, ci95, n } = winRate([1, 0, 0.5, 0.5], [0, 1, 0.5, 0.2]); // 1, 0, ½, 1
    assert.deepEqual([mean, n], [0.625, 4]);
    near(ci95[1] - mean, (1.959963984540054 * Math.sqrt(0.6875 / 3)) / 2);
  });

  it('chooses the answer with the highest score, of equal ones the first', () => {
    assert.deepEqual([bestOf([-1, 3, 2, 3]), bestOf([-2]), bestOf([-2, -2])], [1, 0, 0]);
  });
});

describe('the figures of answers', () => {
  const tokenizer = trainTokenizer(['xy'], { kind: 'char' });
  const gold = (total: number, facts: number, ended: number) => ({ total, facts, complete: 0, courteous: 1, concise: 0.5, ended });
  const rows = ['a/x', 'a/y', 'b'].map((source, i) => ({
    prompt: [{ role: 'user', content: `${i}` }] as Message[],
    source,
    ...(i < 2 && { reference: 'Xy!' }),
  }));
  const answers: JudgedAnswer[] = [
    { text: 'xy', tokens: [1, 2, 9], ended: true, gold: gold(1, 1, 1), score: 2 },
    { text: 'xy', tokens: [1, 2], ended: false, gold: gold(0.25, 0, 0), score: 0 },
    { text: 'y', tokens: [2, 9, 9, 9], ended: true, gold: gold(0.1, 0.5, 1), score: 1 },
  ];

  it('are means over the prompts, by kind of prompt and by part of the reward', () => {
    const found = decoded(rows, answers, tokenizer, 1);
    near(found.gold_reward.mean, 0.45);
    assert.deepEqual(found.parts, { facts: 0.5, complete: 0, courteous: 1, concise: 0.5, ended: 2 / 3 });
    assert.deepEqual(Object.keys(found.by_kind), ['a', 'b']);
    assert.deepEqual([found.by_kind.a.mean, found.by_kind.a.n, found.by_kind.b], [0.625, 2, { mean: 0.1, ci95: [0.1, 0.1], n: 1 }]);
    assert.deepEqual([found.score?.mean, found.ended, found.response_length], [1, 2 / 3, 3]);
    assert.deepEqual([found.distinct_1, found.distinct_2], [2 / 5, 1 / 2]);
    assert.equal(found.exact_match, 1, 'case and punctuation do not count, nor does a prompt without a reference');
  });

  it('leave out what there is nothing of', () => {
    const bare = decoded(
      rows.map(({ prompt, source }) => ({ prompt, source })),
      answers.map(({ score: _, ...rest }) => rest),
      tokenizer,
      0,
    );
    assert.ok(!('score' in bare) && !('exact_match' in bare));
  });

  it('are shown with prompts from each kind in turn, in their order', () => {
    const kinds = ['a', 'a', 'a', 'b', 'a', 'c', 'b'].map((source) => ({ prompt: [], source }));
    assert.deepEqual(examplesOf(kinds, 5), [0, 1, 3, 5, 6]);
    assert.deepEqual(examplesOf(kinds, 6), [0, 1, 2, 3, 5, 6]);
    assert.deepEqual([examplesOf(kinds, 9).length, examplesOf([], 3)], [7, []]);
  });
});

describe('a question in a dialogue of the corpus', () => {
  const world = makeWorld({ seed: 2, size: 0.2, languages: ['en', 'zh'] });
  const [gold, mentionsIn] = [goldOf(world), reader(world.universities)];
  const open = openDialogues(world, { examples: 3, seed: 7 });

  it('stands behind examples that are for training and answered well, and ends with the name of who is to answer', () => {
    for (const [question, mark, separator] of [
      ['Where is it?', ':', ': '],
      ['它在哪里？', '：', '：'],
    ]) {
      const opened = open(question);
      assert.equal(opened.mark, mark);
      const lines = opened.text.split('\n');
      assert.equal(lines.length, 8);
      const [asks, answers] = lines.slice(0, 2).map((line) => line.split(mark, 1)[0]);
      assert.notEqual(asks, answers);
      for (let i = 0; i < 6; i += 2) {
        assert.ok(lines[i].startsWith(asks + separator) && lines[i + 1].startsWith(answers + separator), opened.text);
        const prompt: Message[] = [{ role: 'user', content: lines[i].slice((asks + separator).length) }];
        assert.equal(partOf(questionOf(prompt, mentionsIn)!, world.seed), 'train');
        assert.equal(gold(prompt, lines[i + 1].slice((answers + separator).length), true).total, 1);
      }
      assert.deepEqual(lines.slice(6), [asks + separator + question, answers]);
    }
  });

  it('ends where a token of the corpus does, in Chinese too, where the mark and the answer may share one', () => {
    const answers = { en: ' I am happy to help. It is in Erlo.', zh: '很高兴帮助您。对不起，我不知道。' };
    const corpus = [...corpusOf(world)].filter(({ source }) => source === 'dialogues').map(({ text }) => text);
    const tokenizer = trainTokenizer(corpus.slice(0, 400), { kind: 'bpe', vocabSize: 1500 });
    for (const [question, answer] of [
      ['Where is it?', answers.en],
      ['它在哪里？', answers.zh],
    ]) {
      const { text, mark } = open(question);
      const begun = tokenizer.encode(text);
      assert.deepEqual(tokenizer.encode(text + mark + answer).slice(0, begun.length), begun);
    }
    const { text, mark } = open('它在哪里？');
    const withMark = tokenizer.encode(text + mark);
    assert.notDeepEqual(tokenizer.encode(text + mark + answers.zh).slice(0, withMark.length), withMark);
  });

  it('has the same examples before each question of a language, others by another seed, and none where none are wanted', () => {
    const examples = (text: string) => text.split('\n').slice(0, 6).join('\n');
    const [first, second] = [...prompts({ ...world, languages: ['en'] }, 'report')].map(({ prompt }) => open(prompt[0].content).text);
    assert.equal(examples(first), examples(second));
    assert.notEqual(first, second);
    assert.notEqual(examples(openDialogues(world, { examples: 3, seed: 8 })('Where is it?').text), examples(first));
    assert.match(openDialogues(world, { examples: 0, seed: 8 })('Where is it?').text, /^(\w+): Where is it\?\n(?!\1$)\w+$/);
  });
});
