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
