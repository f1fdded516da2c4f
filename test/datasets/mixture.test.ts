import assert from 'node:assert/strict';
import fc from 'fast-check';
import { mixtureWeights, nextSource, shareRows } from '../../datasets/mixture.js';

describe('a mixture of sources', () => {
  it('gives every row to the source furthest behind: the worked example 2, 1, 1', () => {
    const drawn = [0, 0, 0];
    const order = Array.from({ length: 12 }, () => {
      const next = nextSource([0.5, 0.25, 0.25], drawn);
      drawn[next]++;
      return next;
    });
    // After k rows a source is behind by weight · (k + 1) - drawn: .5 .25 .25 | 0 .5 .5 | .5 -.25 .75 | 1 0 0 | and from the start again.
    assert.deepEqual(order, [0, 1, 2, 0, 0, 1, 2, 0, 0, 1, 2, 0]);
  });

  it('keeps every source within a row or so of its share, at any time, for any weights', () => {
    const weight = fc.oneof(fc.constant(0), fc.double({ min: 1e-3, max: 1, noNaN: true }));
    fc.assert(
      fc.property(
        fc.array(weight, { minLength: 1, maxLength: 8 }).filter((weights) => weights.some((w) => w > 0)),
        (given) => {
          const sum = given.reduce((a, b) => a + b);
          const weights = given.map((w) => w / sum);
          const drawn = weights.map(() => 0);
          for (let k = 1; k <= 400; k++) {
            drawn[nextSource(weights, drawn)]++;
            for (const [s, n] of drawn.entries()) assert.ok(Math.abs(n - k * weights[s]) < weights.length, `${n} of ${k}, ${weights}`);
          }
          weights.forEach((w, s) => {
            if (w === 0) assert.equal(drawn[s], 0);
          });
        },
      ),
    );
  });

  it('weighs every source, and leaves out what weighs 0', () => {
    assert.deepEqual(mixtureWeights({ c4: 1, wiki: 3, books: 0 }, ['wiki', 'c4', 'books'], 'data/all'), [0.75, 0.25, 0]);
  });

  it('lists everything that is wrong, with what was probably meant', () => {
    const fails = (mixture: Record<string, number>, ...messages: RegExp[]) =>
      assert.throws(
        () => mixtureWeights(mixture, ['wiki', 'c4'], 'data/all'),
        (error: Error) => {
          assert.equal(error.name, 'UserError');
          for (const message of messages) assert.match(error.message, message);
          return true;
        },
      );
    fails(
      { wikki: 1, c4: 1 },
      /each source of data\/all a weight \(wiki, c4\)/,
      /no source wikki, did you mean wiki\?/,
      /wiki has no weight \(0 leaves/,
    );
    fails({ wiki: 1 }, /c4 has no weight/);
    fails({ wiki: -1, c4: Number.NaN }, /weight of wiki must be a number, 0 or more, and is -1/, /weight of c4 .* is NaN/);
    fails({ wiki: 0, c4: 0 }, /one weight must be above 0/);
    fails({ wiki: 1, c4: 1, constructor: 1 }, /no source constructor$/);
  });

  it('says how often a run goes over each source', () => {
    const sources = [
      { name: 'wiki', tokens: 12000, share: 0.75, rows: 100 },
      { name: 'c4', tokens: 800, share: 0.25, rows: 0 },
    ];
    assert.deepEqual(shareRows(sources, 1000), [
      ['wiki', '12,000', '75.0 %', '7.50'],
      ['c4', '800', '25.0 %', '0'],
    ]);
  });
});
