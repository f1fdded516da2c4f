import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { SPECIAL_TOKENS, type Tokenizer, textBatches, trainTokenizer, trainTokenizerInWorkers } from '../../tokenizer/index.js';
import { splitCharacters, splitWords } from '../../tokenizer/split.js';
import { cutBatches, type TextBatch } from '../../tokenizer/text-batch.js';
import { type TrainOptions, type TrainProgress, wordCounter } from '../../tokenizer/train.js';
import { WordCounts } from '../../tokenizer/word-counts.js';

interface PythonOptions {
  vocab_size: number;
  min_frequency: number;
  max_token_length?: number;
}

const fixture = JSON.parse(readFileSync(new URL('./fixtures/training.json', import.meta.url), 'utf8')) as {
  words: number;
  bytes: number;
  large: { options: PythonOptions; merges: string[] }[];
  small: { texts: string[]; options: PythonOptions; merges: string[] }[];
};

const SYLLABLES = ['ka', 'to', 'ri', 'an', 'es', 'th', 'e', 'ing', 'o', 'str', '模', '型文', 'é', 'ß', '1', '42', "'s", '-', '🎉'];
const SPACES = [' ', ' ', ' ', ' ', ' ', '  ', '\n', '\r\n', ', ', '. '];

/** The text that test/oracles/tokenizer-training.py trained on. */
function madeText(words: number, state = 1): string {
  const parts: string[] = [];
  const below = (n: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 16) % n;
  };
  for (let i = 0; i < words; i++) {
    let word = below(1 + below(1 << 14));
    const length = 1 + (word % 5);
    for (let n = 0; n < length; n++) {
      parts.push(SYLLABLES[word % SYLLABLES.length]);
      word = Math.floor((word * 7) / 3) + 5;
    }
    parts.push(SPACES[below(SPACES.length)]);
  }
  return parts.join('');
}

const ours = ({ vocab_size, min_frequency, max_token_length }: PythonOptions): TrainOptions => ({
  kind: 'bpe',
  vocabSize: vocab_size,
  minFrequency: min_frequency,
  maxTokenBytes: max_token_length && max_token_length - 1, // Python's is the length that no token reaches
});

const mergesOf = (tokenizer: Tokenizer) =>
  (JSON.parse(JSON.stringify(tokenizer)) as { model: { merges: string[][] } }).model.merges.map((merge) => merge.join(' '));

const longestToken = (tokenizer: Tokenizer) =>
  Math.max(...Array.from({ length: tokenizer.vocabSize }, (_, id) => tokenizer.byteLength(id)));

const text = madeText(fixture.words);

describe('training byte-level BPE', () => {
  it("makes Python's merges, of many small texts where everything ties and overlaps", () => {
    for (const { texts, options, merges } of fixture.small)
      assert.deepEqual(mergesOf(trainTokenizer(texts, ours(options))), merges, JSON.stringify({ texts, options }));
  });

  it("makes Python's merges of a long text, also with a longest token and a least frequency", () => {
    assert.equal(Buffer.byteLength(text), fixture.bytes);
    for (const { options, merges } of fixture.large) assert.deepEqual(mergesOf(trainTokenizer([text], ours(options))), merges);
  });

  it('merges first what is seen most, of equals what has the smaller ids', () => {
    // "ca" 3 times; "ab" and "ba" both twice; "dc" once.
    const tokenizer = trainTokenizer(['ca', 'ca', 'ca', 'ba', 'ba', 'ab', 'ab', 'dc'], { kind: 'bpe', vocabSize: 400, minFrequency: 1 });
    assert.deepEqual(mergesOf(tokenizer), ['c a', 'a b', 'b a', 'd c']);
  });

  it('pairs a run of one letter from its left', () => {
    // aa aa a: both pairs are seen once, and the id of a is smaller than that of aa.
    assert.deepEqual(mergesOf(trainTokenizer(['aaaaa'], { kind: 'bpe', vocabSize: 400, minFrequency: 1 })), ['a a', 'aa a', 'aa aaa']);
  });

  it('makes no token longer than max_token_bytes', () => {
    for (const maxTokenBytes of [1, 2, 3, 7]) {
      const tokenizer = trainTokenizer([text], { kind: 'bpe', vocabSize: 1000, maxTokenBytes });
      assert.equal(longestToken(tokenizer), maxTokenBytes);
    }
    assert.throws(() => trainTokenizer(['a'], { kind: 'bpe', maxTokenBytes: 0 }), {
      name: 'UserError',
      message: /max_token_bytes must be 1 or more; received 0/,
    });
    assert.throws(() => trainTokenizer(['a'], { kind: 'word', maxTokenBytes: 4 }), {
      name: 'UserError',
      message: /max_token_bytes needs kind: bpe; received kind: word/,
    });
  });

  it('leaves no pair unmerged that is frequent enough, and merges none that is not', () => {
    // What a slow trainer finds: count all pairs anew before each merge.
    const words = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 9 }), {
      minLength: 1,
      maxLength: 12,
    });
    fc.assert(
      fc.property(words, fc.integer({ min: 1, max: 4 }), (found, minFrequency) => {
        const tokenizer = trainTokenizer(found, { kind: 'bpe', vocabSize: 600, minFrequency });
        assert.deepEqual(mergesOf(tokenizer), slowMerges(found, minFrequency));
      }),
      { numRuns: 200 },
    );
  });

  it('asks for text', () => {
    assert.throws(() => trainTokenizer([], { kind: 'bpe' }), {
      name: 'UserError',
      message: /there must be text to train on; received none/,
    });
  });

  it('says how far it is', () => {
    const steps: TrainProgress[] = [];
    trainTokenizer([text], { kind: 'bpe', vocabSize: 400, onProgress: (progress) => steps.push(progress) });
    assert.equal(steps.length, 400 - 272);
    assert.deepEqual(steps.at(-1), { phase: 'merge', done: 128, total: 128 });
  });
});

/** Merges of lower-case words, each of which is a text. */
function slowMerges(words: readonly string[], minFrequency: number): string[] {
  let split = words.map((word) => [...word]);
  const order = new Map<string, number>(['a', 'b', 'c'].map((letter, i) => [letter, i]));
  const merges: string[] = [];
  for (;;) {
    const counts = new Map<string, number>();
    for (const word of split)
      for (let i = 0; i + 1 < word.length; i++) counts.set(`${word[i]} ${word[i + 1]}`, (counts.get(`${word[i]} ${word[i + 1]}`) ?? 0) + 1);
    const rank = (pair: string) => pair.split(' ').map((token) => order.get(token)!);
    const best = [...counts].sort(([a, m], [b, n]) => n - m || rank(a)[0] - rank(b)[0] || rank(a)[1] - rank(b)[1])[0];
    if (best === undefined || best[1] < minFrequency) return merges;
    merges.push(best[0]);
    const [left, right] = best[0].split(' ');
    order.set(left + right, order.size);
    split = split.map((word) => {
      const merged: string[] = [];
      for (let i = 0; i < word.length; i++) {
        if (word[i] === left && word[i + 1] === right) merged.push(left + word[++i]);
        else merged.push(word[i]);
      }
      return merged;
    });
  }
}

describe('training in threads', () => {
  // More than is counted without any: 17 MB of different texts.
  const texts = Array.from({ length: 8 }, (_, i) => madeText(16_000, i + 1).repeat(17));
  const options: Record<Tokenizer['kind'], TrainOptions> = {
    bpe: { kind: 'bpe', vocabSize: 1200 },
    char: { kind: 'char' },
    word: { kind: 'word', vocabSize: 500 },
  };

  it('gives the same tokenizer for 1, 2 and 3 threads, and any order of the texts', async () => {
    const bytes = Buffer.byteLength(texts.join(''));
    assert.ok(bytes > 2 ** 24);
    const one = JSON.stringify(trainTokenizer(texts, options.bpe));
    for (const threads of [1, 2, 3]) {
      const counted: number[] = [];
      const onProgress = ({ phase, done }: TrainProgress) => phase === 'count' && counted.push(done);
      const order = threads === 2 ? texts.toReversed() : texts;
      const again = await trainTokenizerInWorkers(textBatches(order), { ...options.bpe, onProgress }, threads);
      assert.equal(JSON.stringify(again), one, `${threads} threads`);
      assert.ok(counted.length > 8 && counted.every((done, i) => done > (counted[i - 1] ?? 0)));
      assert.equal(counted.at(-1), bytes);
    }
  });

  for (const kind of ['char', 'word'] as const) {
    it(`gives the same ${kind} tokenizer`, async () => {
      const one = trainTokenizer(texts, options[kind]);
      assert.ok(one.vocabSize > SPECIAL_TOKENS.length + 20);
      const again = await trainTokenizerInWorkers(textBatches(texts.toReversed()), options[kind], 2);
      assert.equal(JSON.stringify(again), JSON.stringify(one));
    });
  }

  it('asks for text', async () => {
    await assert.rejects(trainTokenizerInWorkers(textBatches([]), options.bpe, 2), { name: 'UserError', message: /received none/ });
    await assert.rejects(trainTokenizerInWorkers(textBatches(['']), options.char, 2), { name: 'UserError', message: /received none/ });
  });
});

describe('the words that are counted', () => {
  const pieces = fc.array(
    fc.oneof(
      fc.constantFrom(' ', '  ', '\n', '\t', 'word', '文', '12', '٣', 'e\u0301', '!?', '🎉', '\u3000', '\u00a0'),
      fc.string({ unit: 'binary', maxLength: 3 }),
    ),
  );

  it('are those that a word or char tokenizer encodes', () => {
    fc.assert(
      fc.property(pieces, (parts) => {
        const text = Buffer.from(parts.join('')).toString();
        for (const [kind, split] of [
          ['word', splitWords],
          ['char', splitCharacters],
        ] as const) {
          const expected = new Map<string, number>();
          split(text, (piece) => expected.set(piece, (expected.get(piece) ?? 0) + 1));
          assert.deepEqual(countedWords(kind, [Buffer.from(text)]), expected);
        }
      }),
      { numRuns: 500 },
    );
  });
});

/** The words of texts with their counts. */
function countedWords(kind: Tokenizer['kind'], texts: readonly Uint8Array[]): Map<string, number> {
  const words = new WordCounts();
  const count = wordCounter(kind, words);
  for (const each of texts) count(each);
  const { bytes, ends, counts } = words.words();
  return new Map(Array.from(ends, (end, i) => [Buffer.from(bytes.slice(ends[i - 1] ?? 0, end)).toString(), counts[i]]));
}

describe('batches of texts', () => {
  const bytesOf = (texts: readonly string[]) => texts.map((each) => Buffer.from(each));
  const textsIn = ({ text, offsets }: TextBatch) => Array.from(offsets.subarray(1), (end, i) => text.slice(offsets[i], end));

  it('hold all texts in their order, lone surrogates as U+FFFD', async () => {
    const given = ['a', '', 'b\ud800', 'x'.repeat(3 << 20), '模型'];
    const found: Uint8Array[] = [];
    for await (const batch of textBatches(given)) found.push(...textsIn(batch));
    assert.deepEqual(
      found.map((bytes) => Buffer.from(bytes).toString()),
      ['a', '', 'b\ufffd', 'x'.repeat(3 << 20), '模型'],
    );
  });

  it('cut a long text only where its words stay the same', async () => {
    const ends = ['\n', '\n\n', '\r\n', '\n ', ' \n', '\n\t', '\n\u3000x', '\n\u0085', '\n\u00a0', "\n's", '?!\n', '\n模', '\né', '\u2028'];
    const part = fc.array(
      fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...ends) }, fc.constantFrom('word', ' two', '12', '🎉', '   ')),
      {
        minLength: 50,
        maxLength: 80,
      },
    );
    await fc.assert(
      fc.asyncProperty(part, fc.constantFrom('bpe' as const, 'word' as const), async (parts, kind) => {
        const long = Buffer.from(parts.join('').repeat(Math.ceil((9 << 18) / Buffer.byteLength(parts.join('')))));
        const short = Buffer.from('short');
        const batch = { text: Uint8Array.from(Buffer.concat([short, long])), offsets: Int32Array.of(0, 5, 5 + long.length) };
        const cut: Uint8Array[] = [];
        for await (const each of cutBatches([batch])) cut.push(...textsIn(each));
        assert.deepEqual(countedWords(kind, cut), countedWords(kind, [short, long]));
      }),
      { numRuns: 6 },
    );
  });

  it('cut a long text into pieces at all', async () => {
    const [long] = bytesOf(['a line\n'.repeat(1_000_000)]);
    const sizes: number[] = [];
    for await (const each of cutBatches([{ text: Uint8Array.from(long), offsets: Int32Array.of(0, long.length) }]))
      sizes.push(each.text.length);
    assert.ok(sizes.length >= 3 && Math.max(...sizes) <= 2 << 20);
    assert.equal(
      sizes.reduce((sum, size) => sum + size),
      long.length,
    );
  });
});
