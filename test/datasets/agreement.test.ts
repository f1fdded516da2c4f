import assert from 'node:assert/strict';
import fc from 'fast-check';
import { agreement, interval, kendallTauB, krippendorffAlpha, meanRanks, nominal, ordinal, type Rating } from '../../datasets/agreement.js';

const near = (actual: number | undefined, expected: number, tolerance = 1e-12) =>
  assert.ok(actual !== undefined && Math.abs(actual - expected) <= tolerance, `${actual} is not ${expected}`);

describe("Krippendorff's α", () => {
  // Krippendorff 2011, section D: four observers, twelve units, values missing. He gives .743, .815 and .849.
  const _ = undefined;
  const observers = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, _, _, _],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, _, 3],
    [_, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, _],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, _],
  ];
  const units = observers[0].map((_, u) => observers.map((values) => values[u]).filter((value) => value !== undefined));
  for (const [name, metric, expected] of [
    ['nominal', nominal, 0.743],
    ['ordinal', ordinal, 0.815],
    ['interval', interval, 0.849],
  ] as const) {
    it(`equals the worked example: ${name} ${expected}`, () => near(krippendorffAlpha(units, metric), expected, 0.0005));
  }

  it('is 1 in full agreement, and below 0 where observers always differ', () => {
    near(krippendorffAlpha([[1, 1], [2, 2], [3, 3]], ordinal), 1); // biome-ignore format: short
    // Values 1 and 2, each twice: expected 2 · 2 / 3, observed 2: 1 − 3 · 2 / 4.
    near(krippendorffAlpha([[1, 2], [2, 1]], nominal), -0.5); // biome-ignore format: short
  });
  it('is not defined where nothing differs, or no unit has two values', () => {
    assert.equal(krippendorffAlpha([[2, 2], [2, 2]], ordinal), undefined); // biome-ignore format: short
    assert.equal(krippendorffAlpha([[1], [2], []], ordinal), undefined);
  });
  it('ordinal values may be renumbered as long as their order stays', () => {
    const renumbered = units.map((unit) => unit.map((value) => value ** 3 - 7));
    near(krippendorffAlpha(renumbered, ordinal), krippendorffAlpha(units, ordinal)!);
  });
});

describe("Kendall's τ-b", () => {
  it('equals rankings worked out by hand', () => {
    near(kendallTauB([1, 2, 3, 4], [1, 2, 3, 4]), 1);
    near(kendallTauB([1, 2, 3, 4], [4, 3, 2, 1]), -1);
    near(kendallTauB([1, 2, 3, 4], [1, 3, 2, 4]), 4 / 6); // 5 concordant, 1 discordant
    near(kendallTauB([1, 1, 2, 3], [1, 2, 2, 3]), 4 / 5); // 4 concordant, 0 discordant, 5 pairs untied in each
    near(kendallTauB([1, 2, 2], [2, 1, 1]), -1);
    // The example of scipy.stats.kendalltau: x 12 2 1 12 2, y 1 4 7 1 0 gives −.4714.
    near(kendallTauB([12, 2, 1, 12, 2], [1, 4, 7, 1, 0]), -4 / Math.sqrt(8 * 9));
    near(-4 / Math.sqrt(8 * 9), -0.47140452079103173);
  });
  it('is not defined where one of them has ties alone', () => {
    assert.equal(kendallTauB([1, 1, 1], [1, 2, 3]), undefined);
    assert.equal(kendallTauB([], []), undefined);
  });
  it('is the same both ways, and the opposite where one is turned round', () => {
    const pairs = fc.array(fc.tuple(fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 4 })), { minLength: 2, maxLength: 8 });
    fc.assert(
      fc.property(pairs, (both) => {
        const [a, b] = [both.map(([x]) => x), both.map(([, y]) => y)];
        const tau = kendallTauB(a, b);
        assert.equal(kendallTauB(b, a), tau);
        if (tau !== undefined) near(kendallTauB(a, b.map((y) => -y)), -tau); // biome-ignore format: short
      }),
    );
  });
});

describe('agreement of annotators', () => {
  const rating = (item: string, annotator: string, ranks: number[], row = 0): Rating => ({ item, annotator, ranks, row });

  it('ranks from 1, ties their mean', () => {
    assert.deepEqual(meanRanks([5, 5, 9]), [1.5, 1.5, 3]);
    assert.deepEqual(meanRanks([3, -1, 3, 3, 0]), [4, 1, 4, 4, 2]);
  });

  it('is that of items with two annotators or more', () => {
    assert.equal(agreement([rating('x', 'ann', [1, 2]), rating('y', 'bo', [1, 2])]), undefined);
    assert.equal(agreement([rating('x', 'ann', [1, 2]), rating('x', 'ann', [2, 1])]), undefined); // the same one twice
  });

  it('names the annotators and items that disagree most', () => {
    const found = agreement([
      rating('x', 'ann', [1, 2, 3], 0),
      rating('x', 'bo', [1, 2, 3], 1),
      rating('x', 'cy', [1, 3, 2], 2), // τ 1/3 with each
      rating('y', 'ann', [1, 2, 3], 3),
      rating('y', 'cy', [3, 2, 1], 4), // τ −1
      rating('z', 'cy', [1, 2, 3], 5), // alone
    ])!;
    assert.deepEqual([found.items, found.ratings], [2, 5]);
    near(found.tau, (1 + 1 / 3 + 1 / 3 - 1) / 4);
    assert.deepEqual(
      found.annotators.map(({ name, items }) => [name, items]),
      [
        ['cy', 2],
        ['ann', 2],
        ['bo', 1],
      ],
    );
    near(found.annotators[0].tau, (1 / 3 + 1 / 3 - 1) / 3);
    near(found.annotators[2].tau, (1 + 1 / 3) / 2);
    assert.deepEqual(
      found.hardest.map(({ row, annotators }) => [row, annotators]),
      [
        [3, ['ann', 'cy']],
        [0, ['ann', 'bo', 'cy']],
      ],
    );
    near(found.hardest[1].tau, 5 / 9);
    // α by hand: units x (1 1 1) (2 2 3) (3 3 2), y (1 3) (2 2) (3 1).
    near(found.alpha, krippendorffAlpha([[1, 1, 1], [2, 2, 3], [3, 3, 2], [1, 3], [2, 2], [3, 1]], ordinal)!); // biome-ignore format: short
  });

  it('does not depend on how an annotator numbers the ranks', () => {
    const one = agreement([rating('x', 'ann', [1, 1, 2]), rating('x', 'bo', [1, 2, 3])])!;
    const other = agreement([rating('x', 'ann', [4, 4, 9]), rating('x', 'bo', [0, 10, 20])])!;
    assert.deepEqual(one, other);
  });

  it('has no τ-b where an annotator sees ties alone; α counts them', () => {
    const found = agreement([rating('x', 'ann', [1, 1]), rating('x', 'bo', [1, 2])])!;
    assert.deepEqual([found.tau, found.hardest, found.annotators.map(({ tau }) => tau)], [undefined, [], [undefined, undefined]]);
    assert.ok(found.alpha !== undefined);
  });
});
