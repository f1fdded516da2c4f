import assert from 'node:assert/strict';
import { ANNOTATORS, type Annotator, rankByGold, simulatedRanks, TIE } from '../../datasets/world/annotators.js';

describe('ranks by gold', () => {
  it('are 1 for the best, equal where less than the threshold lies between', () => {
    assert.deepEqual(rankByGold([0.2, 0.9, 0.88, 0.5]), [3, 1, 1, 2]);
    assert.deepEqual(rankByGold([1, 1 - TIE]), [1, 2]);
    assert.deepEqual(rankByGold([]), []);
  });

  it('join an answer to the first of a tie, not to its last: a chain of small steps is no tie from end to end', () => {
    assert.deepEqual(rankByGold([0.9, 0.87, 0.84]), [1, 1, 2]);
  });
});

describe('a simulated annotator', () => {
  /** Share of pairs of different gold rank that are in the right order, over many rows. */
  function right(scores: readonly number[], annotator: Annotator, rows: number): { all: number; neighbours: number; ends: number } {
    const gold = rankByGold(scores);
    const count = { all: [0, 0], neighbours: [0, 0], ends: [0, 0] };
    for (let row = 0; row < rows; row++) {
      const ranks = simulatedRanks(scores, annotator, { seed: 3, row });
      for (const [i, a] of gold.entries()) {
        for (const [j, b] of gold.entries()) {
          if (a >= b) continue;
          const kinds = ['all' as const, ...(b - a === 1 ? ['neighbours' as const] : []), ...(b - a === Math.max(...gold) - 1 ? ['ends' as const] : [])]; // biome-ignore format: short
          for (const kind of kinds) {
            count[kind][0] += Number(ranks[i] < ranks[j]);
            count[kind][1]++;
          }
        }
      }
    }
    const share = ([a, b]: number[]) => a / b;
    return { all: share(count.all), neighbours: share(count.neighbours), ends: share(count.ends) };
  }

  for (const annotator of [...ANNOTATORS, { name: 'random', reliability: 0.5 }, { name: 'perfect', reliability: 1 }]) {
    it(`gets the stated share of pairs right: ${annotator.name}, ${annotator.reliability}, two answers or more`, () => {
      for (const scores of [[0.3, 0.8], [0.1, 0.9, 0.6, 0.3], [0.2, 0.2, 0.9, 0.5, 0.7, 0.35]]) {
                assert.ok(Math.abs(right(scores, annotator, 1500).all - annotator.reliability) < 0.03, `${scores}`);
      }
    }); // biome-ignore format: short
  }

  it('confuses neighbours more often than the best and the worst', () => {
    const { neighbours, ends } = right([0.1, 0.9, 0.6, 0.3], { name: 'steady', reliability: 0.85 }, 2000);
    assert.ok(neighbours < 0.85 && ends > 0.9, `${neighbours} ${ends}`);
  });

  it('keeps ties, gives the same ranks for the same row, and others for another row, seed or name', () => {
    const scores = [0.1, 0.9, 0.6, 0.3, 0.9, 0.7, 0.5];
    const hurried = { name: 'hurried', reliability: 0.75 };
    const ranks = simulatedRanks(scores, hurried, { seed: 1, row: 5 });
    assert.equal(ranks[1], ranks[4]);
    assert.deepEqual([...new Set(ranks)].sort(), [1, 2, 3, 4, 5, 6]);
    assert.deepEqual(simulatedRanks(scores, hurried, { seed: 1, row: 5 }), ranks);
    const others = [
      simulatedRanks(scores, hurried, { seed: 1, row: 6 }),
      simulatedRanks(scores, hurried, { seed: 2, row: 5 }),
      simulatedRanks(scores, { ...hurried, name: 'other' }, { seed: 1, row: 5 }),
    ];
    for (const other of others) assert.notDeepEqual(other, ranks);
  });

  it('has nothing to confuse where all are equal', () => {
    assert.deepEqual(simulatedRanks([0.5, 0.5, 0.52], ANNOTATORS[2], { seed: 1, row: 1 }), [1, 1, 1]);
    assert.deepEqual(simulatedRanks([], ANNOTATORS[2], { seed: 1, row: 1 }), []);
  });
});
