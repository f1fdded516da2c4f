import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs';
import { parseSelectConfig } from '../../configs/load.js';
import { binsOf } from '../../evaluation/select/bins.js';
import { cutByRanking, cutBySample } from '../../evaluation/select/budget.js';
import { diversity } from '../../evaluation/select/diversity.js';
import type { Measurer } from '../../evaluation/select/encoded.js';
import { answersAlone, ifd } from '../../evaluation/select/ifd.js';
import { language } from '../../evaluation/select/language.js';
import { length } from '../../evaluation/select/length.js';
import { bandRows, nearDuplicates } from '../../evaluation/select/near-duplicates.js';
import { perplexity } from '../../evaluation/select/perplexity.js';
import { ranked } from '../../evaluation/select/ranked.js';
import { repetition } from '../../evaluation/select/repetition.js';
import { logits } from '../../model/heads.js';
import { forward } from '../../model/transformer.js';
import { type LoadedModel, openModel } from '../../sampler/model.js';
import { type ChatTemplate, readChatTemplate, trainTokenizer } from '../../tokenizer/index.js';
import { temporaryFolder } from '../datasets/temporary.js';
import { saveTinyModel, tinyConfig } from '../sampler/tiny-model.js';
import { asked, outcomeOf, reasons } from './select-helpers.js';

const config = (text: string) => parseSelectConfig(text, 'c.yaml');
const STORY =
  'Once there was a king who lived by the sea, and every morning he went down to the shore to count the ships that came in from the islands in the west.';

describe('strategies of selection that look at texts', () => {
  it('near_duplicates drops what is like a conversation that stays, and names it', async () => {
    const rows = [
      asked('Tell a story', STORY),
      asked('Tell a joke', 'A man walks into a bar and orders nothing at all.'),
      asked('Tell a story', STORY),
      asked('Tell a story', `${STORY} `.toUpperCase()),
      asked('Tell a story', STORY.replace('islands', 'valleys')),
      asked('', '!?'),
    ];
    const { near_duplicates: rules } = config('strategies: [near_duplicates]');
    const outcome = await outcomeOf(nearDuplicates(rules), rows);
    assert.deepEqual(reasons(outcome), { 2: 'similarity 1 with row 0', 3: 'similarity 1 with row 0' });
    const similar = outcome.figures[0].values.get(4) as number;
    // 29 5-grams each, 5 of which the other has not: 24/34 = 0.71, by 128 hash functions.
    assert.ok(Math.abs(similar - 24 / 34) < 0.12, `${similar}`);
    const lower = await outcomeOf(nearDuplicates({ ...rules, threshold: 0.5 }), rows);
    assert.deepEqual(Object.keys(reasons(lower)), ['2', '3', '4']);
  });

  it('near_duplicates compares nearly all pairs at its threshold, whatever that is', () => {
    for (const threshold of [0.05, 0.3, 0.5, 0.7, 0.8, 0.9, 1]) {
      const rows = bandRows(threshold);
      if (threshold > 0.05) assert.ok(1 - (1 - threshold ** rows) ** (128 / rows) >= 0.99);
      assert.equal(128 % rows, 0);
    }
    assert.deepEqual([bandRows(0.8), bandRows(1)], [4, 32]);
  });

  it('repetition drops answers that say the same again, and looks at no question', async () => {
    const { repetition: rules } = config('strategies: [repetition]');
    const line = 'a b c d e f';
    const outcome = await outcomeOf(repetition(rules), [
      asked('q', `${line}\nx\ny\nz`),
      asked('q', 'yes\nyes\nno\nyes'),
      asked('q', `${line} g h ${line}`),
      asked('go go go go go go go go go go go go', 'well'),
    ]);
    // Row 2: of 14 letters the 6 of the second time stand in 5-grams that were there before.
    assert.deepEqual(reasons(outcome), { 1: 'repeated lines 0.5 > 0.3', 2: 'repeated 5-grams 0.429 > 0.3' });
    assert.deepEqual([...outcome.figures[0].values.values()], [0, 0.5, 0, 0]);
    assert.deepEqual([...outcome.figures[1].values.values()], [0, 0, 6 / 14, 0]);
  });

  it('language keeps the languages that are asked for', async () => {
    const rows = [asked('What is it?', STORY), asked('你好，请问你是谁？', '我是一个助手。'), asked('Was ist das?', 'Das ist ein Buch.')];
    const kept = async (keep: ('en' | 'zh' | 'other')[]) => {
      const { dropped } = await outcomeOf(language({ keep }), rows);
      return rows.flatMap((_, row) => (dropped.has(row) ? [] : [row]));
    };
    assert.deepEqual([await kept(['en', 'zh']), await kept(['zh']), await kept(['other'])], [[0, 1], [1], [2]]);
    assert.deepEqual(reasons(await outcomeOf(language({ keep: ['en'] }), rows)), { 1: 'language zh', 2: 'language other' });
  });
});

describe('strategies of selection that count or measure tokens', () => {
  const at = temporaryFolder();
  const tokenizer = trainTokenizer(['one two three four'], { kind: 'char' });
  let model: LoadedModel;
  let template: ChatTemplate;
  let measurer: Measurer;
  before(async () => {
    await saveTinyModel(at('model'), tokenizer, { ...tinyConfig(tokenizer), max_position_embeddings: 48 });
    model = await openModel(at('model'), { device: 'auto', threads: 1 });
    template = await readChatTemplate(at('model'), tokenizer);
    measurer = { table: 't.arrow', tokenizer, template, model, contextLength: 48, onProgress: () => {} };
  });
  after(() => model.dispose());

  // With bos, two roles and two eos a conversation has 5 tokens more than characters; an answer 1.
  const rows = [
    asked('one', 'two'),
    asked('two', 'three four'),
    asked('four', ''),
    asked('one two three four', 'one two three four one two three'),
    asked('three', 'oneoneone'),
  ];

  it('length keeps what has so many tokens', async () => {
    const { length: rules } = config('strategies: [length]\ntokenizer: t.json');
    const found = await outcomeOf(length({ ...rules, max_tokens: 48 }, measurer), rows);
    assert.deepEqual(reasons(found), { 2: '1 answer tokens < 2', 3: '55 tokens > 48' });
    assert.deepEqual([...found.figures[0].values.values()], [11, 18, 9, 55, 19]);
    assert.deepEqual([...found.figures[1].values.values()], [4, 11, 1, 33, 10]);
    const narrow = await outcomeOf(length({ min_tokens: 12, min_answer_tokens: 0, max_answer_tokens: 10 }, measurer), rows);
    assert.deepEqual(reasons(narrow), { 0: '11 tokens < 12', 1: '11 answer tokens > 10', 2: '9 tokens < 12', 3: '33 answer tokens > 10' });
  });

  /** −log p of each of `ids` but the first, from one pass of the model over them alone. */
  const tokenLosses = async (ids: readonly number[]): Promise<number[]> => {
    const scores = tf.tidy(() => {
      const whole = (values: readonly number[]) => tf.tensor2d([...values], [1, ids.length], 'int32');
      const batch = { ids: whole(ids), positions: whole(ids.map((_, t) => t)), segments: whole(ids.map(() => 0)) };
      const parameters = model.parameters as Map<string, tf.Variable>;
      return tf.squeeze(logits(parameters, model.config, forward(parameters, model.config, batch)), [0]) as tf.Tensor2D;
    });
    const table = await scores.array();
    scores.dispose();
    return ids.slice(1).map((id, t) => Math.log(table[t].reduce((sum, x) => sum + Math.exp(x), 0)) - table[t][id]);
  };
  const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  const id = (token: string) => tokenizer.idOf(token)!;
  const encode = (text: string) => tokenizer.encode(text, { allowSpecial: true });

  it('perplexity is exp of the mean loss of the answer and the mark that ends it, given the question', async () => {
    const outcome = await outcomeOf(perplexity({ max: 1e9 }, measurer), rows);
    const losses = await tokenLosses(encode('<|bos|><|user|>two<|eos|><|assistant|>three four<|eos|>'));
    const expected = Math.exp(mean(losses.slice(-11)));
    assert.ok(Math.abs((outcome.figures[0].values.get(1) as number) / expected - 1) < 1e-4);
    assert.deepEqual(reasons(outcome), { 3: '55 tokens > 48 of the context' });
  });

  it('ifd is the mean loss of the answer given the question by that of the answer alone, from two evaluations', async () => {
    const outcome = await outcomeOf(ifd({ below: 1e9 }, measurer), rows);
    for (const [row, question, answer] of [
      [0, 'one', 'two'],
      [1, 'two', 'three four'],
      [4, 'three', 'oneoneone'],
    ] as const) {
      const given = (await tokenLosses(encode(`<|bos|><|user|>${question}<|eos|><|assistant|>${answer}<|eos|>`))).slice(-answer.length - 1);
      const alone = await tokenLosses(encode(`<|bos|>${answer}<|eos|>`));
      assert.equal(given.length, alone.length);
      const found = outcome.figures[0].values.get(row) as number;
      assert.ok(Math.abs(found - mean(given) / mean(alone)) < 1e-4, `${found}`);
    }
    assert.equal(outcome.ranking!.by, 'highest ifd first');
  });

  it('ifd takes every answer of a conversation by itself', () => {
    const { messages } = asked('one', 'two');
    const encoded = template.encode([...messages, ...asked('four', 'one').messages]);
    const [bos, eos] = [id('<|bos|>'), id('<|eos|>')];
    const alone = answersAlone(encoded, tokenizer).map(({ ids }) => [...(ids as number[])]);
    assert.deepEqual(alone, [[bos, ...encode('two'), eos], [bos, ...encode('one'), eos]]); // biome-ignore format: short
    const other = { special: { ...tokenizer.special, bos: -1 } };
    assert.equal(answersAlone(encoded, other)[0].ids[0], eos);
  });

  it('diversity keeps as many as the budget says, and of equal conversations one', async () => {
    const twice = [rows[0], rows[1], rows[0], rows[4], rows[1]];
    const outcome = await outcomeOf(diversity(3, measurer), twice);
    assert.deepEqual(twice.filter((_, row) => !outcome.dropped.has(row)).sort((a, b) => twice.indexOf(a) - twice.indexOf(b)), [rows[0], rows[1], rows[4]]); // biome-ignore format: one line
    assert.match(reasons(outcome)[outcome.dropped.has(0) ? 0 : 2], /^distance \S+ to row [02]$/);
    assert.equal((await outcomeOf(diversity(9, measurer), twice)).dropped.size, 0);
  });
});

describe('what ranks, and a budget', () => {
  it('drops what breaks a limit, then what is not among the best; equal numbers by row', () => {
    const values = new Map([[0, 0.5], [1, 1], [2, 0.9], [3, Number.NaN], [4, 0.5], [5, 0.2]]); // biome-ignore format: short
    const unmeasured = new Map([[6, { rule: 'no answer', reason: 'nobody answers' }]]);
    const outcome = ranked(values, unmeasured, { name: 'ifd', best: 'highest', below: 1, min: 0.3, keep: 0.3 });
    assert.deepEqual(reasons(outcome), {
      1: 'ifd 1 ≥ 1',
      3: 'ifd NaN is not a number',
      4: 'ifd 0.5: place 3 of 7',
      5: 'ifd 0.2 < 0.3',
      6: 'nobody answers',
    });
    assert.deepEqual([...outcome.ranking!.places], [[2, 0], [0, 1], [4, 2]]); // biome-ignore format: short
    const lowest = ranked(new Map([[0, 3], [1, 1], [2, 2]]), new Map(), { name: 'perplexity', best: 'lowest', max: 2.5, keep: 0.34 }); // biome-ignore format: short
    assert.deepEqual(reasons(lowest), { 0: 'perplexity 3 > 2.5', 2: 'perplexity 2: place 2 of 3' });
  });

  const rows = Array.from({ length: 8 }, (_, i) => asked(`question ${i}`, `answer ${i}`));
  const cut = (strategy: (rows: Parameters<typeof cutBySample>[0]) => ReturnType<typeof cutBySample>, from = rows) =>
    outcomeOf(strategy, from);

  it('cuts by the order of a ranking', async () => {
    const ranking = { by: 'highest ifd first', places: new Map([[5, 0], [1, 1], [0, 2]]) }; // biome-ignore format: short
    const outcome = await cut((left) => cutByRanking(left, 4, ranking));
    assert.deepEqual([...outcome.dropped.keys()], [3, 4, 6, 7]);
    assert.equal(reasons(outcome)[3], 'place 5 of 8, highest ifd first');
  });

  it('cuts to a sample that depends on the seed and on what is said, not on its place', async () => {
    const kept = async (seed: number, from = rows) => {
      const { dropped } = await cut((left) => cutBySample(left, 3, seed), from);
      return from.filter((_, row) => !dropped.has(row)).map(({ messages }) => messages[0].content).sort(); // biome-ignore format: short
    };
    const sample = await kept(1);
    assert.equal(sample.length, 3);
    assert.deepEqual(await kept(1, rows.toReversed()), sample);
    const fewer = rows.filter(({ messages }) => messages[0].content !== 'question 0' || sample.includes('question 0'));
    assert.deepEqual(await kept(1, fewer), sample);
    assert.notDeepEqual(await kept(2), sample);
  });
});

describe('the bins of a figure', () => {
  const numbers = (values: readonly (number | string)[]) => new Map(values.map((value, row) => [row, value]));
  const labels = (values: readonly (number | string)[]) =>
    binsOf(numbers(values), (row) => row === 0).map(({ label, kept, dropped }) => `${label}: ${kept}+${dropped}`);

  it('have round limits and hold every value once', () => {
    assert.deepEqual(labels([0.1, 0.2, 0.25]), [
      '0.1 – 0.12: 0+1',
      ...['0.12 – 0.14: 0+0', '0.14 – 0.16: 0+0', '0.16 – 0.18: 0+0', '0.18 – 0.2: 0+0', '0.2 – 0.22: 1+0', '0.22 – 0.24: 0+0'],
      '0.24 – 0.26: 1+0',
    ]);
    assert.deepEqual(labels([3, 100, 30]), [
      '2 – 5: 0+1',
      '5 – 10: 0+0',
      '10 – 20: 0+0',
      '20 – 50: 1+0',
      '50 – 100: 0+0',
      '100 – 200: 1+0',
    ]);
    assert.deepEqual(labels([2, 2, Infinity]), ['2 – 2.2: 1+1']);
    assert.deepEqual(labels(['zh', 'en', 'en']), ['en: 2+0', 'zh: 0+1']);
    assert.deepEqual(labels([]), []);
  });

  it('go on to what is a little apart from the others', () => {
    const values = [...Array.from({ length: 300 }, (_, i) => 1 + (i % 100) / 1000), 1.12];
    assert.equal(binsOf(numbers(values), () => false).at(-1)!.label, '1.11 – 1.12');
  });

  it('leave what is far from all others to the first and the last', () => {
    const values = [...Array.from({ length: 300 }, (_, i) => 1 + (i % 100) / 1000), -5, 9];
    const bins = binsOf(numbers(values), () => false);
    assert.deepEqual([bins[0].label, bins.at(-1)!.label], ['< 1', '≥ 1.1']);
    assert.deepEqual([bins[0].kept, bins.at(-1)!.kept], [1, 1]);
    assert.equal(
      bins.reduce((sum, { kept }) => sum + kept, 0),
      values.length,
    );
  });
});
