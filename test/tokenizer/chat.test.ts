import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import fs from 'node:fs/promises';
import fc from 'fast-check';
import {
  CHAT_TEMPLATE,
  type ChatTemplate,
  chatTemplate,
  loadTokenizer,
  type Message,
  NAMED_TEMPLATES,
  type NamedTemplate,
  readChatTemplate,
  type Tokenizer,
  type TrainOn,
  templateOf,
  trainTokenizer,
} from '../../tokenizer/index.js';
import { temporaryFolder } from '../datasets/temporary.js';
import { anyText, replaced } from './any-text.js';

interface Row {
  text: string;
  ids: number[];
  /** Where contents spell special tokens: the ids with those as text. */
  plain?: number[];
  /** From, and up to but without: what is to be predicted. */
  supervised: [number, number][];
  /** An answer begins within a token. */
  straddles?: true;
  prompt: { text: string; ids: number[] };
}

interface Fixture {
  conversations: Message[][];
  tokenizers: Record<string, { tokenizer: object; config: object }>;
  pairs: { tokenizer: string; template: string; source: string; tagged: string; rows: Row[] }[];
}

const fixture = JSON.parse(readFileSync(new URL('./fixtures/chat-template.json', import.meta.url), 'utf8')) as Fixture;
const tokenizers = new Map<string, Tokenizer>();
for (const [name, { tokenizer, config }] of Object.entries(fixture.tokenizers)) tokenizers.set(name, loadTokenizer(tokenizer, config));
const ours = tokenizers.get('fourfold')!;
/** Without the marks of other families. */
const bare = trainTokenizer(['the next token, and the next'], { kind: 'bpe', vocabSize: 280 });

const SOURCES: Record<string, string> = { fourfold: CHAT_TEMPLATE, ...NAMED_TEMPLATES };
const system = (content: string): Message => ({ role: 'system', content });
const user = (content: string): Message => ({ role: 'user', content });
const assistant = (content: string): Message => ({ role: 'assistant', content });
const userError = (message: RegExp) => ({ name: 'UserError', message });

/** Stretches of ones: from, and up to but without. */
function stretches(mask: Uint8Array): [number, number][] {
  const found: [number, number][] = [];
  for (let from = 0; from < mask.length; from++) {
    if (mask[from] === 0) continue;
    let to = from;
    while (mask[to] === 1) to++;
    found.push([from, to]);
    from = to;
  }
  return found;
}

const STRADDLES = userError(
  /^chat template: an answer must begin and end where tokens do; .* Remove the white space around the answer, or choose/,
);

describe('chat templates and Python transformers', () => {
  for (const { tokenizer: name, template, source, tagged, rows } of fixture.pairs) {
    const tokenizer = tokenizers.get(name)!;
    const chat = chatTemplate(SOURCES[template], tokenizer);
    const each = (body: (row: Row, messages: Message[]) => void) => {
      rows.forEach((row, i) => {
        body(row, fixture.conversations[i]);
      });
    };

    describe(`${template} over the tokenizer ${name}`, () => {
      it('renders to the same text, with and without the generation prompt', () => {
        assert.equal(SOURCES[template], source, 'the fixture is of another template: run test/oracles/chat_template.py');
        each(({ text, prompt }, messages) => {
          assert.equal(chat.render(messages), text);
          assert.equal(chat.render(messages.slice(0, -1), { addGenerationPrompt: true }), prompt.text);
        });
      });

      it('encodes to the same ids and mask', () => {
        each(({ ids, plain = ids, supervised, straddles }, messages) => {
          const encode = (options: { allowSpecial?: boolean; trainOn?: TrainOn } = {}) => chat.encode(messages, options);
          if (straddles) {
            assert.throws(() => encode({ allowSpecial: true }), STRADDLES);
            return;
          }
          assert.deepEqual(encode().ids, plain, JSON.stringify(messages));
          const read = encode({ allowSpecial: true });
          assert.deepEqual(read.ids, ids, JSON.stringify(messages));
          assert.deepEqual(stretches(read.supervised), supervised, JSON.stringify(messages));
          const last = encode({ allowSpecial: true, trainOn: 'last_assistant' });
          assert.deepEqual([last.ids, stretches(last.supervised)], [ids, supervised.slice(-1)]);
          const all = encode({ allowSpecial: true, trainOn: 'all' });
          assert.deepEqual([all.ids, stretches(all.supervised)], [ids, [[1, ids.length]]]);
        });
      });

      it('encodes prompts to the same ids, of which none is to be predicted', () => {
        each(({ prompt }, messages) => {
          const { ids, supervised } = chat.encode(messages.slice(0, -1), { addGenerationPrompt: true, allowSpecial: true });
          assert.deepEqual(ids, prompt.ids);
          assert.ok(supervised.every((one) => one === 0));
        });
      });

      it('gives the same from the template with {% generation %}', () => {
        const other = chatTemplate(tagged, tokenizer);
        each((_, messages) => {
          assert.equal(other.render(messages), chat.render(messages));
        });
        const messages = fixture.conversations[2];
        assert.deepEqual(other.encode(messages), chat.encode(messages));
      });
    });
  }
});

describe('chat templates of this project', () => {
  const marked = tokenizers.get('llama3')!;
  const chats: [string, ChatTemplate, Tokenizer][] = fixture.pairs.map(({ tokenizer, template }) => [
    `${template} over ${tokenizer}`,
    chatTemplate(SOURCES[template], tokenizers.get(tokenizer)!),
    tokenizers.get(tokenizer)!,
  ]);

  const turns = fc.array(fc.tuple(anyText, anyText), { minLength: 1, maxLength: 3 });
  const conversation = fc
    .tuple(fc.option(anyText, { nil: undefined }), turns)
    .map(([first, pairs]): Message[] => [
      ...(first === undefined ? [] : [system(first)]),
      ...pairs.flatMap(([question, answer]) => [user(question), assistant(answer)]),
    ]);

  /** What the template makes of a conversation; undefined where an answer and the template's text share a token, which is an error. */
  const encoded = (chat: ChatTemplate, messages: Message[], options: { trainOn?: TrainOn; allowSpecial?: boolean } = {}) => {
    try {
      return chat.encode(messages, options);
    } catch (error) {
      assert.match((error as Error).message, STRADDLES.message);
      return undefined;
    }
  };

  it("fourfold's own encodes every text that there is", () => {
    const chat = chatTemplate(CHAT_TEMPLATE, ours);
    fc.assert(fc.property(conversation, fc.boolean(), (messages, allowSpecial) => chat.encode(messages, { allowSpecial }).ids.length > 0));
  });

  for (const [name, chat, tokenizer] of chats) {
    const trims = !/fourfold over|chatml/.test(name);

    it(`${name}: the ids are those of the whole text, where special tokens in contents are read`, () => {
      fc.assert(
        fc.property(conversation, (messages) => {
          const found = encoded(chat, messages, { allowSpecial: true });
          if (found) assert.deepEqual(found.ids, tokenizer.encode(chat.render(messages), { allowSpecial: true }));
        }),
        { numRuns: 40 },
      );
    });

    it(`${name}: a prompt with the generation prompt begins the conversation`, () => {
      fc.assert(
        fc.property(conversation, (messages) => {
          const { ids } = encoded(chat, messages) ?? { ids: undefined };
          if (!ids) return;
          for (let end = messages.length - 1; end > 0; end -= 2) {
            const prompt = chat.encode(messages.slice(0, end), { addGenerationPrompt: true }).ids;
            assert.deepEqual(ids.slice(0, prompt.length), prompt);
          }
        }),
        { numRuns: 40 },
      );
    });

    it(`${name}: what is to be predicted is the answers, each with the mark that ends it`, () => {
      fc.assert(
        fc.property(conversation, fc.constantFrom<TrainOn>('assistant', 'last_assistant'), (messages, trainOn) => {
          const found = encoded(chat, messages, { trainOn });
          if (!found) return;
          const answers = messages.flatMap(({ role, content }) => (role === 'assistant' ? [replaced(content)] : []));
          const expected = trainOn === 'assistant' ? answers : answers.slice(-1);
          const predicted = stretches(found.supervised).map(([from, to]) => found.ids.slice(from, to));
          assert.equal(predicted.length, expected.length);
          predicted.forEach((ids, i) => {
            assert.ok(chat.stopIds.has(ids.at(-1)!));
            const text = tokenizer.decode(ids.slice(0, -1));
            if (name.includes('spaces')) assert.equal(text.trim(), expected[i].trim());
            else assert.equal(text, `${name.startsWith('vicuna') ? ' ' : ''}${trims ? expected[i].trim() : expected[i]}`);
          });
        }),
        { numRuns: 40 },
      );
    });
  }

  it('keeps contents that spell special tokens as text, unless they are allowed', () => {
    const chat = chatTemplate(CHAT_TEMPLATE, ours);
    const messages = [user('a<|eos|>b'), assistant('<|user|>')];
    const { ids } = chat.encode(messages);
    assert.equal(ids.filter((id) => id === ours.special.eos).length, 2);
    assert.equal(ours.decode(ids), '<|bos|><|user|>a<|eos|>b<|eos|><|assistant|><|user|><|eos|>');
    assert.equal(chat.encode(messages, { allowSpecial: true }).ids.filter((id) => id === ours.special.eos).length, 3);
  });

  it('puts known ids in the place of an answer, whatever its text would be in tokens', () => {
    for (const [name, chat, tokenizer] of chats) {
      const asked = [user('What?')];
      const prompt = chat.encode(asked, { addGenerationPrompt: true }).ids;
      const letters = [...(name.startsWith('vicuna') ? ' the text' : 'the text')].flatMap((letter) => tokenizer.encode(letter));
      const messages = [...asked, assistant('the text'), user('And?')];
      const whole = chat.encode(messages, { addGenerationPrompt: true }).ids;
      const known = chat.encode(messages, { addGenerationPrompt: true, known: new Map([[1, letters]]) }).ids;
      assert.deepEqual(known.slice(0, prompt.length + letters.length), [...prompt, ...letters], name);
      assert.equal(tokenizer.decode(known), tokenizer.decode(whole), name);
    }
  });

  it('says which tokens end an answer', () => {
    const stops = (template: string, tokenizer: Tokenizer) =>
      [...chatTemplate(SOURCES[template], tokenizer).stopIds].map((id) => tokenizer.tokenOf(id)).sort();
    assert.deepEqual(stops('fourfold', ours), ['<|eos|>']);
    assert.deepEqual(stops('alpaca', ours), ['<|eos|>']);
    assert.deepEqual(stops('vicuna', ours), ['<|eos|>']);
    assert.deepEqual(stops('llama3', marked), ['<|end_of_text|>', '<|eot_id|>']);
    assert.deepEqual(stops('chatml', marked), ['<|end_of_text|>', '<|im_end|>']);
    assert.deepEqual(stops('chatml', tokenizers.get('spaces')!), ['<|im_end|>']);
    assert.deepEqual(stops('chatml', bare), ['<|eos|>'], 'its mark is text to this tokenizer');
  });

  it('has the prompts of the sources that it names', () => {
    const render = (name: NamedTemplate, messages: Message[]) =>
      chatTemplate(NAMED_TEMPLATES[name], name === 'alpaca' || name === 'vicuna' ? ours : marked).render(messages, {
        addGenerationPrompt: true,
      });
    const messages = [system('S'), user('U'), assistant('A'), user('V')];
    assert.equal(
      render('alpaca', [user('Do it.')]),
      '<|bos|>Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n### Instruction:\nDo it.\n\n### Response:\n',
    );
    assert.equal(
      render('vicuna', messages.slice(1)),
      "<|bos|>A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, detailed, and polite answers to the user's questions. USER: U ASSISTANT: A<|eos|> USER: V ASSISTANT:",
    );
    assert.equal(
      render('chatml', messages),
      '<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nU<|im_end|>\n<|im_start|>assistant\nA<|im_end|>\n<|im_start|>user\nV<|im_end|>\n<|im_start|>assistant\n',
    );
    assert.equal(
      render('llama3', messages.slice(1)),
      '<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nU<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nA<|eot_id|>' +
        '<|start_header_id|>user<|end_header_id|>\n\nV<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n',
    );
    assert.equal(render('alpaca', messages.slice(0, 2)), '<|bos|>S\n\n### Instruction:\nU\n\n### Response:\n');
  });

  it('works over characters and words, too', () => {
    for (const kind of ['char', 'word'] as const) {
      const tokenizer = trainTokenizer(['one two, three'], { kind });
      const { ids, supervised } = chatTemplate(CHAT_TEMPLATE, tokenizer).encode([user('one'), assistant('two')]);
      const answer = [...tokenizer.encode('two'), 1];
      assert.deepEqual(ids, [0, 4, ...tokenizer.encode('one'), 1, 5, ...answer]);
      assert.deepEqual(stretches(supervised), [[ids.length - answer.length, ids.length]]);
    }
  });
});

describe('chat templates of others', () => {
  const marked = tokenizers.get('llama3')!;
  /** `{{ }}` for each message by its role. */
  const byRole = (roles: Partial<Record<Message['role'], string>>, asked = '') =>
    `{% for message in messages %}${Object.entries(roles)
      .map(([role, text]) => `{% if message.role == '${role}' %}${text}{% endif %}`)
      .join('')}{% endfor %}{% if add_generation_prompt %}${asked}{% endif %}`;
  const predictedOf = (source: string, messages: Message[], tokenizer = marked, trainOn?: TrainOn) => {
    const { ids, supervised } = chatTemplate(source, tokenizer).encode(messages, { trainOn });
    return stretches(supervised).map(([from, to]) => tokenizer.decode(ids.slice(from, to)));
  };
  const two = [user('q'), assistant(' a '), user('r'), assistant('b')];

  it('has white space before the mark of the end, which is to be predicted, too', () => {
    const llama2 = byRole({
      user: "{{ bos_token + '[INST] ' + message.content.strip() + ' [/INST]' }}",
      assistant: "{{ ' ' + message.content.strip() + ' ' + eos_token }}",
    });
    assert.deepEqual(predictedOf(llama2, two), [' a <|end_of_text|>', ' b <|end_of_text|>']);
    const ended = chatTemplate(llama2, marked);
    assert.deepEqual([...ended.stopIds], [marked.special.eos]);
    const letters = [' ', 'a', ' '].flatMap((letter) => marked.encode(letter));
    const { ids } = ended.encode(two.slice(0, 3), { addGenerationPrompt: true, known: new Map([[1, letters]]) });
    assert.equal(marked.decode(ids), '<|begin_of_text|>[INST] q [/INST] a <|end_of_text|><|begin_of_text|>[INST] r [/INST]');
  });

  it('predicts all that follows the generation prompt, also where the template writes it', () => {
    const thinking = byRole(
      {
        user: '{{ message.content }}<|eot_id|>',
        assistant: "<|start_header_id|>{% if loop.last %}{{ '<think>\\n\\n' }}{% endif %}{{ message.content }}<|eot_id|>",
      },
      '<|start_header_id|>',
    );
    assert.deepEqual(predictedOf(thinking, two), [' a <|eot_id|>', '<think>\n\nb<|eot_id|>']);
  });

  it('strips as it likes: one end, or line feeds alone', () => {
    const left = byRole({ user: '{{ message.content.rstrip() }}', assistant: "{{ message.content.lstrip() + '<|eot_id|>' }}" });
    const messages = [user(' q \n'), assistant('\n a \n')];
    assert.deepEqual(predictedOf(left, messages), ['a \n<|eot_id|>']);
    assert.equal(chatTemplate(left, marked).render(messages), ' qa \n<|eot_id|>');
  });

  it('renders the same on every day, and finds neither tools nor documents, as in Python', () => {
    const dated =
      "{{ strftime_now('%d %B %Y') }}{% if tools is not none or documents is not none %}tools{% endif %}{% for m in messages %}{{ m.content + eos_token }}{% endfor %}";
    assert.equal(chatTemplate(dated, marked).render([user('q')]), '26 July 2024q<|end_of_text|>');
  });

  it('reads blocks and line ends as Python does', () => {
    const source = '\r\n{% for m in messages %}\r\n  {% if true %}\r\n{{ m.content }}\r\n{{- eos_token }}\r\n  {% endif %}\r\n{% endfor %}';
    assert.equal(chatTemplate(source, marked).render([user('q')]), '\nq<|end_of_text|>\n');
  });

  it('ends answers with an added token that is not special', () => {
    const json = structuredClone(fixture.tokenizers['llama3'].tokenizer) as { added_tokens: { content: string; special: boolean }[] };
    for (const token of json.added_tokens) if (token.content === '<|im_end|>') token.special = false;
    const tokenizer = loadTokenizer(json, fixture.tokenizers['llama3'].config);
    assert.deepEqual(predictedOf(NAMED_TEMPLATES.chatml, two, tokenizer), [' a <|im_end|>', 'b<|im_end|>']);
    assert.ok(chatTemplate(NAMED_TEMPLATES.chatml, tokenizer).stopIds.has(tokenizer.idOf('<|im_end|>')!));
  });

  it('fails where it cannot be trained on, and says what to do', () => {
    const all = { user: '{{ message.content }}<|eot_id|>', assistant: '{{ message.content }}<|eot_id|>' };
    const cases: [string, Message[], RegExp][] = [
      [
        NAMED_TEMPLATES.chatml,
        two,
        /token of the tokenizer's own must end each answer, .*after one it has "<\|im_end\|>.*Choose another template, or a tokenizer/,
      ],
      [
        byRole({ ...all, assistant: '{{ message.content }}' }),
        [user('q'), assistant('a')],
        /must end each answer.*after one it has nothing\. Choose/,
      ],
      [byRole(all), [system('s'), ...two], /it has not that of message 1 \(system\)\. Choose another template, or leave such messages out/],
      [byRole({ ...all, user: '{{ message.content + message.content }}' }), two, /must have each message's content once/],
      [
        byRole({ ...all, user: '{{ message.content | upper }}' }),
        two,
        /leave contents as they are, or trim them; at message 1 \(user\) it has "Q.*Choose another/,
      ],
      [
        byRole({ ...all, user: "{% if message.content == 'r' %}r!{% else %}{{ message.content }}{% endif %}<|eot_id|>" }),
        two,
        /at message 3 \(user\) it has "r!/,
      ],
      [
        byRole(all, 'Answer: '),
        two,
        /must begin as the generation prompt does.*before message 2 \(assistant\) it has "<\|eot_id\|>".*last answer alone/,
      ],
      [byRole({ user: "{{ message.content + ': ' }}", assistant: all.assistant }, ''), [user('q'), assistant('the')], STRADDLES.message],
      [
        "{{ raise_exception('Only for ' + messages[0].role) }}",
        two,
        /must render the messages \(user, assistant\); it refuses: Only for user\. Choose/,
      ],
      ['{% for m in messages %}', two, /it must be Jinja; .*\. Correct it/],
      ['{{ messages[0].content', two, /it must be Jinja; .*\. Correct it/],
      ['{{ messages[0].content | shouted }}', two, /it refuses: .*\. Choose another template/],
    ];
    for (const [source, messages, message] of cases) {
      const tokenizer = message.source.startsWith("token of the tokenizer's own") ? bare : marked;
      assert.throws(() => chatTemplate(source, tokenizer).encode(messages), userError(message), source);
    }
  });

  it('trains on the last answer alone where earlier ones stand behind another text than the generation prompt', () => {
    const source = byRole(
      { user: '{{ message.content }}<|eot_id|>', assistant: "{% if loop.last %}{{ 'Think: ' }}{% endif %}{{ message.content }}<|eot_id|>" },
      "{{ 'Think:' }}",
    );
    assert.throws(() => predictedOf(source, two), userError(/before message 2/));
    assert.deepEqual(predictedOf(source, two, marked, 'last_assistant'), [' b<|eot_id|>']);
    assert.equal(
      marked.decode(chatTemplate(source, marked).encode(two.slice(0, 3), { addGenerationPrompt: true }).ids),
      'q<|eot_id|> a <|eot_id|>r<|eot_id|>Think:',
    );
  });
});

describe('the chat template of a checkpoint', () => {
  const at = temporaryFolder();
  const OTHER = "{% for m in messages %}{{ m.role + ' says ' + m.content + eos_token }}{% endfor %}";
  const write = async (folder: string, files: Record<string, unknown>) => {
    await fs.mkdir(at(folder), { recursive: true });
    for (const [name, contents] of Object.entries(files))
      await fs.writeFile(at(`${folder}/${name}`), typeof contents === 'string' ? contents : JSON.stringify(contents));
    return at(folder);
  };

  it('is the one of its tokenizer_config.json: a text, or of several the default', async () => {
    const source = async (folder: string, template: unknown) =>
      (await readChatTemplate(await write(folder, { 'tokenizer_config.json': { chat_template: template } }), ours)).source;
    assert.equal(await source('text', OTHER), OTHER);
    const several = [
      { name: 'tool_use', template: CHAT_TEMPLATE },
      { name: 'default', template: OTHER },
    ];
    assert.equal(await source('several', several), OTHER);
    assert.equal(await source('first', several.slice(0, 1)), CHAT_TEMPLATE);
    assert.equal(templateOf({ chat_template: 7 }), undefined);
    assert.equal(templateOf({}), undefined);
  });

  it('is chat_template.jinja where that lies there, as for Python', async () => {
    const folder = await write('file', { 'chat_template.jinja': OTHER, 'tokenizer_config.json': { chat_template: CHAT_TEMPLATE } });
    assert.equal((await readChatTemplate(folder, ours)).source, OTHER);
    assert.equal((await readChatTemplate(at('file/tokenizer.json'), ours)).source, OTHER);
  });

  it("is fourfold's own where none lies there and the tokenizer has its tokens", async () => {
    const folder = await write('bare', { 'tokenizer_config.json': { model_max_length: 8 } });
    assert.equal((await readChatTemplate(folder, ours)).source, CHAT_TEMPLATE);
    const foreign = tokenizers.get('llama3')!;
    await assert.rejects(
      readChatTemplate(folder, foreign),
      userError(/must come with one .* it has none\. Name one: chatml, llama3, alpaca, vicuna or a file of Jinja/),
    );
  });

  it('is the one that is named: by a name, or as a file', async () => {
    const folder = await write('named', { 'tokenizer_config.json': { chat_template: CHAT_TEMPLATE }, 'my.jinja': OTHER });
    assert.equal((await readChatTemplate(folder, ours, 'vicuna')).source, NAMED_TEMPLATES.vicuna);
    assert.equal((await readChatTemplate(folder, ours, at('named/my.jinja'))).source, OTHER);
    await assert.rejects(
      readChatTemplate(folder, ours, 'viccuna'),
      userError(/must be chatml, llama3, alpaca, vicuna or a file of Jinja; received viccuna, .*ENOENT/),
    );
    await assert.rejects(readChatTemplate(folder, ours, 'toString'), userError(/received toString/));
  });
});
