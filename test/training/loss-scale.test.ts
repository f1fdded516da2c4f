import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs';
import { accumulateGradients, tapeRoot } from '../../ops/gradients.js';
import { linear } from '../../ops/linear.js';
import { setPrecision } from '../../ops/precision.js';
import { lossScaleMetrics, nextLossScale } from '../../training/loss-scale.js';
import { disposeState, type TrainState, variableOf } from '../../training/state.js';
import { updater } from '../../training/update.js';
import { onNative } from '../ops/conformance.js';

const OPTIONS = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0, maxGradNorm: 0 };

/** A model of one matrix, and what its loss is: the sum of x · Wᵀ times `size`. */
function matrix(size: number) {
  const state = {
    parameters: new Map([['w', tf.variable(tf.tensor2d([0.5, -0.25], [1, 2]))]]),
    moment1: new Map([['w', variableOf(undefined, [1, 2])]]),
    moment2: new Map([['w', variableOf(undefined, [1, 2])]]),
    step: 0,
  } as unknown as TrainState;
  const x = tf.tensor2d([1, 2], [1, 2]);
  // What is trained hangs on the root of the tape.
  const rooted = () => tf.add(x, tf.mul(tapeRoot()!, 0)) as tf.Tensor2D;
  const loss = () => tf.mul(tf.sum(linear(rooted(), state.parameters.get('w') as tf.Tensor as tf.Tensor2D)), size) as tf.Scalar;
  return { state, loss, x };
}

describe('the loss scale of fp16', () => {
  afterEach(() => setPrecision('fp32'));

  it('is halved by a step that overflows, and doubled after 2,000 that do not', () => {
    let scale = { scale: 1024, good: 7, skipped: 0 };
    scale = nextLossScale(scale, false);
    assert.deepEqual(scale, { scale: 512, good: 0, skipped: 1 });
    for (let i = 0; i < 1999; i++) scale = nextLossScale(scale, true);
    assert.deepEqual(scale, { scale: 512, good: 1999, skipped: 1 });
    assert.deepEqual(nextLossScale(scale, true), { scale: 1024, good: 0, skipped: 1 });
  });

  onNative('keeps gradients that fp16 would lose, and gives them back in their own size', async () => {
    setPrecision('fp16');
    const { state, loss, x } = matrix(1e-9);
    const update = updater(state, OPTIONS);
    const gradients = new Map([['w', variableOf(undefined, [1, 2])]]);
    accumulateGradients(state.parameters, gradients, loss).dispose();
    assert.deepEqual([...(await gradients.get('w')!.data())], [0, 0], 'without a scale they are lost');
    const value = accumulateGradients(state.parameters, update.gradients, loss, update.lossScale);
    assert.ok(Math.abs((await value.data())[0]) < 1e-12, 'the loss is given as it is');
    const norm = await update.update(0, 0.1);
    assert.ok(Math.abs(norm / (1e-9 * Math.sqrt(5)) - 1) < 1e-2, `${norm}`);
    assert.deepEqual(await lossScaleMetrics(state), { loss_scale: 65536, skipped_steps: 0 });
    tf.dispose([value, x, gradients.get('w')!]);
    update.dispose();
    disposeState(state);
  });

  onNative('leaves out steps that overflow until it is small enough, then makes the step that fp32 makes', async () => {
    const stepsTo = async (precision: 'fp32' | 'fp16') => {
      setPrecision(precision);
      const { state, loss, x } = matrix(8);
      const update = updater(state, OPTIONS);
      const norms: number[] = [];
      do {
        accumulateGradients(state.parameters, update.gradients, loss, update.lossScale).dispose();
        norms.push(await update.update(0, 0.1));
      } while (norms.at(-1) === Number.POSITIVE_INFINITY && norms.length < 20);
      const found = { norms, w: [...(await state.parameters.get('w')!.data())], metrics: await lossScaleMetrics(state) };
      x.dispose();
      update.dispose();
      disposeState(state);
      return found;
    };
    const [full, half] = [await stepsTo('fp32'), await stepsTo('fp16')];
    // 8 · 65536 and the next three are beyond 65504; 8 · 4096 is not.
    assert.deepEqual(half.norms.slice(0, -1), [
      Number.POSITIVE_INFINITY,
      Number.POSITIVE_INFINITY,
      Number.POSITIVE_INFINITY,
      Number.POSITIVE_INFINITY,
    ]);
    assert.deepEqual(half.metrics, { loss_scale: 4096, skipped_steps: 4 });
    assert.deepEqual([half.norms.at(-1), half.w], [full.norms[0], full.w]);
    assert.deepEqual(full.metrics, {});
  });
});
