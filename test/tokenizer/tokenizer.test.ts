import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Template } from '@huggingface/jinja';
import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers';
import fc from 'fast-check';
import { CHAT_TEMPLATE, loadTokenizer, SPECIAL_TOKENS, type Tokenizer, tokenizerConfig, trainTokenizer } from '../../tokenizer/index.js';
import type { Merger } from '../../tokenizer/merge.js';
import { GPT2_PATTERN, gpt2Scanner, LLAMA3_PATTERN, llamaScanner, QWEN2_PATTERN, type WordScanner } from '../../tokenizer/scan.js';
import { splitWords, WORD_PATTERN } from '../../tokenizer/split.js';
import { UserError } from '../../util/errors.js';
import { anyText, replaced } from './any-text.js';

interface Fixture {
  corpus: string[];
  tokenizer: { model: { vocab: Record<string, number>; merges: [string, string][] } };
  texts: { text: string; ids: number[] }[];
  decoded: { ids: number[]; text: string; skipped: string }[];
}

const fixture = (name: string) => JSON.parse(readFileSync(new URL(`./fixtures/${name}.json`, import.meta.url), 'utf8')) as Fixture;
const fixtures = { bpe: fixture('bpe'), char: fixture('char'), word: fixture('word') };
const trained = {
  bpe: trainTokenizer(fixtures.bpe.corpus, { kind: 'bpe', vocabSize: 480 }),
  char: trainTokenizer(fixtures.char.corpus, { kind: 'char' }),
  word: trainTokenizer(fixtures.word.corpus, { kind: 'word', vocabSize: 120 }),
};
const kinds = ['bpe', 'char', 'word'] as const;

describe('tokenizers and Python tokenizers', () => {
  for (const kind of kinds) {
    it(`${kind}: training gives Python's tokenizer.json`, () => {
      assert.deepEqual(JSON.parse(JSON.stringify(trained[kind])), fixtures[kind].tokenizer);
    });

    it(`${kind}: encoding gives Python's ids`, () => {
      for (const { text, ids } of fixtures[kind].texts) assert.deepEqual(trained[kind].encode(text), ids, JSON.stringify(text));
    });

    it(`${kind}: decoding gives Python's text, with and without special tokens`, () => {
      for (const { ids, text, skipped } of fixtures[kind].decoded) {
        assert.equal(trained[kind].decode(ids), text);
        assert.equal(trained[kind].decode(ids, { skipSpecial: true }), skipped);
      }
    });
  }
});

describe('tokenizers and @huggingface/tokenizers', () => {
  for (const kind of kinds) {
    it(`${kind}: loads tokenizer.json to the same ids`, () => {
      const tokenizer = trained[kind];
      const other = new HuggingFaceTokenizer(JSON.parse(JSON.stringify(tokenizer)), tokenizerConfig(tokenizer, 256));
      // Its \s is JavaScript's (no U+0085, but U+FEFF), its letters are the engine's, it does not fold ſ.
      const comparable = fixtures[kind].texts.filter(({ text }) => !/[\u0085\ufeff\u017f\u1c89\ua7cb\u{105c0}]/u.test(text));
      assert.ok(comparable.length >= 0.8 * fixtures[kind].texts.length);
      for (const { text } of comparable)
        assert.deepEqual(other.encode(text, { add_special_tokens: false }).ids, tokenizer.encode(text), JSON.stringify(text));
    });
  }

  it('bpe: reads special tokens to the same ids where they are allowed', () => {
    const other = new HuggingFaceTokenizer(JSON.parse(JSON.stringify(trained.bpe)), tokenizerConfig(trained.bpe, 256));
    const text = '<|bos|><|user|>a text<|eos|><|assistant|>';
    assert.deepEqual(other.encode(text, { add_special_tokens: false }).ids, trained.bpe.encode(text, { allowSpecial: true }));
  });
});

describe('splitting into words', () => {
  // Where the engine's tables and its \s agree with the pinned ones, whatever its version.
  const plainText = anyText.map((text) =>
    replaced(text).replace(
      /[^\0-\x84\x86-\u024f\u2000-\u206f\u3000-\u303f\u4e00-\u9fa5\uff10-\uff19\ufffd\u{1d49c}-\u{1d4ff}\u{1f300}-\u{1f64f}]/gu,
      '',
    ),
  );

  const scanned = (text: string, scan: WordScanner) => {
    const bytes = Buffer.from(text);
    const words: string[] = [];
    for (let i = 0; i < bytes.length; ) {
      const end = scan(bytes, i, bytes.length);
      words.push(bytes.toString('utf8', i, end));
      i = end;
    }
    return words;
  };
  const patterns: [string, string, WordScanner][] = [
    ['Llama 3', LLAMA3_PATTERN, llamaScanner(3)],
    ['Qwen 2', QWEN2_PATTERN, llamaScanner(1)],
    ['GPT-2', GPT2_PATTERN, gpt2Scanner()],
  ];
  for (const [name, source, scan] of patterns) {
    it(`is the pattern of ${name}`, () => {
      const pattern = new RegExp(
        source.replace(
          /\(\?i:(.*?)\)/,
          (_, words: string) => `(?:${words.replace(/[a-z]/g, (c) => `[${c}${c.toUpperCase()}${c === 's' ? 'ſ' : ''}]`)})`,
        ),
        'gu',
      );
      fc.assert(
        fc.property(plainText, (text) => assert.deepEqual(scanned(text, scan), text.match(pattern) ?? [])),
        { numRuns: 500 },
      );
    });
  }

  it('is the pattern of the word tokenizer', () => {
    fc.assert(
      fc.property(plainText, (text) => {
        const words: string[] = [];
        splitWords(text, (word) => words.push(word));
        assert.deepEqual(words, text.match(new RegExp(WORD_PATTERN, 'gu')) ?? []);
      }),
    );
  });
});

describe('byte-level BPE', () => {
  const tokenizer = trained.bpe;

  it('ends a stream within a character with U+FFFD', () => {
    const decoder = tokenizer.decoder();
    const [first] = tokenizer.encode('🎊');
    assert.equal(decoder.push(first) + decoder.end(), '\ufffd');
  });

  it('counts the bytes of the text in its tokens, and none in special tokens', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const bytes = tokenizer.encode(text).reduce((sum, id) => sum + tokenizer.byteLength(id), 0);
        assert.equal(bytes, Buffer.byteLength(replaced(text)));
      }),
    );
    assert.equal(tokenizer.byteLength(tokenizer.special.bos), 0);
  });

  it('takes text that spells a special token as text, unless it is allowed', () => {
    const text = 'a<|eos|>b';
    assert.ok(tokenizer.encode(text).every((id) => id >= SPECIAL_TOKENS.length));
    assert.deepEqual(tokenizer.encode(text, { allowSpecial: true }), [...tokenizer.encode('a'), 1, ...tokenizer.encode('b')]);
    assert.equal(tokenizer.decode(tokenizer.encode(text)), text);
  });

  it('merges a word of any length as a short one: both ways give the same ids', () => {
    const word = fc
      .array(fc.constantFrom('a', 'b', 'n', 'the', 'ed', '文', '本'), { minLength: 1, maxLength: 30 })
      .map((parts) => parts.join(''));
    const { merger, byteIds } = tokenizer as unknown as { merger: Merger; byteIds: Int32Array };
    fc.assert(
      fc.property(word, (text) => {
        const symbols = () => Int32Array.from(Buffer.from(text), (byte) => byteIds[byte]);
        const [a, b] = [symbols(), symbols()];
        const n = merger.mergeByScan(a, a.length);
        assert.equal(merger.mergeByQueues(b, b.length), n);
        assert.deepEqual(b.slice(0, n), a.slice(0, n));
      }),
    );
    assert.equal(tokenizer.decode(tokenizer.encode('a'.repeat(3_000_000))).length, 3_000_000);
  });

  it('gives the same tokenizer whatever the order of the texts', () => {
    const again = trainTokenizer([...fixtures.bpe.corpus].reverse(), { kind: 'bpe', vocabSize: 480 });
    assert.equal(again.hash(), tokenizer.hash());
  });

  it('stops at pairs rarer than min_frequency', () => {
    const count = (minFrequency: number) => trainTokenizer(['ab ab ab cd'], { kind: 'bpe', vocabSize: 400, minFrequency }).vocabSize - 272;
    assert.equal(count(1), 4); // ab, " ab", cd, " cd"
    assert.equal(count(2), 2);
    assert.equal(count(4), 0);
  });

  it('asks for room for the special tokens and bytes', () => {
    assert.throws(() => trainTokenizer(['a'], { kind: 'bpe', vocabSize: 200 }), {
      name: 'UserError',
      message: /at least 272.*received 200/,
    });
  });
});

describe('char and word tokenizers', () => {
  const text = 'hello, world\nno. 1';

  it('char: the vocabulary is the sorted characters, alone where special tokens are off', () => {
    const tokenizer = trainTokenizer([text], { kind: 'char', specialTokens: false });
    assert.deepEqual(
      Array.from({ length: tokenizer.vocabSize }, (_, id) => tokenizer.tokenOf(id)),
      [...new Set(text)].sort(),
    );
    assert.deepEqual(tokenizer.special, { bos: -1, eos: -1, pad: -1 });
    assert.equal(tokenizer.decode(tokenizer.encode(text)), text);
    assert.deepEqual(tokenizerConfig(tokenizer, 64), {
      tokenizer_class: 'PreTrainedTokenizerFast',
      model_max_length: 64,
      clean_up_tokenization_spaces: false,
    });
  });

  it('char: names a character that is not in the vocabulary', () => {
    const tokenizer = trainTokenizer([text], { kind: 'char' });
    assert.throws(
      () => tokenizer.encode('hé'),
      (error) => error instanceof UserError && /"é" \(U\+00E9\)/.test(error.message),
    );
  });

  it('char: takes U+FFFD for an unknown character where the vocabulary has it', () => {
    const tokenizer = trainTokenizer([`${text}\ufffd`], { kind: 'char' });
    assert.equal(tokenizer.decode(tokenizer.encode('hé\ud800')), 'h\ufffd\ufffd');
  });

  it('word: decodes known words to the text, unknown ones to <|reserved_0|>', () => {
    const tokenizer = trainTokenizer([text], { kind: 'word', minFrequency: 1 });
    assert.equal(tokenizer.decode(tokenizer.encode(text)), text);
    assert.equal(tokenizer.decode(tokenizer.encode('hello, there')), 'hello,<|reserved_0|>');
  });

  it('refuses special_tokens: false for the other kinds', () => {
    assert.throws(() => trainTokenizer([text], { kind: 'bpe', specialTokens: false }), {
      name: 'UserError',
      message: /special_tokens: false needs kind: char/,
    });
  });
});

describe('loading tokenizer.json', () => {
  const all: Tokenizer[] = [...Object.values(trained), trainTokenizer(['abc'], { kind: 'char', specialTokens: false })];

  it('gives back what was saved', () => {
    for (const tokenizer of all) {
      const again = loadTokenizer(JSON.parse(JSON.stringify(tokenizer)));
      assert.equal(again.kind, tokenizer.kind);
      assert.equal(again.hash(), tokenizer.hash());
      assert.deepEqual(again.special, tokenizer.special);
      assert.deepEqual(again.encode('abcaabbcc'), tokenizer.encode('abcaabbcc'));
    }
  });

  it('says what it cannot read', () => {
    const bpe = () => JSON.parse(JSON.stringify(trained.bpe));
    const cases: [string, object, RegExp][] = [
      ['no model', {}, /an object as model; received nothing/],
      ['another model', { ...bpe(), model: { ...bpe().model, type: 'Unigram' } }, /BPE or WordLevel; received Unigram/],
      ['a hole in the ids', { ...bpe(), model: { ...bpe().model, vocab: { a: 0, b: 2 } } }, /once each/],
      ['other special tokens', { ...bpe(), added_tokens: [{ id: 480, content: '<s>' }] }, /the added token "<s>" the id 417.*received 480/],
      ['another pre-tokenizer', { ...bpe(), pre_tokenizer: { type: 'Whitespace' } }, /ends in ByteLevel; received Whitespace/],
      ['another normalizer', { ...bpe(), normalizer: { type: 'NFKC' } }, /NFC or null as normalizer; received NFKC/],
    ];
    for (const [name, json, message] of cases) assert.throws(() => loadTokenizer(json), { name: 'UserError', message }, name);
  });
});

describe('the chat template', () => {
  it('begins with bos, ends each message with eos, and asks the assistant', () => {
    const messages = [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: ' Hi\n' },
    ];
    const render = (add_generation_prompt: boolean) => new Template(CHAT_TEMPLATE).render({ messages, add_generation_prompt });
    assert.equal(render(false), '<|bos|><|system|>Be brief.<|eos|><|user|> Hi\n<|eos|>');
    assert.equal(render(true), `${render(false)}<|assistant|>`);
  });
});
