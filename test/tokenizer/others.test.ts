import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers';
import fc from 'fast-check';
import { IdList, loadTokenizer, type Tokenizer, tokenizerConfig } from '../../tokenizer/index.js';
import { anyText, replaced } from './any-text.js';

interface Row {
  text: string;
  times?: number;
  after?: string;
  ids?: number[];
  plain?: number[];
  sha256?: string;
}

interface Fixture {
  tokenizer: { model: object; added_tokens: { id: number; content: string; special: boolean }[] };
  config: object | null;
  texts: Row[];
  decoded: { ids: number[]; text: string; skipped: string }[];
}

const NAMES = ['llama3', 'gpt2', 'roberta', 'qwen2', 'added', 'splits', 'prefixed'] as const;
const fixtures = new Map<string, Fixture>();
const tokenizers = new Map<string, Tokenizer>();
for (const name of NAMES) {
  const fixture = JSON.parse(readFileSync(new URL(`./fixtures/others/${name}.json`, import.meta.url), 'utf8')) as Fixture;
  fixtures.set(name, fixture);
  tokenizers.set(name, loadTokenizer(fixture.tokenizer, fixture.config ?? undefined));
}

const sha256 = (ids: number[]) => createHash('sha256').update(ids.join(',')).digest('hex');

describe("others' tokenizer.json and Python tokenizers", () => {
  for (const name of NAMES) {
    const { texts, decoded, tokenizer: json } = fixtures.get(name)!;
    const tokenizer = tokenizers.get(name)!;

    it(`${name}: encoding gives Python's ids, special tokens in the text read and not read`, () => {
      for (const { text, times = 1, after = '', ids, plain = ids, sha256: sum } of texts) {
        const whole = text.repeat(times) + after;
        if (sum !== undefined) assert.equal(sha256(tokenizer.encode(whole, { allowSpecial: true })), sum, `${times} × ${text}`);
        else {
          assert.deepEqual(tokenizer.encode(whole, { allowSpecial: true }), ids, JSON.stringify(text));
          assert.deepEqual(tokenizer.encode(whole), plain, JSON.stringify(text));
        }
      }
    });

    it(`${name}: encoding UTF-8 gives the ids of the text`, () => {
      for (const { text } of texts) {
        const out = new IdList();
        out.push(7);
        tokenizer.encodeUtf8(Buffer.from(text), out);
        assert.deepEqual([...out.slice()], [7, ...tokenizer.encode(text)]);
      }
    });

    it(`${name}: decoding gives Python's text, with and without special tokens`, () => {
      for (const { ids, text, skipped } of decoded) {
        assert.equal(tokenizer.decode(ids), text);
        assert.equal(tokenizer.decode(ids, { skipSpecial: true }), skipped);
      }
    });

    it(`${name}: gives back the tokenizer.json that was read`, () => {
      assert.equal(JSON.stringify(tokenizer), JSON.stringify(json));
      const again = loadTokenizer(JSON.parse(JSON.stringify(tokenizer)), tokenizer.config);
      assert.equal(again.hash(), tokenizer.hash());
      assert.deepEqual(again.special, tokenizer.special);
    });
  }
});
