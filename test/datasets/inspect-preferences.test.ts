import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import { inspect, inspectRow } from '../../datasets/inspect/inspect.js';
import { inspectionPage, rowPage } from '../../datasets/inspect/page.js';
import { inspectionText, rowText } from '../../datasets/inspect/terminal.js';
import type { Preference } from '../../datasets/preferences.js';
import { trainTokenizer } from '../../tokenizer/index.js';
import { withoutColour } from '../util/environment.js';
import { assistant, pairOf, system, user, writePreferences } from './preference-rows.js';
import { temporaryFolder } from './temporary.js';

describe('inspecting preferences', () => {
  const at = temporaryFolder();
  withoutColour();
  const ranked = (question: string, ranks: number[], more: Partial<Preference> = {}): Preference => ({
    prompt: [user(question)],
    responses: ['long answer', 'mid', '模型', '!'].slice(0, ranks.length), // 11, 3, 2 and 1 characters
    ...{ ranks, source: 'k' },
    ...more,
  });
  const rows = [
    pairOf('one', 'better', 'worse!!'),
    pairOf('two', 'same', 'size', { source: 'b' }),
    ranked('three', [1, 2, 2, 3]),
    ranked('four', [1, 1]),
  ];
  const table = (of: readonly Preference[] = rows, batchRows = 2) => writePreferences(at('prefs.arrow'), of, batchRows);

  it('counts rows, answers, comparisons, ties, and rows without a comparison, by source', async () => {
    const { kind, parts } = await inspect(await table());
    const { total, sources, byAnswers } = parts[0].preferences!;
    assert.equal(kind, 'preferences');
    const counts = [...sources, total].map((c) => [c.name, c.rows, c.answers, c.comparisons, c.ties, c.withoutComparison]);
    assert.deepEqual(counts, [
      ['a', 1, 2, 1, 0, 0],
      ['b', 1, 2, 1, 0, 0],
      ['k', 2, 6, 5, 2, 1],
      ['all', 4, 10, 7, 2, 1],
    ]);
    assert.deepEqual(byAnswers, [
      { answers: 2, rows: 3 },
      { answers: 4, rows: 1 },
    ]);
  });

  it('measures the better and the worse answer of every comparison, in characters', async () => {
    const { sources, lengthsIn, better, worse } = (await inspect(await table())).parts[0].preferences!;
    const lengths = sources.map((c) => [c.better, c.worse, c.betterIsLonger, c.equallyLong]);
    assert.equal(lengthsIn, 'characters');
    assert.deepEqual(lengths, [
      [6, 7, 0, 0],
      [4, 4, 0, 1],
      // 11 over 3, 2 and 1; 3 over 1; 2 over 1
      [11 * 3 + 3 + 2, 3 + 2 + 1 + 1 + 1, 5, 0],
    ]);
    const sum = (counts: Float64Array) => counts.reduce((all, count) => all + count, 0);
    assert.deepEqual([sum(better), sum(worse)], [7, 7]);
  });

  it('measures in tokens by a tokenizer', async () => {
    const tokenizer = trainTokenizer(['aaaa aaaa aaaa'], { kind: 'bpe', vocabSize: 275 });
    await fs.writeFile(at('tokenizer.json'), JSON.stringify(tokenizer));
    const { parts } = await inspect(await table([pairOf('q', 'aaaa', 'xyz')]), { tokenizer: at('tokenizer.json') });
    const { total, lengthsIn } = parts[0].preferences!;
    assert.equal(lengthsIn, 'tokens');
    assert.deepEqual([total.better, total.worse], [tokenizer.encode('aaaa').length, 3]);
    assert.ok(total.better < 3);
  });

  it('compares annotators who ranked the same answers, in whatever order they saw them', async () => {
    const by = (annotator: string, better: string, worse: string, question = 'q') => pairOf(question, better, worse, { annotator });
    const { parts } = await inspect(
      await table([
        by('ann', 'x', 'y'),
        by('bo', 'x', 'y'),
        by('cy', 'y', 'x'),
        by('ann', 'x', 'z'), // other answers
        by('ann', 'x', 'y', 'r'), // another prompt
        { prompt: [user('s')], responses: ['m', 'n'], ranks: [2, 1], annotator: 'ann', source: 'a' },
        { prompt: [user('s')], responses: ['n', 'm'], ranks: [5, 7], annotator: 'bo', source: 'a' },
      ]),
    );
    const { agreement, annotators } = parts[0].preferences!;
    assert.deepEqual([agreement!.items, agreement!.ratings], [2, 5]);
    assert.ok(Math.abs(agreement!.tau! - (1 - 1 - 1 + 1) / 4) < 1e-12);
    assert.equal(agreement!.annotators[0].name, 'cy');
    assert.deepEqual(agreement!.hardest[0].row, 0);
    assert.deepEqual(annotators.map(({ name, rows }) => `${name} ${rows}`), ['ann 4', 'bo 2', 'cy 1']); // biome-ignore format: short
    const text = inspectionText(await inspect(at('prefs.arrow')));
    assert.match(text, /2 prompts ranked by several \(5 rankings\): Krippendorff's α \(ordinal\) −?0\.\d{3}, Kendall's τ-b 0\.000/);
    assert.match(text, /where annotators agree least\n +row +annotators +mean τ-b\n +0 +ann, bo, cy +−0\.333/);
    assert.match(text, /annotator +preferences +with others +mean τ-b\n +cy +1 +1 +−1\.000/);
  });

  it('has no agreement where nobody is named, or each ranked something else', async () => {
    assert.equal((await inspect(await table())).parts[0].preferences!.agreement, undefined);
    const alone = [pairOf('q', 'a', 'b', { annotator: 'ann' }), pairOf('r', 'a', 'b', { annotator: 'bo' })];
    const text = inspectionText(await inspect(await table(alone)));
    assert.doesNotMatch(text, /agree|with others/);
    assert.match(text, /annotator +preferences\n +ann +1\n +bo +1/);
  });

  it('shows it in the terminal and on a page, answers from the best to the worst', async () => {
    const scored = ranked('three', [2, 1, 3], { scores: [0.5, 0.75, 0], margins: [1, 2, 0], annotator: 'ann<b>' });
    const inspection = await inspect(await table([...rows, scored]));
    const text = inspectionText(inspection);
    assert.match(text, /5 preferences, 13 answers, 10 comparisons/);
    assert.match(text, /source +preferences +answers +comparisons +ties +no comparison/);
    assert.match(text, /source +better, mean +worse, mean +better is longer/);
    const row = rowText(await inspectRow(at('prefs.arrow'), 4));
    const places = ['rank 1, score 0.75, margin 2', 'rank 2, score 0.5, margin 1', 'rank 3, score 0, margin 0'].map((label) =>
      row.indexOf(label),
    );
    assert.ok(places[0] > 0 && places[0] < places[1] && places[1] < places[2], row);
    assert.match(row, /annotator ann<b>/);
    const page = inspectionPage(inspection);
    assert.match(page, /Better and worse answers, in characters/);
    assert.match(rowPage('x', await inspectRow(at('prefs.arrow'), 4)), /annotator ann&lt;b&gt;.*rank 1, score 0\.75/s);
  });

  it('shows the whole prompt of a row, and controls as signs', async () => {
    const prompt = [system('Be brief.'), user('Hello'), assistant('Hello!'), user('one\x1b[2Jtwo')];
    const text = rowText(await inspectRow(await table([{ ...pairOf('', 'a\x07', 'b'), prompt }]), 0));
    assert.match(text, /system +Be brief\./);
    assert.match(text, /one␛\[2Jtwo/);
    assert.match(text, /a␇/);
  });

  it('refuses options that are for conversations', async () => {
    const file = await table();
    await assert.rejects(inspect(file, { trainOn: 'all' }), { name: 'UserError', message: /--train-on is for conversations.*preferences/ });
    await fs.writeFile(at('tokenizer.json'), JSON.stringify(trainTokenizer(['a'], { kind: 'bpe', vocabSize: 273 })));
    await assert.rejects(inspect(file, { tokens: true, tokenizer: at('tokenizer.json') }), {
      name: 'UserError',
      message: /--tokens shows/,
    });
  });
});
