import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers';
import fc from 'fast-check';
import {
  encodeBatches,
  IdList,
  loadTokenizer,
  readTokenizer,
  type Tokenizer,
  textBatches,
  tokenizerConfig,
  trainTokenizer,
} from '../../tokenizer/index.js';
import { compilePattern, UnsupportedPattern } from '../../tokenizer/regex.js';
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

describe("others' tokenizer.json and @huggingface/tokenizers", () => {
  /**
   * Where it differs from Python: it normalizes characters that are newer than Python's tables, takes letters from the engine's tables, knows
   * only ASCII letters beside a single word, and not U+0085 as a space.
   */
  const different: Record<string, RegExp> = {
    qwen2: /\u{105d2}/u,
    added: /\u{105d2}|fox|river|end |\u0085/u,
    prefixed: /\u{323b0}/u,
  };
  for (const name of NAMES) {
    it(`${name}: gives the same ids`, () => {
      const { tokenizer: json, config, texts } = fixtures.get(name)!;
      const other = new HuggingFaceTokenizer(json, config ?? {});
      const comparable = texts.filter(({ text, ids }) => ids !== undefined && !different[name]?.test(text));
      assert.ok(comparable.length >= 0.7 * texts.length);
      for (const { text } of comparable) {
        const ids = tokenizers.get(name)!.encode(text, { allowSpecial: true });
        assert.deepEqual(other.encode(text, { add_special_tokens: false }).ids, ids, JSON.stringify(text));
      }
    });
  }
});

describe('any text', () => {
  const corpus = (JSON.parse(readFileSync(new URL('./fixtures/bpe.json', import.meta.url), 'utf8')) as { corpus: string[] }).corpus;
  const all: [string, Tokenizer][] = [['ours', trainTokenizer(corpus, { kind: 'bpe', vocabSize: 480 })]];
  for (const name of ['llama3', 'gpt2']) all.push([name, tokenizers.get(name)!]);

  for (const [name, tokenizer] of all) {
    const special = new Set(Array.from({ length: tokenizer.vocabSize }, (_, id) => id).filter((id) => tokenizer.byteLength(id) === 0));

    it(`${name}: is decoded as it was encoded, at once and token by token without half a character; none of it is a special token`, () => {
      assert.ok(special.size > 0);
      fc.assert(
        fc.property(anyText, (text) => {
          const whole = replaced(text);
          const ids = tokenizer.encode(text);
          assert.equal(tokenizer.decode(ids), whole);
          const decoder = tokenizer.decoder();
          let streamed = '';
          for (const id of ids) {
            assert.ok(!special.has(id));
            const piece = decoder.push(id);
            assert.equal(piece, replaced(piece));
            streamed += piece;
            assert.ok(whole.startsWith(streamed));
          }
          assert.equal(streamed + decoder.end(), whole);
        }),
        { numRuns: 10_000 },
      );
    });
  }

  it('is given from a stream only when a character is whole, and U+FFFD only where the ids end within one', () => {
    const [, tokenizer] = all[0];
    const decoder = tokenizer.decoder();
    assert.deepEqual(
      tokenizer.encode('ᚠ').map((id) => decoder.push(id)),
      ['', '', 'ᚠ'], // a token for each of its bytes
    );
    const cut = tokenizer.decoder();
    assert.equal(cut.push(tokenizer.encode('ᚠ')[0]), '');
    assert.equal(cut.push(tokenizer.encode('a')[0]), '\ufffda');
    assert.equal(cut.end(), '');
  });

  it('is encoded in threads as it is without', async () => {
    const [, tokenizer] = all[0];
    const texts = Array.from({ length: 9000 }, (_, i) => `${i} ${corpus[i % corpus.length].repeat(12)}`); // more than 16 MB
    const encoded = async (threads: number) => {
      const lengths: number[] = [];
      const hash = createHash('sha256');
      for await (const { ids, offsets } of encodeBatches(tokenizer, textBatches(texts), threads)) {
        hash.update(new Uint8Array(ids.buffer));
        for (let i = 0; i + 1 < offsets.length; i++) lengths.push(offsets[i + 1] - offsets[i]);
      }
      return { lengths, sum: hash.digest('hex') };
    };
    const one = await encoded(1);
    assert.deepEqual(await encoded(2), one);
    assert.deepEqual(
      one.lengths.slice(0, 9),
      texts.slice(0, 9).map((text) => tokenizer.encode(text).length),
    );
  });
});

describe("loading others' tokenizer.json", () => {
  const copy = (name: string) => JSON.parse(JSON.stringify(fixtures.get(name)!.tokenizer));
  const edited = (name: string, edit: (json: ReturnType<typeof copy>) => void) => {
    const json = copy(name);
    edit(json);
    return json;
  };

  it('takes bos, eos and pad from tokenizer_config.json beside it, else by well-known names', async () => {
    const { config, tokenizer } = fixtures.get('qwen2')!;
    const names = ({ special }: Tokenizer, of: Tokenizer) => [special.bos, special.eos, special.pad].map((id) => of.tokenOf(id));
    const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'fourfold-'));
    try {
      await fs.writeFile(path.join(folder, 'tokenizer.json'), JSON.stringify(tokenizer));
      const bare = await readTokenizer(folder);
      assert.deepEqual(names(bare, bare), [undefined, '<|endoftext|>', undefined]);
      await fs.writeFile(path.join(folder, 'tokenizer_config.json'), JSON.stringify(config));
      const read = await readTokenizer(folder);
      assert.deepEqual(names(read, read), [undefined, '<|im_end|>', '<|endoftext|>']);
      assert.equal(read.special.bos, -1);
      assert.deepEqual(tokenizerConfig(read, 512), { ...config, model_max_length: 512 });
      await fs.writeFile(path.join(folder, 'tokenizer_config.json'), '{"eos_token": "<eos>"}');
      await assert.rejects(readTokenizer(folder), {
        name: 'UserError',
        message: /eos_token of tokenizer_config\.json must be a token.*received "<eos>"/,
      });
    } finally {
      await fs.rm(folder, { recursive: true });
    }
    const roberta = tokenizers.get('roberta')!; // names a token as {content}
    assert.deepEqual(names(roberta, roberta), ['<s>', '</s>', '<pad>']);
  });

  it('names what it does not know', () => {
    const cases: [string, object, RegExp][] = [
      ['WordPiece', edited('gpt2', (json) => (json.model.type = 'WordPiece')), /type BPE or WordLevel; received WordPiece/],
      ['byte_fallback', edited('gpt2', (json) => (json.model.byte_fallback = true)), /model\.byte_fallback: false or null; received true/],
      [
        'a suffix of words',
        edited('gpt2', (json) => (json.model.end_of_word_suffix = '</w>')),
        /model\.end_of_word_suffix: null or "".*<\/w>/,
      ],
      ['dropout', edited('gpt2', (json) => (json.model.dropout = 0.1)), /model\.dropout: null or 0; received 0\.1/],
      ['a byte without a token', edited('gpt2', (json) => delete json.model.vocab[Object.keys(json.model.vocab)[255]]), /ids 0, 1, 2/],
      ['a merge of three', edited('gpt2', (json) => (json.model.merges[7] = 'a b c')), /merges of two tokens each.*a b c/],
      ['a merge to no token', edited('llama3', (json) => json.model.merges.push(['Ġzzyzx', 'zzyzx'])), /result are in model\.vocab/],
      ['Metaspace', edited('llama3', (json) => (json.pre_tokenizer = { type: 'Metaspace' })), /ends in ByteLevel; received Metaspace/],
      ['Digits', edited('llama3', (json) => (json.pre_tokenizer.pretokenizers[0] = { type: 'Digits' })), /Split and.*received Digits/],
      ['Removed', edited('llama3', (json) => (json.pre_tokenizer.pretokenizers[0].behavior = 'Removed')), /behavior: Isolated/],
      ['NFKC', edited('qwen2', (json) => (json.normalizer = { type: 'NFKC' })), /NFC or null as normalizer; received NFKC/],
      ['a decoder', edited('qwen2', (json) => (json.decoder = { type: 'Metaspace' })), /decoder of type ByteLevel; received Metaspace/],
      ['truncation', edited('qwen2', (json) => (json.truncation = { max_length: 4 })), /truncation: null/],
      ['an id out of order', edited('qwen2', (json) => (json.added_tokens[1].id += 9)), /the added token "<\|im_start\|>" the id \d+/],
      ['a token twice', edited('qwen2', (json) => json.added_tokens.push(json.added_tokens[0])), /a content each, once/],
      [
        'null for a flag',
        edited('qwen2', (json) => (json.added_tokens[0].lstrip = null)),
        /true or false as lstrip of added_tokens; received null/,
      ],
      [
        'two that are one in NFC',
        edited('added', (json) => {
          const [{ id }] = json.added_tokens.slice(-1);
          json.added_tokens.push({ ...json.added_tokens[1], id: id + 1, content: 'caf\u00e9' });
        }),
        /differ after normalization/,
      ],
    ];
    for (const [name, json, message] of cases) assert.throws(() => loadTokenizer(json), { name: 'UserError', message }, name);
  });

  it('refuses a split pattern that it cannot run to the same words, and says why', () => {
    const cases: [string, RegExp][] = [
      ['\\p{Lu}+', /\\p\{Lu\}/],
      ['\\d', /\\d/],
      ['a++', /possessive/],
      ['^a', /anchor \^/],
      ['(?<=a)b', /group \(\?</],
      ['(?:a+)+', /repetition within a repetition/],
      ['[a&&b]', /&&/],
      ['[[:alpha:]]', /classes within a class/],
      ['(?i:ß)', /ß within/],
      ['(?i:class)', /ss within/],
      ['(?i:[a-z])', /a range/],
      ['a{2,1}', /repetition \{2,1\}/],
      ['(a', /\( without \)/],
      ['a)', /\) without \(/],
      ['[a', /an end before/],
      ['(a)\\1', /\\1/],
    ];
    for (const [source, message] of cases) {
      assert.throws(
        () => compilePattern(source),
        (error) => error instanceof UnsupportedPattern && message.test(error.message),
        source,
      );
      const json = edited('llama3', (of) => (of.pre_tokenizer.pretokenizers[0].pattern = { Regex: source }));
      assert.throws(() => loadTokenizer(json), { name: 'UserError', message: /a split pattern without/ }, source);
    }
  });
});
