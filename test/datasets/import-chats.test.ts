import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { readMetadata } from '../../datasets/arrow.js';
import { type Conversation, tableKind } from '../../datasets/conversations.js';
import { sha256File } from '../../util/files.js';
import { csvOf, importedChats, importedPrompts } from './chat-rows.js';
import { temporaryFolder } from './temporary.js';

/** Rows of each format, and what pyarrow made of them: test/oracles/chat_files.py. */
const fixture = (name: string) => path.join(import.meta.dirname, 'fixtures/chats', name);

const system = 'system: Be brief.';
const two = ['user: Who are "you"?', 'assistant: A model;\n模型, they say.', 'user: And, in short?', "assistant: That's all. 🎉"];
const one = ['user: Add these.\n\n1 and\n1', 'assistant: 2'];

/** What the rows of a format say. */
const EXPECTED: Record<string, { format: string; said: string[][] }> = {
  alpaca: { format: 'alpaca', said: [[system, ...two], one] },
  sharegpt: { format: 'sharegpt', said: [[system, ...two], one] },
  moss: { format: 'moss', said: [two, one] },
  moss_list: { format: 'moss', said: [two, one] },
  chatglm: { format: 'chatglm', said: [two, one] },
  messages: { format: 'messages', said: [[system, ...two], one] },
  messages_parts: { format: 'messages', said: [[system, ...two], one] },
  prompt_completion: { format: 'prompt_completion', said: [one] },
  prompt_completion_messages: { format: 'prompt_completion', said: [[system, ...two], one] },
};

describe('importing conversations', () => {
  const at = temporaryFolder();
  let rows: Record<string, Record<string, unknown>[]>;
  const jsonl = (of: readonly unknown[]) => of.map((row) => `${JSON.stringify(row)}\n`).join('');
  before(async () => {
    rows = JSON.parse(await fs.readFile(fixture('rows.json'), 'utf8'));
    for (const [name, of] of Object.entries(rows)) {
      await fs.writeFile(at(`${name}.jsonl`), jsonl(of));
      await fs.writeFile(at(`${name}.json`), JSON.stringify(of, null, 2));
      await fs.writeFile(at(`${name}.csv`), csvOf(of));
    }
  });
  const file = (name: string, ending: string) => (ending === 'parquet' || ending === 'arrow' ? fixture : at)(`${name}.${ending}`);

  for (const [name, { format, said }] of Object.entries(EXPECTED)) {
    for (const ending of ['jsonl', 'json', 'csv', 'parquet', 'arrow']) {
      it(`${name} from ${ending}`, async () => {
        const { summary, said: received, conversations } = await importedChats(file(name, ending), at('out.arrow'));
        assert.deepEqual(received, said);
        assert.deepEqual(summary.formats, { [format]: 1 });
        assert.deepEqual(summary.sources, { [name]: said.length });
        assert.deepEqual([summary.rows, summary.quarantined], [said.length, 0]);
        assert.equal(summary.turns, said.flat().filter((line) => line.startsWith('user')).length);
        const texts = conversations.flatMap(({ messages }) => messages.map(({ content }) => content));
        assert.equal(summary.bytes, Buffer.byteLength(texts.join('')));
      });
    }
  }

  for (const name of ['prompts', 'prompts_messages']) {
    for (const ending of ['jsonl', 'json', 'csv', 'parquet', 'arrow']) {
      it(`${name} from ${ending}: the table of prompts, with references where there are any`, async () => {
        const { summary, prompts } = await importedPrompts(file(name, ending), at('out.arrow'));
        assert.deepEqual(prompts, [
          { prompt: [{ role: 'user', content: 'Add these.\n\n1 and\n1' }], reference: '2', source: name },
          { prompt: [{ role: 'user', content: 'And, in short?' }], source: name },
        ]);
        assert.deepEqual([summary.rows, summary.turns, summary.formats], [2, 2, { prompts: 1 }]);
        assert.equal(await tableKind(at('out.arrow')), 'prompts');
      });
    }
  }

  for (const ending of ['jsonl', 'json', 'csv', 'parquet', 'arrow']) {
    it(`keeps the weights of rows from ${ending}; 1 where there is none`, async () => {
      const { conversations } = await importedChats(file('messages', ending), at('out.arrow'));
      assert.deepEqual(
        conversations.map(({ weight }) => weight),
        [0.5, 1],
      );
    });
  }

  it('knows the columns of Dolly and of self-instruct, each of whose instances is a conversation', async () => {
    await fs.writeFile(at('dolly.jsonl'), jsonl([{ instruction: 'Why?', context: 'It rains.', response: 'Clouds.', category: 'x' }]));
    assert.deepEqual((await importedChats(at('dolly.jsonl'), at('out.arrow'))).said, [['user: Why?\n\nIt rains.', 'assistant: Clouds.']]);
    const instances = [
      { input: '', output: 'a' },
      { input: 'i', output: 'b' },
    ];
    await fs.writeFile(at('seed.jsonl'), jsonl([{ id: 'seed_task_0', instruction: 'Do.', instances }]));
    const { said, summary } = await importedChats(at('seed.jsonl'), at('out.arrow'));
    assert.deepEqual(said, [
      ['user: Do.', 'assistant: a'],
      ['user: Do.\n\ni', 'assistant: b'],
    ]);
    assert.deepEqual(summary.formats, { alpaca: 1 });
  });

  it('reads an object over many lines, as the conversations of MOSS are kept, a folder of them', async () => {
    await fs.mkdir(at('folder'), { recursive: true });
    for (const [i, row] of rows.moss.entries()) await fs.writeFile(at(`folder/${i}.json`), JSON.stringify(row, null, 4));
    const { said, summary } = await importedChats(at('folder'), at('out.arrow'));
    assert.deepEqual(said, [two, one]);
    assert.deepEqual([summary.formats, summary.sources], [{ moss: 2 }, { folder: 2 }]);
  });

  it('orders the turns of MOSS by their numbers', async () => {
    const turn = (i: number) => ({ Human: `<|Human|>: q${i}<eoh>\n`, MOSS: `<|MOSS|>: a${i}<eom>\n` });
    const chat = Object.fromEntries([10, 2, 1].map((i) => [`turn_${i}`, turn(i)]));
    await fs.writeFile(at('turns.json'), JSON.stringify([{ chat }]));
    const { said } = await importedChats(at('turns.json'), at('out.arrow'));
    assert.deepEqual(said, [[1, 2, 10].flatMap((i) => [`user: q${i}`, `assistant: a${i}`])]);
  });

  it('takes the marks of MOSS away, and what it cites of the results of tools', async () => {
    for (const [given, text] of [
      ['<|MOSS|>: 韩国。<sup><|1|></sup><eom>\n', '韩国。'],
      ['<|MOSS|>: Ja. <|2|><|1|><eor><eom>\n', 'Ja.'],
      ['<|MOSS|>: Two <sup><|2|>, <|3|></sup> more.<eom>', 'Two more.'],
      ['<|MOSS|>: are <|1|>60<|/1|> of 2<sup>2</sup><eom>\n', 'are 60 of 2<sup>2</sup>'],
      ['plain <b>', 'plain <b>'],
    ]) {
      const chat = { turn_1: { Human: '<|Human|>: q<eoh>\n', MOSS: given } };
      await fs.writeFile(at('marks.jsonl'), jsonl([{ chat }]));
      assert.deepEqual((await importedChats(at('marks.jsonl'), at('out.arrow'))).said, [['user: q', `assistant: ${text}`]]);
    }
  });

  it('lets a system message of the messages go before the column, and takes an empty one for none', async () => {
    const talk = [
      { from: 'human', value: 'q' },
      { from: 'gpt', value: 'a' },
    ];
    const of = [
      { conversations: talk, system: 'column' },
      { conversations: [{ from: 'system', value: 'own' }, ...talk], system: 'column' },
      { conversations: [{ from: 'system', value: ' ' }, ...talk], system: '' },
    ];
    await fs.writeFile(at('system.jsonl'), jsonl(of));
    const turns = ['user: q', 'assistant: a'];
    const { said } = await importedChats(at('system.jsonl'), at('out.arrow'));
    assert.deepEqual(said, [['system: column', ...turns], ['system: own', ...turns], turns]);
  });

  it('keeps contents to the letter, spaces and all', async () => {
    const of = [{ prompt: ' q\n\n###\n\n', completion: ' a\n' }];
    await fs.writeFile(at('spaces.jsonl'), jsonl(of));
    assert.deepEqual((await importedChats(at('spaces.jsonl'), at('out.arrow'))).said, [['user:  q\n\n###\n\n', 'assistant:  a\n']]);
  });

  it('reads packed files and other encodings', async () => {
    await fs.writeFile(at('packed.jsonl.gz'), gzipSync(jsonl(rows.chatglm)));
    assert.deepEqual((await importedChats(at('packed.jsonl.gz'), at('out.arrow'))).said, [two, one]);
    const bytes = Buffer.concat([Buffer.from('{"prompt":"a","response":"'), Buffer.from([0xc4, 0xa3, 0xd0, 0xcd]), Buffer.from('"}\n')]);
    await fs.writeFile(at('gb.jsonl'), bytes);
    const { said } = await importedChats(at('gb.jsonl'), at('out.arrow'), { encoding: 'gb18030' });
    assert.deepEqual(said, [['user: a', 'assistant: 模型']]);
  });

  it('reads tables of its own again, with their sources and weights', async () => {
    const both = await importedChats([at('messages.jsonl'), at('chatglm.jsonl')], at('both.arrow'));
    const again = await importedChats(at('both.arrow'), at('again.arrow'));
    assert.deepEqual(again.conversations, both.conversations);
    assert.deepEqual(again.summary.sources, { messages: 2, chatglm: 2 });
    const named = await importedChats(at('both.arrow'), at('again.arrow'), { source: 'mine' });
    assert.deepEqual(named.summary.sources, { mine: 4 });
  });

  it('writes down the importer and the SHA-256 of the source', async () => {
    await importedChats(at('alpaca.json'), at('out.arrow'));
    const metadata = await readMetadata(at('out.arrow'));
    assert.equal(metadata.get('importer'), 'alpaca');
    assert.equal(metadata.get('source_sha256'), await sha256File(at('alpaca.json')));
  });

  it('finds room for a weight that comes after thousands of rows without', async () => {
    const of = Array.from({ length: 20_000 }, (_, i) => ({ prompt: `q${i}`, response: 'a', ...(i === 19_999 ? { weight: 0.25 } : {}) }));
    await fs.writeFile(at('late.jsonl'), `bad\n${jsonl(of)}`);
    const { conversations, summary } = await importedChats(at('late.jsonl'), at('out.arrow'));
    assert.deepEqual([conversations.length, summary.rows, summary.quarantined], [20_000, 20_000, 1]);
    assert.deepEqual([conversations[0].weight, conversations.at(-1)!.weight], [1, 0.25]);
    assert.equal(conversations.at(-1)!.messages[0].content, 'q19999');
  });

  it('what a table holds survives messages in JSON lines and another import', async () => {
    const content = fc.string({ unit: 'binary', minLength: 1, maxLength: 12 }).filter((text) => text.trim() !== '');
    const pair = fc.tuple(content, content).map(([question, answer]) => [
      { role: 'user', content: question },
      { role: 'assistant', content: answer },
    ]);
    const talk = fc
      .tuple(fc.option(content, { nil: undefined }), fc.array(pair, { minLength: 1, maxLength: 3 }))
      .map(([first, pairs]) => [...(first === undefined ? [] : [{ role: 'system', content: first }]), ...pairs.flat()]);
    const weight = fc.option(fc.float({ min: 0, max: 8, noNaN: true }), { nil: undefined });
    const property = fc.asyncProperty(fc.array(fc.record({ messages: talk, weight }), { minLength: 1, maxLength: 6 }), async (given) => {
      await fs.writeFile(at('talks.jsonl'), jsonl(given));
      const { conversations } = await importedChats(at('talks.jsonl'), at('talks.arrow'));
      const isWeighted = given.some((row) => row.weight !== undefined);
      const expected = given.map(({ messages, weight }) => ({ messages, source: 'talks', ...(isWeighted ? { weight: weight ?? 1 } : {}) }));
      assert.deepEqual(conversations, expected as Conversation[]);
      await fs.writeFile(at('again.jsonl'), jsonl(conversations));
      const again = await importedChats(at('again.jsonl'), at('talks.arrow'), { source: 'talks' });
      assert.deepEqual(again.conversations, conversations);
    });
    await fc.assert(property, { numRuns: 60 });
  });
});
