import assert from 'node:assert/strict';
import { outputText } from '../../sampler/output.js';

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
});
