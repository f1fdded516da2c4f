import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { useDevice } from '../../backends/device.js';
import { generate } from '../../sampler/generate.js';
import { loadModel } from '../../sampler/model.js';
import { type SampleOptions, sample, sampleText } from '../../sampler/sample.js';
import { trainTokenizer } from '../../tokenizer/index.js';
import { UserError } from '../../util/errors.js';
import { fixturePath } from '../model/fixtures.js';
import { saveTinyModel, tinyConfig } from './tiny-model.js';

const TEXT = ['The sea is calm tonight. 今晚大海很平静。', 'The tide is full, the moon lies fair 月光皎洁 🌊🌊'];

const OPTIONS: SampleOptions = {
  prompt: 'The sea',
  strategy: 'sample',
  num: 1,
  maxTokens: 60,
  temperature: 1,
  topK: 0,
  topP: 1,
  minP: 0,
  repetitionPenalty: 1,
  numBeams: 3,
  lengthPenalty: 1,
  seed: 11,
  stop: [],
  device: 'auto',
  threads: 2,
};

describe('fourfold sample', () => {
  const bytePairs = trainTokenizer(TEXT, { kind: 'bpe', vocabSize: 300 });
  const characters = trainTokenizer(TEXT, { kind: 'char', specialTokens: false });
  let folder = '';
  let bpe = '';
  let char = '';

  before(async () => {
    await useDevice('auto', { threads: 2, warn: () => {} });
    folder = await mkdtemp(path.join(tmpdir(), 'fourfold-sample-'));
    bpe = await saveTinyModel(path.join(folder, 'bpe', 'final'), bytePairs);
    char = await saveTinyModel(path.join(folder, 'char'), characters);
  });
  after(() => rm(folder, { recursive: true, force: true }));

  /** All that is given out for each sample, piece by piece. */
  const pieces = async (checkpoint: string, more: Partial<SampleOptions> = {}) => {
    const given: string[][] = [];
    const quietly = console.error;
    console.error = () => {};
    try {
      const summary = await sample(checkpoint, { ...OPTIONS, ...more }, (index, text) => {
        given[index] ??= [];
        given[index].push(text);
      });
      return { given, summary, texts: given.map((parts) => parts.join('')) };
    } finally {
      console.error = quietly;
    }
  };

  it('streams whole characters, and in all the text of the tokens', async () => {
    const { given, texts, summary } = await pieces(bpe);
    const model = await loadModel(bpe);
    const prompt = [model.tokenizer.special.bos, ...model.tokenizer.encode('The sea')];
    const options = { sampling: { temperature: 1 }, maxTokens: 60, seed: 11, eos: new Set([model.tokenizer.special.eos]) };
    const { tokens } = await generate(model, [prompt], options);
    model.dispose();
    assert.equal(texts[0], bytePairs.decode(tokens[0], { skipSpecial: true }));
    assert.equal(summary.tokens, tokens[0].length);
    assert.ok(given[0].length > 10, 'it comes in pieces');
    for (const piece of given[0]) assert.equal(Buffer.from(piece).toString(), piece, 'no half of a surrogate pair');
    assert.ok(summary.tokensPerSecond > 0);
  });

  it('finds the checkpoint of a run, and gives the same text for the same seed, whatever the number of samples', async () => {
    const { texts } = await pieces(path.dirname(bpe), { num: 3 });
    assert.equal(texts.length, 3);
    assert.equal(new Set(texts).size, 3);
    assert.equal((await pieces(bpe)).texts[0], texts[0]);
  });

  it('draws a seed where none is given, and says which', async () => {
    const { texts, summary } = await pieces(bpe, { seed: undefined });
    assert.deepEqual((await pieces(bpe, { seed: summary.seed })).texts, texts);
    assert.notEqual((await pieces(bpe, { seed: undefined })).summary.seed, summary.seed);
  });

  it('stops before a stop string', async () => {
    const { texts } = await pieces(char, { maxTokens: 50 });
    const stop = texts[0].slice(20, 23);
    const { texts: shorter, summary } = await pieces(char, { maxTokens: 50, stop: [stop] });
    assert.equal(shorter[0], texts[0].slice(0, texts[0].indexOf(stop)));
    assert.ok(summary.tokens < 50);
  });

  it('searches with beams, best first, and takes the likeliest token when greedy', async () => {
    const { texts } = await pieces(char, { strategy: 'beam', num: 2, maxTokens: 8 });
    assert.equal(texts.length, 2);
    assert.ok(texts.every(({ length }) => [...TEXT.join('')].length > 0 && length >= 8));
    const greedy = await pieces(char, { strategy: 'greedy', maxTokens: 8 });
    assert.deepEqual((await pieces(char, { strategy: 'beam', numBeams: 1, maxTokens: 8 })).texts, greedy.texts);
    assert.deepEqual((await pieces(char, { strategy: 'greedy', maxTokens: 8, seed: 99 })).texts, greedy.texts);
  });

  it('writes on past the context', async () => {
    const { summary } = await pieces(char, { maxTokens: 80, num: 2 });
    assert.equal(summary.tokens, 160);
  });

  it('continues many prompts at once for a stage', async () => {
    const model = await loadModel(bpe);
    const options = { maxTokens: 12, seed: 5 };
    const texts = await sampleText(model, ['', 'The tide', '月光'], options);
    assert.deepEqual(await sampleText(model, ['', 'The tide', '月光'], options), texts);
    assert.deepEqual(await sampleText(model, [''], options), [texts[0]]);
    model.dispose();
  });

  it('says what is wrong with what it is given', async () => {
    const wrong: [string, Partial<SampleOptions>, RegExp][] = [
      [
        char,
        { prompt: '' },
        /^prompt: where the tokenizer has no token that begins a text, it must be at least one character; received ""/,
      ],
      [char, { prompt: 'é' }, /^encode: the vocabulary of a char tokenizer must hold every character of the text/],
      [bpe, { strategy: 'greedy', num: 2 }, /^--num: greedy choice gives one text; received 2/],
      [
        bpe,
        { strategy: 'beam', num: 4 },
        /^--num: beam search gives at most as many texts as it has beams, 3; received 4; raise --num-beams$/,
      ],
      [fixturePath('hf-llama-tiny'), {}, /needs tokenizer\.json; there is none/],
      [path.join(folder, 'nothing'), {}, /^loading a checkpoint: .*must be a checkpoint or the directory of a run/],
    ];
    for (const [checkpoint, options, message] of wrong) {
      await assert.rejects(pieces(checkpoint, options), (error: Error) => error instanceof UserError && message.test(error.message));
    }
    const small = await saveTinyModel(path.join(folder, 'small'), bytePairs, { ...tinyConfig(bytePairs), vocab_size: 200 });
    await assert.rejects(pieces(small), /the tokenizer's ids must be in the model's vocabulary of 200; it has 283/);
  });
});
