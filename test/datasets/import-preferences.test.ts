import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import path from 'node:path';
import { importData } from '../../datasets/import.js';
import type { Preference } from '../../datasets/preferences.js';
import { csvOf } from './chat-rows.js';
import { assistant, importedPreferences, pairOf, preferencesIn, system, user, writePreferences } from './preference-rows.js';
import { temporaryFolder } from './temporary.js';

/** Rows of each format, and what pyarrow made of them: test/oracles/chat_files.py. */
const fixture = (name: string) => path.join(import.meta.dirname, 'fixtures/preferences', name);

type Expected = Omit<Preference, 'source'>;
const hello = [user('Hello'), assistant('Hello!')];
const sum: Expected = { prompt: [user('Add 1 and 1.')], responses: ['2', '11'], ranks: [0, 1] };
const EXPECTED: Record<string, { format: string; rows: Expected[]; skipped?: number }> = {
  chosen_rejected: {
    format: 'chosen_rejected',
    rows: [
      {
        prompt: [user('Who are "you"?\n你是谁？')],
        responses: ['A model;\n模型, they say. 🎉', 'Guess.'],
        ranks: [0, 1],
        margins: [1.5, 0],
        annotator: 'ann',
      },
      sum,
    ],
  },
  chosen_rejected_messages: {
    format: 'chosen_rejected',
    rows: [{ ...sum, prompt: [system('Be brief.'), user('Add 1 and 1.')], scores: [8.5, 2] }],
  },
  chosen_rejected_whole: { format: 'chosen_rejected', rows: [{ ...sum, prompt: [...hello, user('Add 1 and 1.')] }] },
  hh_rlhf: { format: 'hh_rlhf', rows: [{ ...sum, prompt: [...hello, user('Add 1 and 1.\n\nPlease.')] }] },
  sharegpt_dpo: { format: 'sharegpt_dpo', rows: [{ ...sum, prompt: [system('Be brief.'), ...hello, user('Add 1 and 1.')] }] },
  rankings: {
    format: 'rankings',
    rows: [
      {
        prompt: [user('Add 1 and 1.')],
        responses: ['11', '2', 'two', 'three'],
        ranks: [3, 1, 1, 2],
        margins: [0.5, 2, 2, 1.25],
        scores: [0.25, 1, 1, 0.5],
        annotator: 'bo',
      },
      { prompt: [user('Say a or b.')], responses: ['a', 'b'], ranks: [1, 1], annotator: 'ann' },
    ],
  },
  solutions: {
    format: 'solutions',
    rows: [{ prompt: [user('Add 1 and 1.')], responses: ['11', 'It is 2.', '2'], ranks: [1, 0, 0] }],
    skipped: 1,
  },
};

describe('importing preferences', () => {
  const at = temporaryFolder();
  let files = 0;
  const jsonl = (of: readonly unknown[]) => of.map((row) => `${JSON.stringify(row)}\n`).join('');
  const write = async (...rows: unknown[]) => {
    const file = at(`rows-${files++}.jsonl`);
    await fs.writeFile(file, jsonl(rows));
    return file;
  };
  before(async () => {
    const all: Record<string, Record<string, unknown>[]> = JSON.parse(await fs.readFile(fixture('rows.json'), 'utf8'));
    for (const [name, of] of Object.entries(all)) {
      await fs.writeFile(at(`${name}.jsonl`), jsonl(of));
      await fs.writeFile(at(`${name}.json`), JSON.stringify(of, null, 2));
      await fs.writeFile(at(`${name}.csv`), csvOf(of));
    }
  });
  const file = (name: string, ending: string) => (ending === 'parquet' || ending === 'arrow' ? fixture : at)(`${name}.${ending}`);

  for (const [name, { format, rows: expected, skipped = 0 }] of Object.entries(EXPECTED)) {
    for (const ending of ['jsonl', 'json', 'csv', 'parquet', 'arrow']) {
      it(`${name} from ${ending}`, async () => {
        // Of CSV the cells are text, whose form the names of the columns do not tell.
        const named = ending === 'csv' && ['chosen_rejected_whole', 'solutions'].includes(name);
        const options = named ? { format: format as 'solutions' } : {};
        const { summary, rows } = await importedPreferences(file(name, ending), at('out.arrow'), options);
        assert.deepEqual(
          rows,
          expected.map((row) => ({ ...row, source: name })),
        );
        assert.deepEqual([summary.formats, summary.sources], [{ [format]: 1 }, { [name]: expected.length }]);
        assert.deepEqual([summary.rows, summary.quarantined], [expected.length, 0]);
        assert.deepEqual(Object.values(summary.skipped), skipped > 0 ? [skipped] : []);
        assert.equal(summary.answers, expected.flatMap(({ responses }) => responses).length);
        const texts = expected.flatMap(({ prompt, responses }) => [...prompt.map(({ content }) => content), ...responses]);
        assert.equal(summary.bytes, Buffer.byteLength(texts.join('')));
      });
    }
  }

  it('counts the pairs of different and of equal ranks', async () => {
    const { summary } = await importedPreferences(at('rankings.jsonl'), at('o.arrow'));
    assert.deepEqual([summary.comparisons, summary.ties], [5, 2]); // 3 1 1 2 has one tie; 1 1 is one
  });

  it('a table that is imported again stays the same, sources and annotators with it', async () => {
    const rows = [
      pairOf('one', 'a', 'b', { annotator: 'ann', margins: [2, 0.5], scores: [0.75, 0.25] }),
      pairOf('two', 'a', 'b', { source: 'other', ranks: [7, 7] }),
    ];
    const table = await writePreferences(at('own.arrow'), rows);
    assert.deepEqual((await importedPreferences(table, at('again.arrow'))).rows, rows);
  });

  it('a whole conversation beside its prompt is taken from the conversation', async () => {
    const sides = ['2', '11'].map((answer) => [user('Add 1 and 1.'), assistant(answer)]);
    const { rows } = await importedPreferences(
      await write({ prompt: 'Add 1 and 1.', chosen: sides[0], rejected: sides[1] }),
      at('o.arrow'),
    );
    assert.deepEqual([rows[0].prompt, rows[0].responses], [sum.prompt, sum.responses]);
  });

  it('a prompt may be a transcript that ends where the answer is to begin', async () => {
    const row = { prompt: '\n\nHuman: Hello\n\nAssistant: Hello!\n\nHuman: Add 1 and 1.\n\nAssistant:', chosen: '2', rejected: '11' };
    const { rows } = await importedPreferences(await write(row), at('o.arrow'));
    assert.deepEqual(rows[0].prompt, [...hello, user('Add 1 and 1.')]);
  });

  it('an answer that happens to be JSON stays text', async () => {
    const { rows } = await importedPreferences(
      await write({ prompt: 'Give me JSON.', chosen: '{"a": 1}', rejected: '[1, 2]' }),
      at('o.arrow'),
    );
    assert.deepEqual(rows[0].responses, ['{"a": 1}', '[1, 2]']);
  });

  it('--columns names them otherwise, and says which format that is', async () => {
    const pair = await importedPreferences(await write({ text: 't', q: 'Q', good: 'a', bad: 'b', by: 7 }), at('o.arrow'), {
      columns: { prompt: 'q', chosen: 'good', rejected: 'bad', annotator: 'by' },
    });
    assert.deepEqual(pair.rows, [{ ...pairOf('Q', 'a', 'b'), source: pair.rows[0].source, annotator: '7' }]);
    const ranking = await importedPreferences(await write({ meta: { q: 'Q' }, a: ['x', 'y'], r: [2, 1] }), at('o.arrow'), {
      columns: { prompt: 'meta.q', responses: 'a', ranks: 'r' },
    });
    assert.deepEqual([ranking.summary.formats, ranking.rows[0].ranks], [{ rankings: 1 }, [2, 1]]);
  });

  const ASIDE: [what: string, row: Record<string, unknown>, reason: string, detail: RegExp][] = [
    ['the same answer twice', { prompt: 'q', chosen: 'a', rejected: ' a\n' }, 'identical answers', /1 and 2 are the same text, .* 0 and 1/],
    ['an empty answer', { prompt: 'q', chosen: 'a', rejected: ' ' }, 'empty', /answer 2 has no text/],
    ['an empty prompt', { prompt: ' ', chosen: 'a', rejected: 'b' }, 'empty', /message 1 of the prompt/],
    ['a null answer', { prompt: 'q', chosen: 'a', rejected: null }, 'empty', /"rejected" is null/],
    ['a missing answer', { prompt: 'q', chosen: 'a' }, 'no such column', /no "rejected"/],
    ['an answer that is a number', { prompt: 'q', chosen: 'a', rejected: 3 }, 'not text', /"rejected" must be text/],
    ['a prompt that is an answer', { prompt: hello, chosen: 'a', rejected: 'b' }, 'wrong roles', /of the prompt, the last message/],
    ['text with no prompt beside it', { chosen: 'a', rejected: 'b' }, 'not a conversation', /must be a transcript .*--columns prompt=NAME/],
    [
      'conversations that part before their last answers',
      { chosen: '\n\nHuman: x\n\nAssistant: y', rejected: '\n\nHuman: x!\n\nAssistant: z' },
      'not a comparison',
      /share 0/,
    ],
    [
      'conversations that go on after they part',
      { chosen: '\n\nHuman: x\n\nAssistant: y', rejected: '\n\nHuman: x\n\nAssistant: z\n\nHuman: a\n\nAssistant: b' },
      'not a comparison',
      /of 2 and 4 messages they share 1/,
    ],
    [
      'conversations that end with questions',
      { chosen: '\n\nHuman: x\n\nAssistant: y\n\nHuman: a', rejected: '\n\nHuman: x\n\nAssistant: y\n\nHuman: b' },
      'wrong roles',
      /last message is of the user/,
    ],
    [
      'a margin that is none',
      { prompt: 'q', chosen: 'a', rejected: 'b', margin: 'much' },
      'wrong ranks',
      /"margin" must be a number; it is "much"/,
    ],
    ['fewer ranks than answers', { prompt: 'q', responses: ['a', 'b', 'c'], ranks: [1, 2] }, 'wrong ranks', /2 for 3/],
    ['ranks that are no whole numbers', { prompt: 'q', responses: ['a', 'b'], ranks: [1, 1.5] }, 'wrong ranks', /whole number.* 1\.5/],
    ['one answer', { prompt: 'q', responses: ['a'], ranks: [1] }, 'not a comparison', /two or more answers; it has 1/],
    ['two answers that are one', { prompt: 'q', responses: ['a', 'a'], ranks: [1, 1] }, 'identical answers', /same text$/],
  ];
  for (const [what, row, reason, detail] of ASIDE) {
    it(`${what}: put aside with its line, and the others stay`, async () => {
      const good =
        'responses' in row ? { prompt: 'good', responses: ['a', 'b'], ranks: [1, 2] } : { prompt: 'good', chosen: 'a', rejected: 'b' };
      const whole = { chosen: '\n\nHuman: q\n\nAssistant: y', rejected: '\n\nHuman: q\n\nAssistant: z' };
      const { summary, rows, aside } = await importedPreferences(await write('prompt' in row ? good : whole, row), at('o.arrow'));
      assert.deepEqual([rows.length, summary.quarantined, summary.reasons], [1, 1, { [reason]: 1 }]);
      assert.equal(aside[0].line, 2);
      assert.match(aside[0].detail, detail);
    });
  }

  it('an answer of several that is empty or there already is put aside by itself, where the others still hold a comparison', async () => {
    const rows = [
      { prompt: 'q', responses: ['a', 'b', 'a', ''], ranks: [1, 2, 1, 3], scores: [4, 3, 4, 0], margins: [3, 2, 3, 0] },
      { prompt: 'r', responses: ['a', 'b', 'a', 'c'], ranks: [1, 2, 3, 4] }, // which rank `a` has is not known
      { prompt: 's', responses: ['a', 'a', 'b'], ranks: [1, 2, 3] }, // only b is left
    ];
    const { rows: kept, aside } = await importedPreferences(await write(...rows), at('o.arrow'));
    const [first, second] = kept.map(({ prompt: _, source: __, ...row }) => row);
    assert.deepEqual(first, { responses: ['a', 'b'], ranks: [1, 2], scores: [4, 3], margins: [3, 2] });
    assert.deepEqual([second, kept.length], [{ responses: ['b', 'c'], ranks: [2, 4] }, 2]);
    assert.deepEqual(
      aside.map(({ line, reason }) => [line, reason]),
      [
        [1, 'identical answers'],
        [1, 'empty'],
        [2, 'identical answers'],
        [3, 'identical answers'],
      ],
    );
  });

  describe('contradictions', () => {
    const pair = (chosen: string, rejected: string, annotator?: string, prompt = 'q') => ({ prompt, chosen, rejected, annotator });
    const asideOf = async (...rows: unknown[]) => {
      const { rows: kept, aside } = await importedPreferences(await write(...rows), at('o.arrow'));
      assert.equal(kept.length + aside.length, rows.length);
      assert.ok(aside.every(({ reason }) => reason === 'contradicting answers'));
      return aside.map(({ line }) => line);
    };

    it('a pair that nobody who is named ranks both ways: all its rows are put aside, the first one too', async () => {
      assert.deepEqual(await asideOf(pair('a', 'b'), pair('c', 'd'), pair('b', 'a'), pair('a', 'b')), [1, 3, 4]);
    });
    it('the same annotator both ways; two annotators may disagree', async () => {
      const rows = [pair('a', 'b', 'ann'), pair('b', 'a', 'bo'), pair('x', 'y', 'ann'), pair('y', 'x', 'ann')];
      assert.deepEqual(await asideOf(...rows), [3, 4]);
    });
    it('the same answers to another prompt, and the same comparison twice, are none', async () => {
      assert.deepEqual(await asideOf(pair('a', 'b'), pair('b', 'a', undefined, 'r'), pair('a', 'b')), []);
    });
    it('pairs within rankings; equal ranks contradict nothing', async () => {
      const rank = (...ranks: number[]) => ({ prompt: 'q', responses: ['a', 'b', 'c'], ranks });
      assert.deepEqual(await asideOf(rank(1, 1, 2), rank(1, 2, 3), rank(2, 1, 3)), [2, 3]);
    });
    it('the table is as if they had never been there', async () => {
      const clean = await importedPreferences(await write(pair('c', 'd')), at('clean.arrow'), { source: 's' });
      const torn = await importedPreferences(await write(pair('a', 'b'), pair('c', 'd'), pair('b', 'a')), at('torn.arrow'), {
        source: 's',
      });
      assert.deepEqual(torn.rows, clean.rows);
      assert.deepEqual(torn.summary.sources, { s: 1 });
    });
  });

  it('files of different tables are an error that names them', async () => {
    const chat = await write({ messages: [...hello] });
    await assert.rejects(importData({ paths: [at('rankings.jsonl'), chat], output: at('mixed.arrow') }), {
      name: 'UserError',
      message: /a table of preferences from .*rankings\.jsonl \(rankings\) and a table of conversations/,
    });
  });

  it('nothing that can be used is an error, and leaves no table', async () => {
    await assert.rejects(importData({ paths: [await write({ prompt: 'q', chosen: 'a', rejected: 'a' })], output: at('none.arrow') }), {
      name: 'UserError',
      message: /at least one comparison .*identical answers: 1.*line 1/,
    });
    await assert.rejects(preferencesIn(at('none.arrow')));
  });
});
