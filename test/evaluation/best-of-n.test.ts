import assert from 'node:assert/strict';
import { bestOfN } from '../../evaluation/best-of-n.js';
import { RandomStream } from '../../util/random.js';

/** All choices of n of the places 0 … K − 1. */
function* choices(K: number, n: number, from = 0): Generator<number[]> {
  if (n === 0) yield [];
  else for (let i = from; i < K; i++) for (const rest of choices(K, n - 1, i + 1)) yield [i, ...rest];
}

const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;

/** The place of the highest score among some; of equal ones the last. */
const best = (scores: readonly number[], among: readonly number[]) => among.reduce((a, b) => (scores[b] >= scores[a] ? b : a));

describe('best of n', () => {
  const random = new RandomStream(3, 1);
  const draw = (count: number) => Array.from({ length: count }, () => Math.round(random.normal() * 4) / 4); // some are equal
  const rows = [6, 7, 9].map((K) => ({ proxy: draw(K), gold: draw(K) }));

  it('is the mean over all choices of n answers', () => {
    const found = bestOfN(rows);
    assert.deepEqual(found.map(({ n }) => n), [1, 2, 4]); // biome-ignore format: short
    for (const { n, gold, proxy, oracle } of found) {
      const expected = { gold: [] as number[], proxy: [] as number[], oracle: [] as number[] };
      for (const row of rows) {
        const all = [...choices(row.gold.length, n)];
        const chosen = all.map((among) => best(row.proxy, among));
        expected.gold.push(mean(chosen.map((i) => row.gold[i])));
        expected.proxy.push(mean(chosen.map((i) => row.proxy[i])));
        expected.oracle.push(mean(all.map((among) => row.gold[best(row.gold, among)])));
      }
      for (const [name, value] of Object.entries({ gold, proxy, oracle }))
        assert.ok(Math.abs(value - mean(expected[name as keyof typeof expected])) < 1e-12, `${name} of ${n}`);
    }
  });

  it('of one is the plain mean, and its divergence from the model is log n − (n − 1)/n', () => {
    const [one, two] = bestOfN(rows);
    assert.ok(Math.abs(one.gold - mean(rows.map(({ gold }) => mean(gold)))) < 1e-12);
    assert.deepEqual([one.kl, two.kl], [0, Math.log(2) - 0.5]);
  });

  it('goes to 64, and to no more than each prompt has', () => {
    const many = { proxy: draw(100), gold: draw(100) };
    assert.equal(bestOfN([many]).at(-1)!.n, 64);
    assert.equal(bestOfN([many, { proxy: draw(3), gold: draw(3) }]).at(-1)!.n, 2);
  });
});
