import assert from 'node:assert/strict';
import { loadTokenizer, SPECIAL_TOKENS, type Tokenizer, trainTokenizer } from '../../tokenizer/index.js';
import { inspectTokenizer, type SourcedBatch, tokenizerFacts, tokenUse } from '../../tokenizer/inspect.js';
import { GPT2_PATTERN, LLAMA3_PATTERN } from '../../tokenizer/scan.js';
import { inspectionPage, inspectionText } from '../../tokenizer/show-inspection.js';
import { CHARACTER_PATTERN } from '../../tokenizer/split.js';

// Merges: a b, ab ab, 模's three bytes.
const tokenizer = trainTokenizer(['abab abab', 'abab', '模模模'], { kind: 'bpe', vocabSize: 276, minFrequency: 1 });

function batchOf(texts: readonly [source: string, text: string][]): SourcedBatch {
  const sources = [...new Set(texts.map(([source]) => source))];
  const offsets = [0];
  for (const [, text] of texts) offsets.push(offsets.at(-1)! + Buffer.byteLength(text));
  return {
    text: Uint8Array.from(Buffer.from(texts.map(([, text]) => text).join(''))),
    offsets: Int32Array.from(offsets),
    sources,
    sourceOf: Uint32Array.from(texts, ([source]) => sources.indexOf(source)),
  };
}

describe('what a tokenizer is', () => {
  const facts = tokenizerFacts(tokenizer, 3);

  it('says its kind, size, hash, pattern and special tokens', () => {
    assert.deepEqual([facts.kind, facts.size, facts.hash], ['bpe', 276, tokenizer.hash()]);
    assert.deepEqual(facts.patterns, [LLAMA3_PATTERN]);
    assert.deepEqual(
      facts.special.map(({ id, text }) => [id, text]),
      SPECIAL_TOKENS.map((token, id) => [id, token]),
    );
  });

  it('gives the longest tokens, of equals the first by id; bytes of half a character in hex', () => {
    const names = facts.longest.map(({ text, bytes }) => [text, bytes]);
    assert.deepEqual(names, [
      ['abab', 4],
      ['模', 3],
      ['ab', 2],
    ]);
    assert.ok(tokenizerFacts(tokenizer, 300).longest.some(({ text }) => text === '⟨E6⟩'));
  });

  it('finds the patterns of other kinds and of others', () => {
    const char = trainTokenizer(['abc'], { kind: 'char', specialTokens: false });
    assert.deepEqual(tokenizerFacts(char).patterns, [CHARACTER_PATTERN]);
    assert.deepEqual(tokenizerFacts(char).special, []);
    const pre_tokenizer = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
    const gpt2 = loadTokenizer({ ...JSON.parse(JSON.stringify(tokenizer)), pre_tokenizer });
    assert.deepEqual(tokenizerFacts(gpt2).patterns, [GPT2_PATTERN]);
  });
});

describe('how a tokenizer fits texts', () => {
  const texts: [string, string][] = [
    ['one', 'abab'],
    ['two', '模'],
    ['one', 'ab ab!'],
  ];

  it('counts documents, bytes and tokens by source', async () => {
    const { sources } = await tokenUse(tokenizer, [batchOf(texts.slice(0, 2)), batchOf(texts.slice(2))]);
    // abab | 模 | ab, " ", ab, !   (" ab" is one word, but no merge has the space)
    assert.deepEqual(sources, [
      { source: 'one', documents: 2, bytes: 10, tokens: tokensOf(tokenizer, 'abab', 'ab ab!') },
      { source: 'two', documents: 1, bytes: 3, tokens: tokensOf(tokenizer, '模') },
    ]);
  });

  it('gives the most used tokens with their counts', async () => {
    const { mostUsed } = await tokenUse(tokenizer, [batchOf([['x', '!!! !! a']])], { shown: 1 });
    assert.deepEqual(mostUsed, [{ id: tokenizer.encode('!')[0], text: '!', bytes: 1, count: 5 }]);
  });

  it('names the tokens that no text has, and counts single bytes among them', async () => {
    const { unused } = await tokenUse(tokenizer, [batchOf([['x', '模ab']])]);
    // Of 256 bytes none is used by itself; of 4 longer tokens 模 and ab are.
    assert.deepEqual([unused.singleBytes, unused.count], [256, 256 + tokenizer.vocabSize - 272 - 2]);
    assert.ok(unused.examples.some(({ text }) => text === 'abab'));
    assert.ok(unused.examples.every(({ text, bytes }) => bytes > 1 && text !== 'ab' && text !== '模'));
  });

  it('counts every token of every text: all uses together are the tokens', async () => {
    const found = await tokenUse(tokenizer, [batchOf(texts)], { shown: 1000 });
    const uses = found.mostUsed.reduce((sum, { count }) => sum + count!, 0);
    assert.equal(
      uses,
      found.sources.reduce((sum, { tokens }) => sum + tokens, 0),
    );
    assert.equal(found.mostUsed.length + found.unused.count, tokenizer.vocabSize - SPECIAL_TOKENS.length);
  });
});

function tokensOf(tokenizer: Tokenizer, ...texts: string[]): number {
  return texts.reduce((sum, text) => sum + tokenizer.encode(text).length, 0);
}

describe('showing what a tokenizer is', () => {
  const inspect = async (name = 'some/tokenizer.json') =>
    inspectTokenizer(tokenizer, {
      name,
      text: 'abab <b>模\n',
      batches: (async function* () {
        yield batchOf([
          ['one', 'abab'],
          ['two', '模'],
        ]);
      })(),
    });

  it('as text: facts, the text in its tokens, sources with all of them together', async () => {
    const shown = inspectionText(await inspect());
    assert.match(shown, /^some\/tokenizer\.json\nkind +bpe\ntokens +276\n/);
    assert.match(shown, /^abab\|␣\|<\|b\|>\|模\|↵$/m);
    assert.match(
      shown,
      /^source +documents +bytes +tokens +bytes a token\none +1 +4 +1 +4\.00\ntwo +1 +3 +1 +3\.00\nall +2 +7 +2 +3\.50$/m,
    );
    assert.match(shown, /^Tokens never used\n258 of 260, 256 of them single bytes$/m);
  });

  it('as a page: the same, and nothing of a text becomes HTML', async () => {
    const shown = inspectionPage(await inspect('<i>name</i>'));
    assert.match(shown, /^<!doctype html>/);
    assert.match(shown, /<td>two<\/td><td class="right">1<\/td><td class="right">3<\/td>/);
    assert.match(shown, /title="\d+">abab<\/span>/);
    assert.ok(shown.includes('&lt;i&gt;name') && shown.includes('>&lt;</span>') && !shown.includes('<i>name'));
    assert.ok(!/<(script|link|img)|https?:/.test(shown));
  });

  it('leaves out what was not asked for', async () => {
    const shown = inspectionText(await inspectTokenizer(tokenizer, { name: 'x' }));
    assert.ok(!/By source|never used|bytes a token/.test(shown));
    assert.match(shown, /Longest tokens/);
  });

  it('refuses an empty text', async () => {
    await assert.rejects(inspectTokenizer(tokenizer, { name: 'x', text: '' }), { name: 'UserError', message: /received an empty one/ });
  });
});
