import assert from 'node:assert/strict';
import { diversity } from '../../evaluation/diversity.js';

const close = (actual: number, expected: number) => assert.ok(Math.abs(actual - expected) < 1e-12, `${actual}, not ${expected}`);

describe('the diversity of texts', () => {
  it('counts different tokens and pairs over all texts', () => {
    const { distinct1, distinct2 } = diversity([[1, 2, 1], [1, 2], [3]]); // pairs 1 2, 2 1, 1 2
    close(distinct1, 3 / 6);
    close(distinct2, 2 / 3);
  });

  it('has a self-BLEU of 1 where all texts are the same', () => {
    close(diversity([[1, 2, 3, 4, 5], [1, 2, 3, 4, 5], [1, 2, 3, 4, 5]]).selfBleu, 1); // biome-ignore format: rows
  });

  it('equals BLEU worked out by hand: clipped counts, half a match where there is none, and a penalty for being shorter', () => {
    // The first against the second: 2 of 3 tokens (one 1 of two), 1 of 2 pairs, 0 of 1 triple; the second is longer by one.
    const first = Math.exp(1 - 4 / 3) * Math.cbrt((2 / 3) * (1 / 2) * (0.5 / 1));
    // The second against the first: 2 of 4, 1 of 3, 0 of 2, 0 of 1; it is not shorter.
    const second = ((2 / 4) * (1 / 3) * (0.5 / 2) * (0.5 / 1)) ** 0.25;
    close(diversity([[1, 2, 1], [1, 2, 7, 8]]).selfBleu, (first + second) / 2); // biome-ignore format: rows
  });

  it('compares a text with the one that has most of it, but never with itself', () => {
    // Of 5 5 5 5 the others have two 5 at most.
    const { selfBleu } = diversity([[5, 5, 5, 5], [5, 5], [5]]); // biome-ignore format: rows
    const longest = ((2 / 4) * (1 / 3) * (0.5 / 2) * (0.5 / 1)) ** 0.25;
    close(selfBleu, (longest + 1 + Math.exp(1 - 2 / 1)) / 3); // the last is shorter than the nearest in length
  });

  it('is 0 of nothing, and of one text', () => {
    assert.deepEqual(diversity([]), { distinct1: 0, distinct2: 0, selfBleu: 0 });
    assert.equal(diversity([[1, 2]]).selfBleu, 0);
  });
});
