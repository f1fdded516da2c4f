import assert from 'node:assert/strict';
import { learningRate, type ScheduleConfig } from '../../training/schedule.js';

const config: ScheduleConfig = { learning_rate: 1, lr_scheduler_type: 'cosine', warmup_steps: 4, min_lr_ratio: 0.1, decay_fraction: 0.2 };

function check(options: Partial<ScheduleConfig>, total: number, expected: [number, number][]): void {
  for (const [step, value] of expected) {
    const got = learningRate({ ...config, ...options }, step, total);
    assert.ok(Math.abs(got - value) < 1e-12, `step ${step}: ${got}, expected ${value}`);
  }
}

describe('the learning rate', () => {
  it('warms up as nanoGPT: (step + 1) / (warmup + 1) of the peak, never 0', () => {
    for (const type of ['cosine', 'linear', 'wsd', 'constant'] as const) {
      check({ lr_scheduler_type: type }, 104, [
        [0, 0.2],
        [1, 0.4],
        [3, 0.8],
        [4, 1],
      ]);
    }
  });

  it('cosine falls from the peak to the minimum: half way at the middle, 3/4 of the way down at two thirds', () => {
    check({}, 100, [
      [4, 1],
      [52, 0.55], // cos(π/2) = 0
      [68, 0.325], // cos(2π/3) = -1/2
      [100, 0.1],
      [500, 0.1],
    ]);
  });

  it("equals nanoGPT's CPU configuration at steps worked out by hand", () => {
    // learning_rate 1e-3, min_lr 1e-4, warmup_iters 100, lr_decay_iters 2000
    check({ learning_rate: 1e-3, warmup_steps: 100 }, 2000, [
      [0, 1e-3 / 101],
      [99, 1e-1 / 101],
      [100, 1e-3],
      [1050, 5.5e-4],
      [2000, 1e-4],
    ]);
  });

  it('linear falls in a straight line', () => {
    check({ lr_scheduler_type: 'linear' }, 104, [
      [4, 1],
      [29, 0.775],
      [54, 0.55],
      [104, 0.1],
    ]);
    check({ lr_scheduler_type: 'linear', min_lr_ratio: 0, warmup_steps: 0 }, 10, [
      [0, 1],
      [9, 0.1],
      [10, 0],
    ]);
  });

  it('wsd stays at the peak, then falls in the last part', () => {
    check({ lr_scheduler_type: 'wsd' }, 100, [
      [4, 1],
      [79, 1],
      [80, 1],
      [90, 0.55],
      [100, 0.1],
    ]);
  });

  it('constant stays', () => {
    check({ lr_scheduler_type: 'constant', min_lr_ratio: undefined }, 10, [
      [4, 1],
      [9, 1],
      [99, 1],
    ]);
  });

  it('is finite when the warm-up is the whole run', () => {
    check({ warmup_steps: 10 }, 10, [
      [9, 10 / 11],
      [10, 0.1],
    ]);
  });
});
