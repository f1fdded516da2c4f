import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import { type DataType, Field, List, Schema, Struct, Table, tableToIPC, Utf8, vectorFromArray } from 'apache-arrow';
import { ArrowFile } from '../../datasets/arrow.js';
import { type Conversation, conversationsBatch, conversationsSchema, promptsBatch, promptsSchema } from '../../datasets/conversations.js';
import { type InspectOptions, inspect, inspectRow } from '../../datasets/inspect/inspect.js';
import { lengthBins } from '../../datasets/inspect/lengths.js';
import { inspectionPage, rowPage } from '../../datasets/inspect/page.js';
import { inspectionText, rowText } from '../../datasets/inspect/terminal.js';
import { type Message, type TrainOn, trainTokenizer } from '../../tokenizer/index.js';
import { withoutColour } from '../util/environment.js';
import { temporaryFolder } from './temporary.js';

const system = (content: string): Message => ({ role: 'system', content });
const user = (content: string): Message => ({ role: 'user', content });
const assistant = (content: string): Message => ({ role: 'assistant', content });
const userError = (message: RegExp) => ({ name: 'UserError', message });

describe('inspecting conversations', () => {
  const at = temporaryFolder();
  withoutColour();
  const tokenizer = trainTokenizer(['the cat and the hat, 模型模型'], { kind: 'bpe', vocabSize: 290 });
  const marks = 5; // bos, user, eos, assistant, eos
  const length = (text: string) => tokenizer.encode(text).length;

  before(async () => {
    await fs.mkdir(at('checkpoint'));
    await fs.writeFile(at('checkpoint/tokenizer.json'), JSON.stringify(tokenizer));
    await fs.writeFile(at('checkpoint/config.json'), JSON.stringify({ max_position_embeddings: 64 }));
    await fs.mkdir(at('bare'));
    await fs.writeFile(at('bare/tokenizer.json'), JSON.stringify(tokenizer));
  });

  const write = async (
    rows: readonly (Omit<Conversation, 'source'> & { source?: string })[],
    { weighted = false, batchRows = 100 } = {},
  ) => {
    const schema = conversationsSchema(new Map([['importer', 'alpaca']]), { weighted });
    await fs.rm(at('chats.arrow'), { force: true });
    const file = new ArrowFile(at('chats.arrow'), schema);
    for (let from = 0; from < rows.length; from += batchRows)
      await file.write(
        conversationsBatch(
          schema,
          rows.slice(from, from + batchRows).map((row) => ({ source: 'a', ...row })),
        ),
      );
    await file.close();
    return at('chats.arrow');
  };
  const inTokens = (more: InspectOptions = {}): InspectOptions => ({ tokenizer: at('checkpoint'), tokens: true, ...more });

  const rows = [
    { messages: [user('the cat?'), assistant('and the hat')], source: 'a' },
    { messages: [system('模型'), user('hat'), assistant('cat'), user('the'), assistant('')], source: 'b' },
    { messages: [user('x'), assistant('x'.repeat(100))], source: 'a' },
  ];

  it('counts them in messages without a tokenizer: by source, by role, by answers', async () => {
    const { kind, lengthsIn, parts, notes } = await inspect(await write(rows, { batchRows: 2 }));
    const [{ total, sources, chats }] = parts;
    assert.deepEqual([kind, lengthsIn], ['conversations', 'bytes']);
    assert.deepEqual(
      [...sources, total].map(({ name, rows: n, bytes, characters, longest, tokens }) => [name, n, bytes, characters, longest, tokens]),
      [
        ['a', 2, 120, 120, 101, undefined],
        ['b', 1, 15, 11, 15, undefined],
        ['all', 3, 135, 131, 101, undefined],
      ],
    );
    assert.deepEqual(chats?.roles, [
      { role: 'user', messages: 4, bytes: 15, characters: 15 },
      { role: 'assistant', messages: 4, bytes: 114, characters: 114 },
      { role: 'system', messages: 1, bytes: 6, characters: 2 },
    ]);
    assert.deepEqual(
      lengthBins(chats!.turns).map(({ label, count }) => [label, count]),
      [
        ['1', 2],
        ['2 – 4', 1],
      ],
    );
    assert.match(notes.join(), /--tokenizer CHECKPOINT .* --tokens/);
  });

  it('shows messages beside their roles, cut in examples and whole in a row', async () => {
    const file = await write([{ messages: [user('long\n'.repeat(200)), assistant('ok\nyes')], weight: 0.5 }], { weighted: true });
    const [example] = (await inspect(file)).parts[0].examples;
    assert.deepEqual(example.messages?.[0], { role: 'user', content: 'long\n'.repeat(100), left: '500 more characters' });
    const row = await inspectRow(file, 0);
    assert.deepEqual(row.messages?.[0], { role: 'user', content: 'long\n'.repeat(200), left: undefined });
    const shown = rowText(row);
    assert.match(shown, /^row 0 · a · 1,006 bytes · weight 0\.5\nmessages\nuser {7}long\n {11}long\n/);
    assert.match(shown, /\nassistant {2}ok\n {11}yes$/);
    assert.match(rowPage('p', row), /<div><b>assistant<\/b><span>ok\nyes<\/span><\/div>/);
    const many = await write([{ messages: Array.from({ length: 12 }, (_, i) => (i % 2 ? assistant('a') : user('q'))) }]);
    const [cut] = (await inspect(many)).parts[0].examples;
    assert.deepEqual([cut.messages?.length, cut.left], [8, '4 more messages']);
  });

  it('counts tokens, supervised and ignored ones, of all and by source, as the template and train_on say', async () => {
    const file = await write(rows, { batchRows: 2 });
    const counts = async (trainOn?: TrainOn) => {
      const { parts, lengthsIn } = await inspect(file, inTokens({ trainOn }));
      assert.equal(lengthsIn, 'tokens');
      const { sources, total } = parts[0];
      return [...sources, total].map(({ tokens, supervised, longest }) => [tokens, supervised, longest]);
    };
    const [first, third] = [length('the cat?') + length('and the hat') + marks, 101 + marks];
    const second = length('模型') + length('hat') + length('cat') + length('the') + marks + 6;
    assert.deepEqual(await counts(), [
      [first + third, length('and the hat') + 1 + 101, third],
      [second, length('cat') + 1 + 1, second],
      [first + second + third, length('and the hat') + length('cat') + 104, third],
    ]);
    assert.deepEqual((await counts('last_assistant'))[1], [second, 1, second]);
    assert.deepEqual(await counts('all'), [
      [first + third, first + third - 2, third],
      [second, second - 1, second],
      [first + second + third, first + second + third - 3, third],
    ]);
    const shown = inspectionText(await inspect(file, inTokens()));
    assert.match(shown, /^ {2}source {2}conversations {2}tokens {2}supervised {2}ignored {3}share {2}mean length {2}longest$/m);
    const all = new RegExp(`^  all +3 +${first + second + third} +${length('and the hat') + length('cat') + 104} +(\\d+) `, 'm').exec(
      shown,
    );
    assert.equal(Number(all?.[1]), first + second + third - length('and the hat') - length('cat') - 104);
  });

  it('shows the tokens with their marks, and a sign before those that are to be predicted', async () => {
    const file = await write(rows);
    const row = await inspectRow(file, 0, inTokens());
    const answer = [...tokenizer.encode('and the hat'), 1];
    assert.deepEqual(row.tokens?.ids, [0, 4, ...tokenizer.encode('the cat?'), 1, 5, ...answer]);
    assert.equal(row.tokens?.predicted, answer.length);
    const lines = rowText(row).split('\n');
    const from = lines.indexOf('tokens (▌ tokens to be predicted)') + 1;
    const text = (line: string) =>
      line
        .slice(2)
        .replaceAll(/\|(?!>)(?<!<\|)/g, '')
        .replaceAll('␣', ' ');
    assert.deepEqual(
      lines.slice(from, from + 4).map((line) => [line.slice(0, 2), text(line)]),
      [
        ['  ', '<|bos|>'],
        ['  ', '<|user|>the cat?<|eos|>'],
        ['  ', '<|assistant|>'],
        ['▌ ', 'and the hat<|eos|>'],
      ],
    );
    const page = rowPage('p', row);
    assert.match(page, /<div class="predicted"><span class="t\d" title="\d+">a<\/span>/);
    assert.match(page, /<span class="s faint" title="0">&lt;\|bos\|&gt;<\/span>/);
    assert.equal((await inspectRow(file, 0, { tokenizer: at('checkpoint') })).tokens?.pieces, undefined);
    const shown = inspectionText(await inspect(file, inTokens()));
    assert.match(shown, /examples \(▌ tokens to be predicted\)/);
    assert.match(shown, new RegExp(`row 0 · a · \\d+ tokens · 19 bytes · ${answer.length} tokens to be predicted, \\d+ not`));
  });

  it('says how many are longer than the context, and marks their bars', async () => {
    const file = await write(rows, { batchRows: 1 });
    const inspection = await inspect(file, inTokens());
    assert.equal(inspection.context, 64);
    assert.deepEqual(inspection.parts[0].chats?.tooLong, { count: 1, context: 64, first: [2] });
    assert.deepEqual(inspection.notes, ['1 of 3 conversations is longer than the context of 64 tokens: row 2.']);
    const shown = inspectionText(inspection);
    assert.match(shown, /conversations by length in tokens; the context has 64$/m);
    assert.match(shown, /^ {2}100 – 199 {2}▒+ 1 \(33\.3%\) too long$/m);
    assert.match(shown, /row 2 · .* · longer than the context of 64$/m);
    assert.match(inspectionPage(inspection), /<i class="past" style="width:100\.00%">/);
    const exactly = await inspect(file, inTokens({ contextLength: 101 + marks }));
    assert.deepEqual([exactly.parts[0].chats?.tooLong?.count, exactly.notes], [0, []]);
    const one = await inspect(file, inTokens({ contextLength: 100 + marks }));
    assert.match(inspectionText(one), /^ {2}100 – 105\n {2}106 – 199 {2}▒+ 1 \(33\.3%\) too long$/m);
  });

  it('says where no context is known', async () => {
    const { notes, context } = await inspect(await write(rows), { tokenizer: at('bare'), tokens: true });
    assert.equal(context, undefined);
    assert.match(notes.join(), /--context-length N/);
    await fs.writeFile(at('bare/config.json'), '{');
    await assert.rejects(inspect(at('chats.arrow'), { tokenizer: at('bare') }), userError(/config\.json must be JSON/));
    await fs.writeFile(at('bare/config.json'), '{"n_positions": 8}');
    assert.equal((await inspect(at('chats.arrow'), { tokenizer: at('bare') })).context, 8);
  });

  it('counts and names rows that cannot be used, and why', async () => {
    const broken = [
      ...rows,
      { messages: [user('no answer')] },
      { messages: [assistant('first'), user('then')], source: 'b' },
      ...Array.from({ length: 9 }, () => ({ messages: [] })),
    ];
    const file = await write(broken);
    for (const options of [{}, inTokens()] as InspectOptions[]) {
      const inspection = await inspect(file, options);
      const { total, chats } = inspection.parts[0];
      assert.deepEqual([total.rows, total.unusable], [14, 11]);
      assert.equal(chats?.unusable.count, 11);
      assert.equal(
        lengthBins(total.lengths!).reduce((sum, { count }) => sum + count, 0),
        options.tokens ? 3 : 14,
      );
      assert.deepEqual(chats?.unusable.first.slice(0, 3), [
        { row: 3, reason: "the last message is of the user, and must be the assistant's" },
        { row: 4, reason: "message 1 is of the assistant, and it is the user's turn" },
        { row: 5, reason: 'nobody asks anything' },
      ]);
      const shown = inspectionText(inspection);
      assert.match(shown, /11 of 14 conversations cannot be used/);
      assert.match(shown, /^ {2}row 3 {3}the last message is of the user/m);
      assert.match(shown, /… and 3 more$/m);
    }
    const row = await inspectRow(file, 4, inTokens());
    assert.match(rowText(row), /not usable: message 1 is of the assistant.*\n(.*\n)*assistant {2}first/);
    assert.match(rowPage('p', row), /<p class="note">not usable: message 1/);
  });

  it('shows what the template refuses with its message', async () => {
    await fs.writeFile(
      at('strict.jinja'),
      "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('No system here') }}{% endif %}{{ m.content + '<|eos|>' }}{% endfor %}",
    );
    const { parts } = await inspect(await write(rows), inTokens({ template: at('strict.jinja') }));
    const [{ total, sources, chats, examples }] = parts;
    assert.deepEqual([total.unusable, sources[1].unusable, sources[0].unusable], [1, 1, undefined]);
    assert.match(chats!.unusable.first[0].reason, /^chat template: .*No system here/);
    assert.match(examples[1].problem!, /No system here/);
    assert.deepEqual([examples[1].tokens, examples[1].messages?.length], [undefined, 5]);
  });

  it('reads tables of others: null contents, roles without end, no source', async () => {
    const utf8 = new Utf8();
    const message = new Struct([new Field('role', utf8, true), new Field('content', utf8, true)]);
    const list = [
      [
        { role: 'user', content: null },
        { role: 'assistant', content: 'a' },
      ],
      null,
      ...Array.from({ length: 30 }, (_, i) => [{ role: `role ${i}`, content: 'x' }]),
    ];
    const column = vectorFromArray(list, new List(new Field('item', message, true)));
    const schema = new Schema([new Field('messages', column.type as DataType, true)]);
    await fs.writeFile(at('others.arrow'), tableToIPC(new Table(schema, { messages: column }), 'file'));
    const inspection = await inspect(at('others.arrow'), inTokens());
    const { chats, total } = inspection.parts[0];
    assert.deepEqual([total.rows, total.unusable, chats?.roles.length], [32, 32, 21]);
    assert.equal(
      chats?.roles.reduce((sum, { messages }) => sum + messages, 0),
      32,
    );
    assert.equal(chats?.unusable.first[0].reason, 'message 1 has no content');
    assert.match(inspectionText(inspection), /32 conversations, 31 bytes/);
  });

  it('counts the same in threads', async () => {
    const many = Array.from({ length: 2400 }, (_, i) => ({
      messages: i % 100 === 7 ? [user('q')] : [user(`the ${i}`), assistant('cat '.repeat(i % 40))],
      source: `s${i % 3}`,
    }));
    const figures = async () => {
      const { parts, notes } = await inspect(at('chats.arrow'), inTokens());
      const [{ total, sources, chats }] = parts;
      return { total, sources, chats, notes };
    };
    await write(many, { batchRows: 700 });
    const threaded = await figures();
    const usable = many.filter(({ messages }) => messages.length === 2);
    const expected = usable.map(({ messages }) => length(messages[0].content) + length(messages[1].content) + marks);
    assert.equal(
      threaded.total.tokens,
      expected.reduce((a, b) => a + b),
    );
    assert.equal(threaded.total.longest, Math.max(...expected));
    assert.equal(threaded.chats?.tooLong?.count, expected.filter((n) => n > 64).length);
    assert.deepEqual(threaded.chats?.unusable.first.map(({ row }) => row).slice(0, 3), [7, 107, 207]);
  });

  it('shows prompts up to where the answer begins, with their references', async () => {
    const schema = promptsSchema(new Map());
    const file = new ArrowFile(at('prompts.arrow'), schema);
    await file.write(
      promptsBatch(schema, [
        { prompt: [user('the cat')], reference: 'and the hat', source: 'a' },
        { prompt: [user('cat'), assistant('hat'), user('模型')], source: 'a' },
        { prompt: [user('cat'), assistant('hat')], source: 'a' },
      ]),
    );
    await file.close();
    const { kind, parts } = await inspect(at('prompts.arrow'), inTokens());
    const [{ total, chats }] = parts;
    assert.deepEqual([kind, total.rows, total.unusable, total.supervised], ['prompts', 3, 1, undefined]);
    assert.match(chats!.unusable.first[0].reason, /must be the user's/);
    const row = await inspectRow(at('prompts.arrow'), 0, inTokens());
    assert.deepEqual(row.tokens?.ids, [0, 4, ...tokenizer.encode('the cat'), 1, 5]);
    const shown = rowText(row);
    assert.match(shown, /\nreference {2}and the hat$/);
    assert.ok(!shown.includes('▌'));
    assert.match(rowPage('p', row), /<b>reference<\/b><span>and the hat<\/span>/);
    await assert.rejects(inspect(at('prompts.arrow'), inTokens({ trainOn: 'all' })), userError(/--train-on .* received prompts/));
  });

  it('says which options need a tokenizer, and which need conversations', async () => {
    const file = await write(rows);
    await assert.rejects(inspect(file, { tokens: true }), userError(/none is named.*Say --tokenizer PATH/));
    for (const options of [{ template: 'chatml' }, { trainOn: 'all' as const }, { contextLength: 5 }])
      await assert.rejects(inspect(file, options), userError(/speaks of tokens.*Say --tokenizer PATH/));
    await assert.rejects(
      inspect(file, inTokens({ template: 'none' })),
      userError(/chatml, llama3, alpaca, vicuna or a file.*received none/),
    );
    const corpus = new Table({ text: vectorFromArray(['a'], new Utf8()) });
    await fs.writeFile(at('corpus.arrow'), tableToIPC(corpus, 'file'));
    await assert.rejects(
      inspect(at('corpus.arrow'), { trainOn: 'all' }),
      userError(/--train-on is for conversations and prompts; received corpus/),
    );
  });

  it('takes nothing of the data as HTML or as an escape sequence', async () => {
    const bad = '<script>alert(1)</script>\x1b[2J';
    const file = await write([{ messages: [user(bad), assistant(bad)], source: bad }, { messages: [user(bad)] }]);
    for (const options of [{}, inTokens()]) {
      const inspection = await inspect(file, options);
      assert.ok(!inspectionPage(inspection).includes('<script') && !inspectionPage(inspection).includes('\x1b'));
      assert.ok(!inspectionText(inspection).includes('\x1b'));
    }
  });
});
