import assert from 'node:assert/strict';
import { calibrationOf, pairsOf, pearson, rewardMetrics, type ScoredRow, temperatureOf } from '../../evaluation/reward-metrics.js';
import { RandomStream } from '../../util/random.js';

const near = (a: number, b: number, within = 1e-6) => assert.ok(Math.abs(a - b) < within, `${a}, not ${b}`);

/** Six pairs, worked out by hand: margins 2, 1, −1 | 0 | −2, 0. */
const ROWS: ScoredRow[] = [
  { scores: [2, 0, 1], ranks: [0, 1, 2], lengths: [10, 10, 5], source: 'a' },
  { scores: [0.5, 0.5], ranks: [1, 0], lengths: [4, 10], source: 'b' },
  { scores: [1, 3, 3], ranks: [0, 0, 1], lengths: [20, 2, 20], source: 'b' },
];

/** Margins of which a model that is too sure by the factor `temperature` is right as often as it says. */
function drawnMargins(count: number, temperature: number): number[] {
  const random = new RandomStream(5, 0);
  return Array.from({ length: count }, () => {
    const size = Math.abs(4 * random.normal());
    return random.uniform() < 1 / (1 + Math.exp(-size / temperature)) ? size : -size;
  });
}

describe('the figures of a reward model', () => {
  const found = rewardMetrics(ROWS);

  it('count every pair of different ranks once, the better one first', () => {
    assert.deepEqual(
      pairsOf(ROWS).map(({ margin, longer, longest, rankDistance, row }) => [margin, longer, longest, rankDistance, row]),
      [
        [2, 0, 10, 1, 0],
        [1, 5, 10, 2, 0],
        [-1, 5, 10, 1, 0],
        [0, 6, 10, 1, 1],
        [-2, 0, 20, 1, 2],
        [0, -18, 20, 1, 2],
      ],
    );
  });

  it('have equal scores for half right, and an interval after Wilson', () => {
    assert.deepEqual([found.prompts, found.pairs, found.accuracy, found.margin], [3, 6, 0.5, 0]);
    near(found.interval[0], 0.187617, 1e-5); // ½ ± 1.195 · √(1/24 + 0.02668)
    near(found.interval[1], 0.812383, 1e-5);
  });

  it('weigh each prompt the same in the loss, whatever its pairs', () => {
    const [one, two, half] = [Math.log(1 + Math.exp(-1)), Math.log(1 + Math.exp(-2)), Math.log(2)]; // of the margins 1, 2, 0; of −x it is x more
    near(found.loss, ((two + one + (one + 1)) / 3 + half + (two + 2 + half) / 2) / 3);
  });

  it('have Kendall’s τ-b as a mean over the prompts, but for those whose scores are all the same', () => {
    near(found.tau!, (1 / 3 - 1 / 2) / 2);
  });

  it('are there by source, by length and by distance of the ranks', () => {
    const shares = (parts: typeof found.sources) =>
      Object.entries(parts).map(([name, { pairs, accuracy }]) => [name, pairs, accuracy] as const);
    assert.deepEqual(shares(found.sources), [
      ['a', 3, 2 / 3],
      ['b', 3, 1 / 3],
    ]);
    assert.deepEqual(shares(found.byLength), [
      ['much shorter', 1, 0.5],
      ['similar', 2, 0.5],
      ['longer', 2, 0.5],
      ['much longer', 1, 0.5],
    ]);
    assert.deepEqual(shares(found.byRankDistance), [
      ['1', 5, 2 / 5],
      ['2', 1, 1],
    ]);
    assert.deepEqual([found.similarLength.pairs, found.similarLength.accuracy], [2, 0.5]);
  });

  it('say how far score and length go together, and what length alone would tell', () => {
    near(found.lengthCorrelation.all, 53 / Math.sqrt(75 * 2599));
    near(found.lengthCorrelation.within, -12 / Math.sqrt((14 / 3) * (752 / 3)));
    near(found.longerIsBetter, 4 / 6);
    assert.ok(Number.isNaN(pearson([1, 1, 1], [1, 2, 3])));
  });

  it('show the margins in sixteen bins from the least to the highest', () => {
    const { histogram } = found;
    assert.deepEqual(histogram.map(({ pairs }) => pairs), [1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 1]); // biome-ignore format: a list
    assert.deepEqual([histogram[0].from, histogram[15].to], [-2, 2]);
  });

  it('take what a pair head says of two answers, not the difference of their mean scores', () => {
    const row = { ...ROWS[0], difference: (i: number, j: number) => (i < j ? 7 : -7) };
    assert.deepEqual(pairsOf([row]).map(({ margin }) => margin), [7, 7, 7]); // biome-ignore format: short
  });
});

describe('calibration', () => {
  // Fifteen bins of five pairs: five bins of which a model says .6 and is right three times in five, ten of .8 and four in five.
  const [unsure, sure] = [Math.log(1.5), Math.log(4)];
  const bins = [
    ...Array.from({ length: 5 }, () => [unsure, unsure, unsure, -unsure, -unsure]),
    ...Array.from({ length: 10 }, () => [sure, sure, sure, sure, -sure]),
  ];

  it('has no error where a model is right as often as it says', () => {
    const { ece, bins: found } = calibrationOf(bins.flat());
    near(ece, 0, 1e-12);
    assert.deepEqual(found.map(({ pairs }) => pairs), Array(15).fill(5)); // biome-ignore format: short
    near(found[0].confidence, 0.6);
    near(found[14].accuracy, 0.8);
  });

  it('has the error that a model of double margins makes, and the temperature that undoes it', () => {
    const doubled = bins.flat().map((margin) => 2 * margin);
    near(calibrationOf(doubled).ece, (2.25 / 3.25 - 0.6) / 3 + ((16 / 17 - 0.8) * 2) / 3);
    near(temperatureOf(doubled), 2);
    near(temperatureOf(bins.flat()), 1);
  });

  it('finds the temperature that margins were drawn with', () => {
    near(temperatureOf(drawnMargins(20_000, 2.5)), 2.5, 0.1);
  });

  it('fits the temperature of a prompt on other prompts', () => {
    const rows = drawnMargins(4_000, 3).map((margin) => ({ scores: [margin, 0], ranks: [0, 1], lengths: [1, 1], source: 'a' }));
    const { calibration, calibrated } = rewardMetrics(rows);
    assert.ok(calibration.ece > 0.1, `${calibration.ece}`);
    assert.ok(calibrated.ece < 0.03, `${calibrated.ece}`);
    // Prompts of even numbers too sure, the others not sure enough: each half's temperature makes the other worse.
    const split = bins.flat().map((margin, i) => ({ ...rows[0], scores: [i % 2 ? margin / 4 : 4 * margin, 0] }));
    const swapped = rewardMetrics(split);
    assert.ok(swapped.calibrated.ece > swapped.calibration.ece, `${swapped.calibrated.ece} ${swapped.calibration.ece}`);
  });

  it('keeps temperatures between 1/100 and 100 where all margins are right, or all wrong', () => {
    near(temperatureOf([1, 2]), 0.01, 1e-4);
    near(temperatureOf([-1, -2]), 100, 1);
    assert.equal(temperatureOf([]), 1);
  });
});
