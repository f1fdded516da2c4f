import assert from 'node:assert/strict';
import { splitKey } from '../../datasets/conversations.js';
import { isHeldOut } from '../../datasets/documents.js';
import type { Preference } from '../../datasets/preferences.js';
import { type PreparePreferencesOptions, preparePreferences, type RankedTokens, totalCounts } from '../../datasets/prepare-preferences.js';
import { CHAT_TEMPLATE, chatTemplate, trainTokenizer } from '../../tokenizer/index.js';
import { assistant, pairOf, system, user, writePreferences } from './preference-rows.js';
import { temporaryFolder } from './temporary.js';

const userError = (message: RegExp) => ({ name: 'UserError', message });

describe('preferences prepared for training', () => {
  const at = temporaryFolder();
  const tokenizer = trainTokenizer(['one two three four five six seven eight nine ten'], { kind: 'bpe', vocabSize: 290 });
  const template = chatTemplate(CHAT_TEMPLATE, tokenizer);
  const prepare = async (rows: readonly Preference[], more: Partial<PreparePreferencesOptions> = {}) =>
    preparePreferences([await writePreferences(at('prefs.arrow'), rows, 2)], template, { contextLength: 60, evalFraction: 0, ...more });
  const texts = ({ ids }: RankedTokens) => ids.map((each) => tokenizer.decode([...each]));
  const length = (text: string) => tokenizer.encode(text).length;

  it('gives each answer behind its prompt, from bos to the mark that ends the answer', async () => {
    const prompt = [system('six'), user('one'), assistant('two'), user('three')];
    const { train, heldOut } = await prepare([{ prompt, responses: ['four', 'five'], ranks: [3, 1], margins: [0.5, 2], source: 'a' }]);
    const before = '<|bos|><|system|>six<|eos|><|user|>one<|eos|><|assistant|>two<|eos|><|user|>three<|eos|><|assistant|>';
    assert.deepEqual(texts(train[0]), [`${before}four<|eos|>`, `${before}five<|eos|>`]);
    assert.equal(train[0].ids[0][0], tokenizer.special.bos);
    for (const ids of train[0].ids) assert.equal(ids.at(-1), tokenizer.special.eos);
    assert.deepEqual(train[0].responseTokens, [length('four') + 1, length('five') + 1]);
    assert.deepEqual([train[0].ranks, train[0].margins, train[0].source, train[0].row], [[3, 1], [0.5, 2], 'a', 0]);
    assert.deepEqual([train.length, heldOut], [1, []]);
    assert.ok(!('margins' in (await prepare([pairOf('one', 'two', 'three')])).train[0]));
  });

  it('ends at the mark that ends the answer, where the template goes on after it', async () => {
    const other = chatTemplate(`${CHAT_TEMPLATE}{% if not add_generation_prompt %}{{ '\\n' }}{% endif %}`, tokenizer);
    const { train } = await preparePreferences([await writePreferences(at('p.arrow'), [pairOf('one', 'two', 'three')])], other, {
      contextLength: 60,
      evalFraction: 0,
    });
    assert.equal(texts(train[0])[0], '<|bos|><|user|>one<|eos|><|assistant|>two<|eos|>');
  });

  it('text that spells a mark stays text', async () => {
    const { train } = await prepare([pairOf('one', '<|eos|>', 'two')]);
    assert.equal(train[0].responseTokens[0], length('<|eos|>') + 1);
    assert.ok(length('<|eos|>') > 1);
  });

  it('takes an empty answer of a model as the mark alone', async () => {
    const { train } = await prepare([pairOf('one', 'two', '')]);
    assert.deepEqual(train[0].responseTokens, [length('two') + 1, 1]);
  });

  describe('where prompt and answer are too long', () => {
    const numbers = (n: number) => 'one two three four five six seven eight nine ten'.split(' ').slice(0, n).join(' ');
    const marks = 5; // bos, user, eos, assistant, eos
    const long = { prompt: [user(numbers(10))], responses: ['two', numbers(4)], ranks: [0, 1], source: 'a' };
    const whole = marks + length(numbers(10)) + length(numbers(4));

    it('the prompt keeps all of itself as long as the longest answer fits', async () => {
      const { train, counts } = await prepare([long], { contextLength: whole });
      assert.deepEqual([train[0].ids[1].length, counts.a.promptsCut], [whole, 0]);
    });

    it('the question loses its first tokens, the same for all answers; no answer loses one', async () => {
      const { train, counts } = await prepare([long], { contextLength: whole - 3 });
      const question = tokenizer.decode(tokenizer.encode(numbers(10)).slice(3));
      assert.deepEqual(texts(train[0]), [
        `<|bos|><|user|>${question}<|eos|><|assistant|>two<|eos|>`,
        `<|bos|><|user|>${question}<|eos|><|assistant|>${numbers(4)}<|eos|>`,
      ]);
      assert.equal(train[0].ids[1].length, whole - 3);
      assert.deepEqual(train[0].responseTokens, [length('two') + 1, length(numbers(4)) + 1]);
      assert.equal(counts.a.promptsCut, 1);
    });

    it('whole turns leave before the question is touched, the oldest first, and the system message stays', async () => {
      const prompt = [system('six'), user('one'), assistant('two'), user('three'), assistant('four'), user(numbers(5))];
      const row = { ...pairOf('', 'seven', 'eight'), prompt };
      const full = (await prepare([row])).train[0].ids[0].length;
      const { train } = await prepare([row], { contextLength: full - 1 });
      const kept = '<|bos|><|system|>six<|eos|><|user|>three<|eos|><|assistant|>four<|eos|>';
      assert.equal(texts(train[0])[0], `${kept}<|user|>${numbers(5)}<|eos|><|assistant|>seven<|eos|>`);
      const shortest = await prepare([row], { contextLength: 7 + length('six') + 1 + Math.max(length('seven'), length('eight')) });
      const last = tokenizer.decode(tokenizer.encode(numbers(5)).slice(-1));
      assert.equal(texts(shortest.train[0])[0], `<|bos|><|system|>six<|eos|><|user|>${last}<|eos|><|assistant|>seven<|eos|>`);
    });

    it('a row whose longest answer does not fit beside one token of the question is dropped, and counted', async () => {
      const least = marks + 1 + length(numbers(4));
      assert.equal((await prepare([long], { contextLength: least })).train.length, 1);
      const { train, counts } = await prepare([long, pairOf('one', 'two', 'six')], { contextLength: least - 1 });
      assert.deepEqual(train.map(({ row }) => row), [1]); // biome-ignore format: short
      assert.deepEqual([counts.a.rows, counts.a.kept, counts.a.dropped], [2, 1, 1]);
    });
  });

  it('holds out by the first question: all rows of a prompt are on one side, whatever else is there', async () => {
    const questions = Array.from({ length: 40 }, (_, i) => `q${i}`);
    const rows = questions.flatMap((question) => [
      pairOf(question, 'one', 'two', { annotator: 'ann' }),
      { ...pairOf('', 'two', 'one', { annotator: 'bo' }), prompt: [user(question), assistant('three'), user('four')] },
    ]);
    const { train, heldOut } = await prepare(rows, { evalFraction: 0.3 });
    const rowsOf = (part: RankedTokens[]) => part.map(({ row }) => row);
    const expected = rows.flatMap(({ prompt }, row) => (isHeldOut(splitKey(prompt), 0.3) ? [row] : []));
    assert.ok(expected.length > 8 && expected.length < 40);
    assert.deepEqual(rowsOf(heldOut), expected);
    assert.equal(train.length + heldOut.length, rows.length);
    const more = await prepare([...rows, pairOf('another', 'one', 'two')], { evalFraction: 0.3 });
    assert.deepEqual(rowsOf(more.heldOut).filter((row) => row < rows.length), expected); // biome-ignore format: short
  });

  it('counts what is kept, left out and compared, by source', async () => {
    const ranking = { prompt: [user('one')], responses: ['one', 'two', 'three', 'four'], ranks: [1, 2, 2, 3], source: 'b' };
    const { counts } = await prepare([pairOf('one', 'two', 'six'), pairOf('two', 'two', 'six', { ranks: [1, 1] }), ranking]);
    const none = { dropped: 0, beyondLimit: 0, promptsCut: 0 };
    assert.deepEqual(counts, {
      a: { rows: 2, kept: 1, withoutComparison: 1, answers: 2, comparisons: 1, ties: 0, ...none },
      b: { rows: 1, kept: 1, withoutComparison: 0, answers: 4, comparisons: 5, ties: 1, ...none },
    });
    assert.deepEqual(totalCounts(counts), { rows: 3, kept: 2, withoutComparison: 1, answers: 6, comparisons: 6, ties: 1, ...none });
  });

  it('a limit takes the first training rows, and leaves what is held out as it is', async () => {
    const rows = Array.from({ length: 30 }, (_, i) => pairOf(`q${i}`, 'one', 'two'));
    const all = await prepare(rows, { evalFraction: 0.3 });
    const few = await prepare(rows, { evalFraction: 0.3, limit: 5 });
    assert.deepEqual(few.train, all.train.slice(0, 5));
    assert.deepEqual(few.heldOut, all.heldOut);
    assert.equal(few.counts.a.beyondLimit, all.train.length - 5);
    assert.equal(few.counts.a.kept, 5 + all.heldOut.length);
  });

  it('reads several tables; a row is known by its place in its own', async () => {
    const paths = [await writePreferences(at('x.arrow'), [pairOf('one', 'two', 'six')]), await writePreferences(at('y.arrow'), [pairOf('two', 'one', 'six', { source: 'y' })])]; // biome-ignore format: short
    const { train } = await preparePreferences(paths, template, { contextLength: 60, evalFraction: 0 });
    assert.deepEqual(train.map(({ source, row }) => [source, row]), [['a', 0], ['y', 0]]); // biome-ignore format: short
  });

  it('is an error where nothing is left to train on or to hold out', async () => {
    const tie = pairOf('one', 'two', 'six', { ranks: [1, 1] });
    await assert.rejects(prepare([tie]), userError(/rows to train on; of 1 .* 1 hold no comparison, 0 are longer than 60 tokens/));
    await assert.rejects(prepare([pairOf('one', 'two', 'six')], { contextLength: 4 }), userError(/1 are longer than 4 tokens/));
    const kept = ['a', 'b', 'c', 'd'].find((question) => !isHeldOut(question, 0.01))!;
    await assert.rejects(prepare([pairOf(kept, 'two', 'six')], { evalFraction: 0.01 }), userError(/rows to hold out/));
  });

  it('is an error for a prompt that ends with an answer, and names its row', async () => {
    const wrong = { ...pairOf('', 'two', 'six'), prompt: [user('one'), assistant('two')] };
    await assert.rejects(
      prepare([pairOf('one', 'two', 'six'), wrong]),
      userError(/row 1 of .*prefs\.arrow: the last message is of the assistant/),
    );
  });
});
