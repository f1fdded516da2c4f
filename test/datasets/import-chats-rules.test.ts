import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import path from 'node:path';
import { corpusFrom } from '../../datasets/corpus.js';
import { importCorpus, importData, parseColumns, readDocuments } from '../../datasets/import.js';
import { readTexts } from '../../datasets/texts.js';
import { fourfold } from '../cli/capture.js';
import { importedChats, importedPrompts } from './chat-rows.js';
import { imported, quarantined } from './corpus-rows.js';
import { temporaryFolder } from './temporary.js';

const userError = (message: RegExp) => ({ name: 'UserError', message });
const fixture = (name: string) => path.join(import.meta.dirname, 'fixtures/chats', name);

describe('rules of conversations', () => {
  const at = temporaryFolder();
  const good = { messages: [{ role: 'user', content: 'q' }, { role: 'assistant', content: 'a' }] }; // biome-ignore format: short
  /** Imports rows between two good ones, and gives what became of them. */
  const refused = async (rows: readonly unknown[], options = {}) => {
    await fs.writeFile(
      at('rows.jsonl'),
      [good, ...rows, good].map((row) => (typeof row === 'string' ? row : JSON.stringify(row))).join('\n'),
    );
    const { summary, aside, conversations } = await importedChats(at('rows.jsonl'), at('out.arrow'), options);
    assert.equal(conversations.length, 2, 'the good ones stay');
    assert.equal(summary.quarantined, rows.length);
    assert.deepEqual(
      aside.map(({ line }) => line),
      rows.map((_, i) => i + 2),
    );
    return aside.map(({ reason, detail }) => [reason, detail]);
  };
  const talk = (...messages: [role: unknown, content: unknown][]) => ({ messages: messages.map(([role, content]) => ({ role, content })) });

  it('the system first, user and assistant in turns, the assistant last: what breaks this is put aside with line and reason', async () => {
    const aside = await refused([
      talk(['user', 'q'], ['system', 's'], ['assistant', 'a']),
      talk(['user', 'q'], ['user', 'q']),
      talk(['assistant', 'a'], ['user', 'q'], ['assistant', 'a']),
      talk(['user', 'q']),
      talk(['user', 'q'], ['assistant', 'a'], ['user', 'q']),
      talk(['user', 'q'], ['tool', 't'], ['assistant', 'a']),
      talk(['system', 's']),
      { messages: [] },
    ]);
    assert.deepEqual(aside, [
      ['wrong roles', 'message 2 is of the system, which may only have the first'],
      ['wrong roles', "message 2 is of the user, and it is the assistant's turn"],
      ['wrong roles', "message 1 is of the assistant, and it is the user's turn"],
      ['wrong roles', "the last message is of the user, and must be the assistant's"],
      ['wrong roles', "the last message is of the user, and must be the assistant's"],
      ['wrong roles', 'message 2 has the role "tool"; there are system, user, assistant'],
      ['wrong roles', 'nobody asks anything'],
      ['wrong roles', 'nobody asks anything'],
    ]);
  });

  it('contents that are empty, no text or half a character are put aside, as are rows that are no lists of messages', async () => {
    const aside = await refused([
      talk(['user', ' \n'], ['assistant', 'a']),
      talk(['user', 'q'], ['assistant', '']),
      talk(['user', 'q'], ['assistant', null]),
      talk(['user', 'q'], ['assistant', 5]),
      '{"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"\\ud800"}]}',
      talk(['user', [{ type: 'image_url', image_url: 'x' }]], ['assistant', 'a']),
      { messages: 'q' },
      { messages: ['q', 'a'] },
      { messages: [{ role: 'user' }] },
      { messages: [{ said: 'q' }] },
      { text: 'q' },
      'not json',
    ]);
    assert.deepEqual(
      aside.map(([reason]) => reason),
      ['empty', 'empty', 'empty', 'not text', 'not text', 'not text', ...Array(4).fill('not a conversation'), 'no such column', 'not JSON'],
    );
    assert.equal(aside[1][1], 'message 2 has no text');
    assert.equal(aside[3][1], 'the content of "messages" at 1 must be text; it is a number');
    assert.match(aside[5][1], /an object of the type "image_url"/);
    assert.equal(aside[9][1], '"messages" at 0 must have a role and content (or from and value); it has said');
    assert.match(aside[10][1], /there is no "messages" in the row; it has text/);
  });

  it('a weight is a number, 0 or more, of the whole conversation', async () => {
    const messages = [{ role: 'user', content: 'q' }, { role: 'assistant', content: 'a', weight: 0 }]; // biome-ignore format: short
    const aside = await refused([{ ...good, weight: -1 }, { ...good, weight: 'much' }, { ...good, weight: 1e300 }, { messages }]);
    assert.deepEqual(
      aside.map(([reason]) => reason),
      Array(4).fill('wrong weight'),
    );
    assert.match(aside[3][1], /"messages" at 1 has a weight of its own/);
  });

  it('a conversation of more than 64 MiB is put aside, and is not in memory where it is a line', async () => {
    const file = await fs.open(at('large.jsonl'), 'w');
    await file.write(`${JSON.stringify(good)}\n{"messages":[{"role":"user","content":"`);
    for (let i = 0; i < 70; i++) await file.write(Buffer.alloc(1e6, 'x'));
    await file.write(`"},{"role":"assistant","content":"a"}]}\n${JSON.stringify(good)}\n`);
    await file.close();
    const { aside, conversations } = await importedChats(at('large.jsonl'), at('out.arrow'));
    assert.equal(conversations.length, 2);
    assert.deepEqual([aside[0].line, aside[0].reason], [2, 'too large']);
  });

  it('in a JSON array the line and number of the row are known', async () => {
    await fs.writeFile(at('rows.json'), '[\n{"prompt":"q","response":"a"},\n{"prompt":"q",\n"response":""}, {"prompt":"q"}]');
    const { aside, summary } = await importedChats(at('rows.json'), at('out.arrow'));
    assert.deepEqual(
      aside.map(({ line, row, reason, excerpt }) => [line, row, reason, excerpt]),
      [
        [3, 2, 'empty', '{"prompt":"q",\n"response":""}'],
        [4, 3, 'no such column', '{"prompt":"q"}'],
      ],
    );
    assert.deepEqual(summary.reasons, { empty: 1, 'no such column': 1 });
  });

  it('one bad instance of self-instruct does not take the others with it', async () => {
    const instances = [{ input: '', output: '' }, { input: '', output: 'b' }]; // biome-ignore format: short
    await fs.writeFile(at('seed.jsonl'), JSON.stringify({ instruction: 'Do.', instances }));
    const { said, aside } = await importedChats(at('seed.jsonl'), at('out.arrow'));
    assert.deepEqual(said, [['user: Do.', 'assistant: b']]);
    assert.deepEqual([aside[0].line, aside[0].reason], [1, 'empty']);
  });

  it('a prompt ends with the user', async () => {
    const rows = [{ prompt: 'q' }, { prompt: [{ role: 'user', content: 'q' }, { role: 'assistant', content: 'a' }] }]; // biome-ignore format: short
    await fs.writeFile(at('p.jsonl'), rows.map((row) => JSON.stringify(row)).join('\n'));
    const { summary } = await importedPrompts(at('p.jsonl'), at('out.arrow'));
    assert.deepEqual([summary.rows, summary.reasons], [1, { 'wrong roles': 1 }]);
    const [row] = await quarantined(summary.quarantine!);
    assert.equal(row.detail, "the last message is of the assistant, and must be the user's");
  });

  it('no conversation at all is an error that shows the first that is wrong, and leaves the quarantine', async () => {
    await fs.writeFile(at('none.jsonl'), JSON.stringify(talk(['user', 'q'])));
    await assert.rejects(
      importedChats(at('none.jsonl'), at('none.arrow')),
      userError(/at least one conversation .*wrong roles: 1.*none\.jsonl, line 1, .*must be the assistant's/),
    );
    await assert.rejects(fs.stat(at('none.arrow')), { code: 'ENOENT' });
    assert.equal((await quarantined(at('none.arrow.quarantine.jsonl'))).length, 1);
  });
});

describe('what a file is', () => {
  const at = temporaryFolder();
  const write = async (name: string, ...rows: unknown[]) => {
    await fs.writeFile(at(name), rows.map((row) => JSON.stringify(row)).join('\n'));
    return at(name);
  };
  const messages = [{ role: 'user', content: 'q' }, { role: 'assistant', content: 'a' }]; // biome-ignore format: short

  for (const [columns, becomes] of [
    [['text', 'messages'], 'corpus'],
    [['instruction', 'input', 'output', 'text'], 'corpus'],
    [['question', 'answer'], 'corpus'],
    [['messages'], 'conversations'],
    [['id', 'conversation'], 'conversations'],
    [['prompt', 'response', 'history'], 'conversations'],
    [['prompt', 'completion'], 'conversations'],
    [['instruction', 'instances'], 'conversations'],
    [['prompt'], 'prompts'],
    [['prompt', 'answer'], 'prompts'],
  ] as const) {
    it(`columns ${columns.join(', ')}: ${becomes}`, async () => {
      const values: Record<string, unknown> = { messages, conversation: messages, history: [], instances: [{ input: '', output: 'a' }] };
      const file = await write('row.jsonl', Object.fromEntries(columns.map((name) => [name, values[name] ?? name])));
      assert.equal((await importData({ paths: [file], output: at('o.arrow'), overwrite: true })).table, becomes);
    });
  }

  it('rankings and preferences are no conversations; answers without an order are nothing yet', async () => {
    for (const more of [
      { chosen: 'a', rejected: 'b' },
      { responses: ['a', 'b'], ranks: [1, 2] },
    ]) {
      const file = await write('preferences.jsonl', { prompt: 'q', ...more });
      assert.equal((await importData({ paths: [file], output: at('p.arrow'), overwrite: true })).table, 'preferences');
    }
    const file = await write('answers.jsonl', { prompt: 'q', responses: ['a', 'b'] });
    await assert.rejects(importData({ paths: [file], output: at('q.arrow') }), userError(/there is no "text" .*--columns/));
  });

  it('a first row of any length is known by its columns', async () => {
    const long = Array.from({ length: 3000 }, (_, i) => ({ from: i % 2 ? 'gpt' : 'human', value: `{"text": "}${'x'.repeat(40)}\\` }));
    const { summary } = await importedChats(await write('long.jsonl', { id: { a: 1 }, conversations: long }), at('o.arrow'));
    assert.deepEqual([summary.formats, summary.turns], [{ sharegpt: 1 }, 1500]);
  });

  it('--format says it otherwise', async () => {
    const file = await write('both.jsonl', { text: 'the text', prompt: 'p', response: 'r', completion: 'c' });
    const forced = async (format: 'chatglm' | 'prompt_completion') => (await importedChats(file, at('o.arrow'), { format })).said[0][1];
    assert.equal(await forced('chatglm'), 'assistant: r');
    assert.equal(await forced('prompt_completion'), 'assistant: c');
    assert.equal((await importedPrompts(file, at('o.arrow'), { format: 'prompts' })).prompts[0].prompt[0].content, 'p');
    assert.deepEqual((await imported(file, at('o.arrow'))).texts, ['the text']);
    assert.deepEqual(
      (await imported(await write('chat.jsonl', { prompt: 'p', response: 'r', text: 't' }), at('o.arrow'), { format: 'jsonl' })).texts,
      ['t'],
    );
    const lines = at('lines.txt');
    await fs.copyFile(file, lines);
    assert.equal((await importedChats(lines, at('o.arrow'), { format: 'chatglm' })).said.length, 1);
    await fs.writeFile(at('page.html'), '<p>x');
    await assert.rejects(
      importData({ paths: [at('page.html')], output: at('h.arrow'), format: 'alpaca' }),
      userError(/rows of alpaca are in jsonl, json, csv, parquet, arrow; it is html/),
    );
  });

  it('own columns are taken, nested ones, too; the same file is a corpus, conversations or prompts', async () => {
    const file = await write('own.jsonl', { meta: { q: 'why?' }, best: 'so', before: [['a', 'b']], who: 'Be kind.', much: 2 });
    const columns = parseColumns('prompt=meta.q,response=best,history=before,system=who,weight=much');
    const { conversations, said, summary } = await importedChats(file, at('o.arrow'), { columns });
    assert.deepEqual(said, [['system: Be kind.', 'user: a', 'assistant: b', 'user: why?', 'assistant: so']]);
    assert.deepEqual([conversations[0].weight, summary.formats], [2, { prompt_completion: 1 }]);
    const { prompts } = await importedPrompts(file, at('o.arrow'), { columns: { prompt: 'meta.q', reference: 'best' } });
    assert.deepEqual(prompts, [{ prompt: [{ role: 'user', content: 'why?' }], reference: 'so', source: 'own' }]);
    assert.deepEqual((await imported(file, at('o.arrow'), { columns: { text: 'best' } })).texts, ['so']);
    const talk = await write('talk.jsonl', { talk: messages });
    assert.deepEqual((await importedChats(talk, at('o.arrow'), { columns: { messages: 'talk' } })).said, [['user: q', 'assistant: a']]);
    const gsm = await write('gsm.jsonl', { question: '1+1?', answer: '2' });
    assert.deepEqual((await importedChats(gsm, at('o.arrow'), { columns: parseColumns('prompt=question,response=answer') })).said, [
      ['user: 1+1?', 'assistant: 2'],
    ]);
  });

  it('own columns for a part of a known format leave the others as they are', async () => {
    const file = await write('part.jsonl', { instruction: 'i', input: 'n', output: 'o', persona: 's' });
    const { said } = await importedChats(file, at('o.arrow'), { columns: { system: 'persona' } });
    assert.deepEqual(said, [['system: s', 'user: i\n\nn', 'assistant: o']]);
  });

  it('a column that Parquet or Arrow has not, or that nothing reads, is an error', async () => {
    for (const name of ['chatglm.parquet', 'chatglm.arrow']) {
      const failing = importedChats(fixture(name), at('x.arrow'), { columns: { prompt: 'prompt', response: 'nowhere' } });
      await assert.rejects(failing, userError(/must have the column nowhere; it has prompt, response, history\. .*--columns/));
    }
    const file = await write('t.jsonl', { text: 'x', w: 1 });
    await assert.rejects(
      imported(file, at('x.arrow'), { columns: { text: 'text', weight: 'w' } }),
      userError(/--columns may name text for jsonl; received weight/),
    );
    assert.throws(
      () => parseColumns('promt=q'),
      userError(/accepted, prompt, response, system, history, weight, messages, reference.*received promt=q/),
    );
  });

  it('files that become different tables are an error that names them', async () => {
    const [chat, text, prompt] = [
      await write('c.jsonl', { prompt: 'p', response: 'r' }),
      await write('t.jsonl', { text: 'x' }),
      await write('p.jsonl', { prompt: 'p' }),
    ];
    await assert.rejects(
      importData({ paths: [chat, text, prompt], output: at('mixed.arrow') }),
      userError(
        /must become one table; received a table of conversations from .*c\.jsonl \(chatglm\) and a corpus from .*t\.jsonl \(jsonl\) and a table of prompts from .*p\.jsonl/,
      ),
    );
    const both = await importedChats([chat, await write('m.jsonl', { messages })], at('mixed.arrow'));
    assert.deepEqual(both.summary.formats, { chatglm: 1, messages: 1 });
  });

  it('where text is wanted, conversations are an error that says which option takes a column of them', async () => {
    const file = await write('c.jsonl', { prompt: 'p', response: 'r' });
    const wanted = userError(/must hold text; .*c\.jsonl \(chatglm\) holds conversations\. .*--columns text=NAME .*data\.columns\.text/);
    await assert.rejects(importCorpus({ paths: [file], output: at('w.arrow') }), wanted);
    await assert.rejects(corpusFrom({ path: file, document: 'row', output: at('w.arrow') }), wanted);
    await assert.rejects(readDocuments({ paths: [file] }).next(), wanted);
    await assert.rejects(readTexts([file]).next(), wanted);
    await corpusFrom({ path: file, document: 'row', textColumn: 'response', output: at('w.arrow') });
    assert.deepEqual((await imported(at('w.arrow'), at('o.arrow'))).texts, ['r']);
  });

  it('the command says rows, turns, format, sources and what could not be used; its help names each format', async () => {
    const file = await write('c.jsonl', { messages: [...messages, ...messages] }, { messages }, { messages: messages.slice(1) });
    const { code, stdout } = await fourfold('data', 'import', file, '-o', at('cli.arrow'), '--source', 'mine');
    assert.equal(code, 0);
    assert.match(
      stdout,
      /cli\.arrow: 2 conversations of 3 turns, 6 bytes\n {2}format: messages \(1 file\)\n {2}sources: mine 2\n {2}could not be used: wrong roles 1; .*quarantine\.jsonl says/,
    );
    const help = (await fourfold('data', 'import', '--help')).stdout;
    for (const format of ['alpaca', 'sharegpt', 'moss', 'chatglm', 'messages', 'prompt_completion', 'prompts'])
      assert.ok(help.includes(`"${format}"`), format);
  });
});
