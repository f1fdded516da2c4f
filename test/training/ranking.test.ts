import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs';
import { bradleyTerry, centering, comparisonsOf, plackettLuce } from '../../training/ranking.js';
import { onEveryDevice } from '../ops/conformance.js';

const numberOf = async (scalar: tf.Scalar) => {
  const [value] = await scalar.data();
  scalar.dispose();
  return value;
};
const close = (actual: number, expected: number) =>
  assert.ok(Math.abs(actual - expected) < 1e-6 * Math.max(1, Math.abs(expected)), `${actual}, not ${expected}`);

describe('comparisons of ranked answers', () => {
  it('are all pairs, the better one first, ties without a margin', () => {
    assert.deepEqual(comparisonsOf([1, 0, 1], { margins: [0.25, 1, 0], ties: 'half' }), [
      { better: 1, worse: 0, tie: false, margin: 0.75 },
      { better: 0, worse: 2, tie: true, margin: 0 },
      { better: 1, worse: 2, tie: false, margin: 1 },
    ]);
  });

  it('leave ties out where they are told to', () => {
    assert.deepEqual(
      comparisonsOf([2, 2, 0], { ties: 'ignore' }).map(({ better, worse }) => [better, worse]),
      [
        [2, 0],
        [2, 1],
      ],
    );
    assert.deepEqual(comparisonsOf([1, 1], { ties: 'ignore' }), []);
  });
});

describe('losses of rankings', () => {
  onEveryDevice('Bradley-Terry: −log σ(d), with margins, a tie as ½, smoothing, and nothing where the weight is 0', async () => {
    const loss = (d: number[], t: number[], w: number[], m: number[]) =>
      numberOf(tf.tidy(() => bradleyTerry(tf.tensor1d(d), tf.tensor1d(t), tf.tensor1d(w), tf.tensor1d(m))));
    close(await loss([0], [1], [1], [0]), Math.LN2);
    close(await loss([2], [1], [1], [0]), 0.1269280110429726); // log(1 + e⁻²)
    close(await loss([2], [1], [1], [3]), 1.3132616875182228); // log(1 + e)
    close(await loss([2], [0.5], [1], [0]), 0.5 * 0.1269280110429726 + 0.5 * 2.1269280110429727);
    close(await loss([2], [0.9], [1], [0]), 0.9 * 0.1269280110429726 + 0.1 * 2.1269280110429727);
    close(await loss([2, 5, -1], [1, 1, 1], [0.5, 0, 0.25], [0, 0, 0]), 0.5 * 0.1269280110429726 + 0.25 * 1.3132616875182228);
    close(await loss([-200, 200], [1, 1], [1, 1], [0, 0]), 200);
  });

  onEveryDevice('Plackett-Luce: of three answers the best of all, then the better of two', async () => {
    const [a, b, c] = [1, 0, -1];
    const expected = Math.log(Math.exp(a) + Math.exp(b) + Math.exp(c)) - a + Math.log(Math.exp(b) + Math.exp(c)) - b;
    const loss = await numberOf(
      tf.tidy(() =>
        plackettLuce(
          tf.tensor1d([b, a, 50, c]), // the third is of another ranking
          tf.tensor2d([[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]), // biome-ignore format: rows
          tf.tensor2d([[1, 1, 0, 1], [1, 0, 0, 1], [0, 0, 0, 0]]), // biome-ignore format: rows
          tf.tensor1d([1, 1, 0]),
        ),
      ),
    );
    close(loss, expected);
  });

  onEveryDevice('Plackett-Luce of two answers is Bradley-Terry', async () => {
    const [pl, bt] = tf.tidy(() => [
      plackettLuce(tf.tensor1d([0.3, 1.1]), tf.tensor2d([[0, 1]]), tf.tensor2d([[1, 1]]), tf.tensor1d([1])),
      bradleyTerry(tf.tensor1d([0.8]), tf.tensor1d([1]), tf.tensor1d([1]), tf.tensor1d([0])),
    ]);
    close(await numberOf(pl), await numberOf(bt));
  });

  onEveryDevice('centring: the weighted square of the sum of two scores', async () => {
    close(await numberOf(tf.tidy(() => centering(tf.tensor1d([3, -2, 9]), tf.tensor1d([0.5, 0.25, 0])))), 5.5);
  });
});
