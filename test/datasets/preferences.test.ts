import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import { type DataType, Field, Float64, Int64, List, Schema, Table, tableToIPC, Utf8, vectorFromArray } from 'apache-arrow';
import { messageList, tableKind } from '../../datasets/conversations.js';
import { comparable, type Preference, pairCounts } from '../../datasets/preferences.js';
import { assistant, pairOf, preferencesIn, system, user, writePreferences } from './preference-rows.js';
import { temporaryFolder } from './temporary.js';

describe('the table of preferences', () => {
  const at = temporaryFolder();

  it('gives back what was written, in any record batches, with what may be missing', async () => {
    const rows: Preference[] = [
      pairOf('one', 'a', 'b'),
      { ...pairOf('', '模型 🎉', ''), prompt: [system('s'), user('one'), assistant('two'), user('three')], source: 'b' },
      { prompt: [user('two')], responses: ['x', 'y', 'z'], ranks: [2, 2, -1], source: 'a', margins: [0.5, 0, -2], annotator: 'ann' },
      pairOf('three', 'a', 'b', { scores: [1, 0.25] }),
    ];
    for (const batchRows of [1, 3, 100])
      assert.deepEqual(await preferencesIn(await writePreferences(at('t.arrow'), rows, batchRows)), rows);
    assert.equal(await tableKind(at('t.arrow')), 'preferences');
  });

  it('counts pairs of different and of equal ranks', () => {
    assert.deepEqual(pairCounts([1, 2, 2, 3]), { comparisons: 5, ties: 1 });
    assert.deepEqual(pairCounts([4, 4]), { comparisons: 0, ties: 1 });
    assert.deepEqual([comparable({ ranks: [4, 4] }), comparable({ ranks: [4, 4, 5] })], [false, true]);
  });

  /** A table as another program writes it. */
  const foreign = async (name: string, columns: Record<string, unknown>, rankType: DataType = new Int64()) => {
    const types: Record<string, DataType> = {
      prompt: messageList,
      responses: new List(new Field('item', new Utf8(), true)),
      ranks: new List(new Field('item', rankType, true)),
      scores: new List(new Field('item', new Float64(), true)),
      source: new Utf8(),
    };
    const all: Record<string, unknown> = { prompt: [user('one')], responses: ['a', 'b'], ranks: [1n, 2n], source: 's', ...columns };
    const names = Object.keys(all);
    const schema = new Schema(names.map((column) => new Field(column, types[column], true)));
    const vectors = Object.fromEntries(names.map((column) => [column, vectorFromArray([all[column]], types[column])]));
    await fs.writeFile(at(name), tableToIPC(new Table(schema, vectors), 'file'));
    return at(name);
  };

  it('reads numbers of 64 bits', async () => {
    const [row] = await preferencesIn(await foreign('wide.arrow', { scores: [0.1, 0.2] }));
    assert.deepEqual(row, { prompt: [user('one')], responses: ['a', 'b'], ranks: [1, 2], source: 's', scores: [0.1, 0.2] });
  });

  for (const [what, columns, message] of [
    ['one response', { responses: ['a'] }, /row 0 of .*received 1 responses/],
    ['fewer ranks than responses', { responses: ['a', 'b', 'c'] }, /received 3 responses with 2 ranks/],
    ['a response that is null', { responses: ['a', null] }, /a response that is no text/],
    ['a rank that is null', { ranks: [1n, null] }, /received ranks 1, NaN/],
    ['a score that is no number', { scores: [1, Number.NaN] }, /received scores 1, NaN/],
    ['no list of responses', { responses: null }, /received 0 responses/],
  ] as const) {
    it(`refuses ${what}, and names the row`, async () => {
      await assert.rejects(preferencesIn(await foreign('bad.arrow', columns)), { name: 'UserError', message });
    });
  }

  it('refuses ranks that are no whole numbers', async () => {
    const file = await foreign('half.arrow', { ranks: [1, 1.5] }, new Float64());
    await assert.rejects(preferencesIn(file), { name: 'UserError', message: /received ranks 1, 1\.5/ });
  });
});
