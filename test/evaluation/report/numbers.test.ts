import assert from 'node:assert/strict';
import { bytes, decimal, duration, figure, percent, range, tick, within } from '../../../evaluation/report/numbers.js';

describe('numbers of a report', () => {
  it('have no zero before the point and a true minus, but none before zero', () => {
    assert.deepEqual(
      [0.433, 1.1, -0.108, -0.001, 0, undefined, Number.NaN].map((value) => decimal(value)),
      ['.43', '1.10', '−.11', '.00', '.00', '–', '–'],
    );
  });

  it('write an interval beside its mean, a unit once', () => {
    assert.equal(within({ mean: 0.43, ci95: [0.4, 0.46], n: 600 }), '.43 (.40 – .46)');
    assert.equal(within({ mean: 0.625, ci95: [0.58, 0.667], n: 600 }, percent), '62.5\u00a0% (58.0 – 66.7\u00a0%)');
    assert.equal(within({ mean: 0.5, n: 3 }), '.50');
    assert.equal(range(undefined), '');
  });

  it('choose the unit by size', () => {
    assert.deepEqual([3.14, 59.4, 200, 3725].map(duration), ['3.1\u00a0s', '59\u00a0s', '3\u00a0min 20\u00a0s', '1\u00a0h 2\u00a0min']);
    assert.deepEqual([412.4e6, 1.3e9].map(bytes), ['412\u00a0MB', '1.3\u00a0GB']);
  });

  it('keep as many places as matter', () => {
    assert.deepEqual([0, 0.000297, 0.0123, 1.234, 123.45, 12345].map(figure), ['0', '3.0e−4', '.012', '1.23', '123.5', '12,345']);
    assert.deepEqual([0, 0.25, 1, 2500, -0.5, 0.00025, 0.000001].map(tick), ['0', '.25', '1', '2,500', '−.5', '.00025', '1e−6']);
  });
});
