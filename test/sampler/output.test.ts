import assert from 'node:assert/strict';
import { answerText, outputText } from '../../sampler/output.js';
import { trainTokenizer } from '../../tokenizer/index.js';

/** Gives the pieces one by one, whatever the id. */
function pieces(...texts: string[]) {
  const queue = [...texts];
  return { push: () => queue.shift() ?? '', end: () => '' };
}

describe('output text', () => {
  it('passes text on as it comes when there is nothing to stop at', () => {
    const output = outputText(pieces('ab', 'c'), []);
    assert.deepEqual([output.push(0), output.push(0), output.end()], ['ab', 'c', '']);
  });

  it('holds back what may begin a stop string, and gives it out when it does not', () => {
    const output = outputText(pieces('one\n', 'two'), ['\n\n']);
    assert.deepEqual([output.push(0), output.push(0), output.stopped], ['one', '\ntwo', false]);
  });

  it('gives nothing of a stop string that spans tokens, nor of what follows', () => {
    const output = outputText(pieces('answer E', 'ND rest', 'more'), ['END']);
    assert.deepEqual([output.push(0), output.push(0), output.push(0), output.end()], ['answer ', '', '', '']);
    assert.equal(output.stopped, true);
  });

  it('gives out at the end what was held back', () => {
    const output = outputText(pieces('wait E'), ['END']);
    assert.deepEqual([output.push(0), output.end()], ['wait ', 'E']);
  });

  it('says which stop string it was: the one that begins first', () => {
    const output = outputText(pieces('one. two! three.'), ['!', '.']);
    assert.deepEqual([output.push(0), output.stopString], ['one', '.']);
  });

  it('leaves out white space around a tidy text, and keeps that within it', () => {
    const output = outputText(pieces(' ', '\n  one ', '\n', ' two', ' \n', '\t'), [], { tidy: true });
    assert.deepEqual([...Array.from({ length: 6 }, () => output.push(0)), output.end()], ['', 'one', '', ' \n two', '', '', '']);
  });

  it('finds a stop string of white space in a tidy text', () => {
    const output = outputText(pieces('one \n', '\n two'), ['\n\n'], { tidy: true });
    assert.deepEqual([output.push(0), output.push(0), output.stopString, output.end()], ['one', '', '\n\n', '']);
  });
});

describe('the text of an answer', () => {
  const tokenizer = trainTokenizer(['The sea is calm tonight. 今晚大海很平静。'], { kind: 'bpe', vocabSize: 290 });
  const { eos } = tokenizer.special;
  const limits = { stopIds: new Set([eos]), stop: ['END'], maxTokens: 100 };
  const said = (ids: readonly number[], more = {}) => {
    const output = answerText(tokenizer, { ...limits, ...more });
    let text = '';
    let count = 0;
    for (const id of ids) {
      count++;
      text += output.push(id);
      if (output.finishReason) break;
    }
    return { text: text + output.end(), reason: output.finishReason, stopString: output.stopString, count };
  };
  const text = (content: string) => tokenizer.encode(content);

  it('ends at a mark that ends answers, which is no text', () => {
    const ids = [...text(' The sea\n'), eos, ...text('more')];
    assert.deepEqual(said(ids), { text: 'The sea', reason: 'stop', stopString: undefined, count: text(' The sea\n').length + 1 });
  });

  it('ends before a stop string', () => {
    assert.deepEqual(said(text('calm END.')), {
      text: 'calm',
      reason: 'stop',
      stopString: 'END',
      count: text('calm END').length,
    });
  });

  it('ends at the limit of tokens, without half a character; a mark that comes with the last token is still the reason', () => {
    const [first, second] = text('🌊'); // four bytes, a token each
    assert.deepEqual(said([first, second, 9], { maxTokens: 2 }), { text: '', reason: 'length', stopString: undefined, count: 2 });
    assert.equal(said([...text('calm'), eos], { maxTokens: text('calm').length + 1 }).reason, 'stop');
  });

  it('has no special tokens, and has no reason while it goes on', () => {
    const ids = [tokenizer.idOf('<|user|>')!, ...text('今晚'), tokenizer.idOf('<|tool|>')!, ...text('大海')];
    assert.deepEqual(said(ids), { text: '今晚大海', reason: undefined, stopString: undefined, count: ids.length });
  });
});
