import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import {
  adaptedBeta,
  explainedVariance,
  generalisedAdvantages,
  klEstimates,
  policyLoss,
  shapedScore,
  tokenRewards,
  valueLoss,
  whitened,
} from '../../training/ppo.js';
import { onEveryDevice } from '../ops/conformance.js';

/** A rollout and what TRL 1.8 computes of it; made by test/oracles/ppo_batch.py. */
interface Oracle {
  gamma: number;
  lam: number;
  klCoef: number;
  cliprange: number;
  clipValue: number;
  whitenRewards: boolean;
  lengths: number[];
  logProbs: number[][];
  refLogProbs: number[][];
  values: number[][];
  scores: number[];
  newLogProbs: number[][];
  newValues: number[][];
  entropy: number[][];
  rewards: number[][];
  advantages: number[][];
  returns: number[][];
  policyLoss: number;
  valueLoss: number;
  clipFraction: number;
  valueClipFraction: number;
  approxKl: number;
  ratio: number;
  entropyMean: number;
  kl: number;
  objectiveEntropy: number;
  nonScoreReward: number;
  rlhfReward: number;
}

const ORACLES = JSON.parse(readFileSync(path.join(import.meta.dirname, 'fixtures', 'ppo.json'), 'utf8')) as Record<string, Oracle>;

const close = (actual: number, expected: number, what = '') =>
  assert.ok(Math.abs(actual - expected) <= 1e-5 * Math.max(1, Math.abs(expected)), `${what} ${actual}, not ${expected}`);
const closeRows = (actual: readonly ArrayLike<number>[], expected: readonly ArrayLike<number>[]) => {
  assert.deepEqual(actual.map(({ length }) => length), expected.map(({ length }) => length)); // biome-ignore format: short
  actual.forEach((row, i) => {
    for (let t = 0; t < row.length; t++) close(row[t], expected[i][t], `row ${i}, token ${t}:`);
  });
};
const numbers = async (tensors: object): Promise<Record<string, number>> => {
  const read = async ([name, tensor]: [string, tf.Tensor]) => [name, (await tensor.data())[0]] as const;
  return Object.fromEntries(await Promise.all(Object.entries(tensors as Record<string, tf.Tensor>).map(read)));
};
const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;

/** Real tokens only. */
const real = ({ lengths }: Oracle, rows: readonly number[][]) => rows.map((row, i) => row.slice(0, lengths[i]));

function rolloutOf(oracle: Oracle) {
  const [logProbs, refLogProbs, values] = [oracle.logProbs, oracle.refLogProbs, oracle.values].map((rows) => real(oracle, rows));
  const plain = logProbs.map((own, i) => tokenRewards(oracle.scores[i], own, refLogProbs[i], oracle.klCoef));
  const rewards = oracle.whitenRewards ? whitened(plain, { shiftMean: false, unbiased: true }) : plain;
  const estimated = rewards.map((own, i) => generalisedAdvantages(own, values[i], { gamma: oracle.gamma, lambda: oracle.lam }));
  const advantages = whitened(estimated.map((one) => one.advantages), { unbiased: true }); // biome-ignore format: short
  return { logProbs, refLogProbs, values, rewards, advantages, returns: estimated.map(({ returns }) => returns) };
}

/** The losses of all tokens in one minibatch; `weights` 1/tokens on real tokens, 0 on what stands after the end. */
function losses(oracle: Oracle, advantages: readonly ArrayLike<number>[], returns: readonly ArrayLike<number>[]) {
  const [B, T] = [oracle.logProbs.length, oracle.logProbs[0].length];
  const tokens = oracle.lengths.reduce((a, b) => a + b, 0);
  const flat = (rows: readonly ArrayLike<number>[], empty: number) =>
    tf.tensor1d(Array.from({ length: B * T }, (_, n) => rows[Math.floor(n / T)][n % T] ?? empty));
  const weights = flat(oracle.lengths.map((length) => new Array(length).fill(1 / tokens)), 0); // biome-ignore format: short
  const policy = policyLoss(flat(oracle.newLogProbs, 0), flat(oracle.logProbs, 0), flat(advantages, 1e6), weights, {
    clip: oracle.cliprange,
  });
  const value = valueLoss(flat(oracle.newValues, 0), flat(oracle.values, 0), flat(returns, 1e6), weights, { clip: oracle.clipValue });
  return { policy, value };
}

describe('rewards of tokens', () => {
  it('are −β·(log π − log π_ref), with the score at the last token', () => {
    closeRows([tokenRewards(2, [-1, -2, -3], [-1.5, -2, -2], 0.1)], [[-0.05, 0, 2.1]]);
  });

  it('give the one token of a response its score', () => {
    closeRows([tokenRewards(-1, [-1], [-1], 0.5)], [[-1]]);
  });

  it('clip a score, and put a low one in the place of that of a response that was cut', () => {
    const shape = { clip: 3, missingEosPenalty: 1 };
    assert.equal(shapedScore(7, true, shape), 3);
    assert.equal(shapedScore(-7, true, shape), -3);
    assert.equal(shapedScore(7, false, shape), -1);
    assert.equal(shapedScore(7, false, { clip: 0, missingEosPenalty: 0 }), 7);
  });
});

describe('generalised advantage estimation', () => {
  it('equals the worked example: rewards 0 0 1, values .5 .5 .5, γ 1, λ .95', () => {
    const { advantages, returns } = generalisedAdvantages([0, 0, 1], [0.5, 0.5, 0.5], { gamma: 1, lambda: 0.95 });
    closeRows([advantages], [[0.45125, 0.475, 0.5]]);
    closeRows([returns], [[0.95125, 0.975, 1]]);
  });

  it('is the discounted return less the value where λ is 1, and the one-step error where it is 0', () => {
    const [rewards, values] = [[1, 2, 4], [3, 5, 7]]; // biome-ignore format: short
    closeRows([generalisedAdvantages(rewards, values, { gamma: 0.5, lambda: 1 }).returns], [[3, 4, 4]]);
    closeRows([generalisedAdvantages(rewards, values, { gamma: 0.5, lambda: 0 }).advantages], [[0.5, 0.5, -3]]);
  });
});

describe('whitening', () => {
  it('is over all numbers of the rollout at once, with the biased variance', () => {
    const rows = [Float64Array.of(1, 3), Float64Array.of(5)]; // mean 3, variance 8/3
    const unit = 2 / Math.sqrt(8 / 3);
    closeRows(whitened(rows), [[-unit, 0], [unit]]);
    closeRows(whitened(rows, { unbiased: true }), [[-1, 0], [1]]);
    closeRows(whitened(rows, { shiftMean: false }), [[3 - unit, 3], [3 + unit]]);
  });

  it('makes nothing of numbers that are all the same', () => {
    closeRows(whitened([Float64Array.of(2, 2)]), [[0, 0]]);
  });
});

describe('estimates of KL', () => {
  it('are k1, k2 and k3 summed over the response', () => {
    const { k1, k2, k3 } = klEstimates([-1, -2], [-2, -1.5]); // differences 1, −.5
    close(k1, 0.5);
    close(k2, 0.625);
    close(k3, Math.exp(-1) - 1 + 1 + (Math.exp(0.5) - 1 - 0.5));
  });

  it('move β towards the target, by no more than a fifth of episodes / horizon', () => {
    const settings = { target: 6, horizon: 1000, episodes: 100 };
    close(adaptedBeta(0.1, 6.6, settings), 0.1 * 1.01);
    close(adaptedBeta(0.1, 60, settings), 0.1 * 1.02);
    close(adaptedBeta(0.1, -1, settings), 0.1 * 0.98);
  });

  it('and the explained variance is 1 for a perfect critic, 0 for a constant, below 0 for a wrong one', () => {
    const returns = [Float64Array.of(1, 2), Float64Array.of(3)];
    close(explainedVariance(returns, [[1, 2], [3]]), 1);
    close(explainedVariance(returns, [[9, 9], [9]]), 0);
    close(explainedVariance(returns, [[3, 2], [1]]), -3);
  });
});

describe('losses of PPO', () => {
  onEveryDevice('clip the ratio: worked by hand, with nothing from padding', async () => {
    const [logs, weights] = [[1.5, 0.5, 1.5, 0.5, 1.1].map(Math.log), [0.2, 0.2, 0.2, 0.2, 0.2]];
    const run = (dualClip: number) => {
      const one = (values: number[], padding: number) => tf.tensor1d([...values, padding]);
      return policyLoss(one(logs, 500), one([0, 0, 0, 0, 0], -500), one([1, 1, -1, -1, 2], 7), one(weights, 0), { clip: 0.2, dualClip });
    };
    const found = await numbers(run(0));
    // −min(1.5, 1.2), −.5, 1.5, max(.5, .8), −2.2
    close(found['loss'], (-1.2 - 0.5 + 1.5 + 0.8 - 2.2) / 5);
    close(found['clipFraction'], 2 / 5);
    close(found['ratio'], 5.1 / 5);
    close(found['largestRatio'], 1.5);
    close(found['approxKl'], logs.reduce((sum, log) => sum + log ** 2 / 2, 0) / 5);
    close((await numbers(run(1.25)))['loss'], (-1.2 - 0.5 + 1.25 + 0.8 - 2.2) / 5);
  });

  onEveryDevice('have gradients: none where the clip binds', async () => {
    const [logs, zeros, advantages] = [[1.5, 0.5, 1.1].map(Math.log), [0, 0, 0], [1, -1, 2]];
    const gradient = tf.grad(
      (x) => policyLoss(x as tf.Tensor1D, tf.tensor1d(zeros), tf.tensor1d(advantages), tf.tensor1d([0.25, 0.5, 0.25]), { clip: 0.2 }).loss,
    )(tf.tensor1d(logs));
    closeRows([await gradient.data()], [[0, 0, -0.25 * 2 * 1.1]]);
  });

  onEveryDevice('keep the critic near what it was', async () => {
    const one = (...values: number[]) => tf.tensor1d(values);
    const found = await numbers(valueLoss(one(1, 1, 9), one(0, 0.9, 0), one(1, 2, 0), one(0.5, 0.5, 0), { clip: 0.2 }));
    close(found['loss'], 0.5 * (0.5 * 0.8 ** 2 + 0.5 * 1)); // the first may come to .2 only, and 1 is its return
    close(found['clipFraction'], 0.5);
  });
});

describe("TRL's PPO, on responses that end at the maximum length", () => {
  for (const name of ['unpadded', 'whitened']) {
    onEveryDevice(`equals ours in rewards, advantages, returns, losses and metrics (${name})`, async () => {
      const oracle = ORACLES[name];
      const { rewards, advantages, returns, logProbs, refLogProbs } = rolloutOf(oracle);
      closeRows(rewards, oracle.rewards);
      closeRows(advantages, oracle.advantages);
      closeRows(returns, oracle.returns);
      const { policy, value } = losses(oracle, advantages, returns);
      const found = { policy: await numbers(policy), value: await numbers(value) };
      close(found.policy['loss'], oracle.policyLoss, 'policy loss');
      close(found.policy['clipFraction'], oracle.clipFraction, 'clip fraction');
      close(found.policy['approxKl'], oracle.approxKl, 'approximate KL');
      close(found.policy['ratio'], oracle.ratio, 'ratio');
      close(found.value['loss'], oracle.valueLoss, 'value loss');
      close(found.value['clipFraction'], oracle.valueClipFraction, 'value clip fraction');
      const kl = mean(logProbs.map((own, i) => klEstimates(own, refLogProbs[i]).k1));
      close(kl, oracle.kl, 'KL');
      close(-oracle.klCoef * kl, oracle.nonScoreReward, 'KL penalty');
      close(-oracle.klCoef * kl + mean(oracle.scores), oracle.rlhfReward, 'reward');
    });
  }
});

describe("TRL's PPO, on padded responses, where the papers win", () => {
  const oracle = ORACLES['padded'];
  const short = oracle.lengths.map((length, i) => ({ length, i })).filter(({ length }) => length < oracle.logProbs[0].length);

  it('puts the score at the first pad; ours stands at the last real token', () => {
    const { rewards } = rolloutOf(oracle);
    for (const { length, i } of short) {
      close(oracle.rewards[i][length], oracle.scores[i]);
      close(rewards[i][length - 1], oracle.rewards[i][length - 1] + oracle.scores[i]);
      assert.equal(rewards[i].length, length);
    }
  });

  it('takes a value after the end into the returns; with ours it is 0', () => {
    const { returns } = rolloutOf(oracle);
    for (const { length, i } of short) {
      const settings = { gamma: oracle.gamma, lambda: oracle.lam };
      const longer = [...real(oracle, oracle.rewards)[i], oracle.scores[i]]; // as if the pad were a token of the response
      const theirs = generalisedAdvantages(longer, oracle.values[i].slice(0, length + 1), settings).returns;
      closeRows([theirs], [oracle.returns[i].slice(0, length + 1)]);
      assert.ok(Math.abs(returns[i][length - 1] - oracle.returns[i][length - 1]) > 0.01);
      close(
        returns[i][length - 1],
        -oracle.klCoef * (oracle.logProbs[i][length - 1] - oracle.refLogProbs[i][length - 1]) + oracle.scores[i],
      );
    }
  });

  it('averages the value loss over one token more than each response has; ours over its tokens', async () => {
    const lengths = oracle.lengths.map((length) => Math.min(length + 1, oracle.logProbs[0].length));
    const theirs = await numbers(losses({ ...oracle, lengths }, oracle.advantages, oracle.returns).value);
    const ours = await numbers(losses(oracle, oracle.advantages, oracle.returns).value);
    close(theirs['loss'], oracle.valueLoss);
    assert.ok(Math.abs(ours['loss'] - oracle.valueLoss) > 1e-3);
  });

  it('averages ratio and approximate KL over pads, too; ours over real tokens', async () => {
    const ours = await numbers(losses(oracle, oracle.advantages, oracle.returns).policy);
    const all = oracle.logProbs.length * oracle.logProbs[0].length;
    const share = oracle.lengths.reduce((a, b) => a + b, 0) / all;
    close(ours['ratio'] * share + (1 - share), oracle.ratio);
    close(ours['approxKl'] * share, oracle.approxKl);
    close(ours['loss'], oracle.policyLoss); // which both average over real tokens
  });

  it('averages the entropy over pads, too; ours over real tokens', () => {
    close(mean(oracle.entropy.flat()), oracle.entropyMean);
    assert.ok(Math.abs(mean(real(oracle, oracle.entropy).flat()) - oracle.entropyMean) > 1e-3);
    // and counts −1 for each pad in the entropy of a response, the log-probability that it writes there
    const pads = short.reduce((sum, { length }) => sum + oracle.logProbs[0].length - length, 0);
    const sampled = -real(oracle, oracle.logProbs).flat().reduce((a, b) => a + b, 0); // biome-ignore format: short
    close((sampled - pads) / oracle.lengths.length, oracle.objectiveEntropy);
  });

  it('subtracts a penalty from the score of a response without an end; ours replaces the score, as Ziegler et al. do', () => {
    assert.equal(shapedScore(5, false, { clip: 0, missingEosPenalty: 1 }), -1);
  });
});
