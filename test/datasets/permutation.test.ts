import assert from 'node:assert/strict';
import fc from 'fast-check';
import { permutation } from '../../datasets/permutation.js';

type Which = Parameters<typeof permutation>[2];

describe('the computed shuffle', () => {
  it('gives each place once, whatever the size, seed and number', () => {
    const word = fc.integer({ min: 0, max: 2 ** 32 - 1 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3000 }), fc.maxSafeNat(), fc.tuple(word, word, word), (n, seed, which) => {
        const place = permutation(n, seed, which);
        assert.deepEqual(
          Array.from({ length: n }, (_, i) => place(i)).sort((a, b) => a - b),
          Array.from({ length: n }, (_, i) => i),
        );
      }),
      { numRuns: 60 },
    );
  });

  it('differs from number to number and from seed to seed, and leaves few in place', () => {
    const order = (seed: number, which: Which) => Array.from({ length: 1000 }, (_, i) => permutation(1000, seed, which)(i));
    const orders = [
      order(1, [0, 0, 0]),
      order(1, [1, 0, 0]),
      order(1, [0, 1, 0]),
      order(1, [0, 0, 1]),
      order(2, [0, 0, 0]),
      order(1 + 2 ** 32, [0, 0, 0]),
    ];
    for (let a = 0; a < orders.length; a++) {
      assert.ok(orders[a].filter((place, i) => place === i).length < 10);
      for (let b = 0; b < a; b++) assert.ok(orders[a].filter((place, i) => place === orders[b][i]).length < 10);
    }
  });

  it('brings each index to each place about equally often', () => {
    const n = 6;
    const seeds = 3000;
    const counts = Array.from({ length: n }, () => new Array<number>(n).fill(0));
    for (let seed = 0; seed < seeds; seed++) {
      const place = permutation(n, seed, [0, 0, 0]);
      for (let i = 0; i < n; i++) counts[i][place(i)]++;
    }
    // 25 degrees of freedom; 0.999 of the distribution of chi squared lies below 52.6.
    const expected = seeds / n;
    const chiSquared = counts.flat().reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    assert.ok(chiSquared < 52.6, `${chiSquared}`);
  });
});
