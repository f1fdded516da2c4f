import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs';
import { gelu } from '../../ops/gelu.js';
import { addLayerNorm, layerNorm } from '../../ops/layer-norm.js';
import { linear } from '../../ops/linear.js';
import { addRmsNorm, rmsNorm } from '../../ops/rms-norm.js';
import { rope } from '../../ops/rope.js';
import { swiglu } from '../../ops/swiglu.js';
import { onDevices, randomTensor } from './conformance.js';

/** How many tensors' data there are more after the forward pass, the result not counted; and after the backward pass, the two gradients not counted. */
function kept(
  x: tf.Tensor,
  weight: tf.Tensor,
  forward: (x: tf.Tensor, weight: tf.Tensor) => tf.Tensor,
): [forward: number, backward: number] {
  const count = () => (tf.backend() as tf.DataMover & tf.KernelBackend).numDataIds();
  const before = count();
  let between = 0;
  const { value, grads } = tf.valueAndGrads((x: tf.Tensor, weight: tf.Tensor) => {
    const result = tf.tidy(() => forward(x, weight));
    between = count() - before - 1;
    return tf.sum(result) as tf.Scalar;
  })([x, weight]);
  assert.deepEqual(
    grads.map(({ shape }) => shape),
    [x.shape, weight.shape],
  );
  tf.dispose([value, ...grads]);
  return [between, count() - before];
}

const [C, F] = [8, 12];
const devices = ['tensorflow', 'wasm', 'cpu'] as const;

describe('what the backward pass keeps on devices without kernels of our own', () => {
  onDevices(devices, 'is of a gated MLP with its norm: the scale of each row, gate and up', () => {
    const [up, down] = [randomTensor([2 * F, C], 1), randomTensor([C, F], 2)] as tf.Tensor2D[];
    const mlp = (x: tf.Tensor, weight: tf.Tensor) => linear(swiglu(linear(rmsNorm(x, weight as tf.Tensor1D, 1e-5), up)), down);
    assert.deepEqual(kept(randomTensor([3, 5, C], 3), randomTensor([C], 4), mlp), [2, 0]);
  });

  onDevices(devices, 'is of an MLP with GELU and its norm: mean and scale of each row, what GELU is taken of', () => {
    const [up, bias, down] = [randomTensor([F, C], 1), randomTensor([F], 5), randomTensor([C, F], 2)];
    const mlp = (x: tf.Tensor, weight: tf.Tensor) => {
      const normal = layerNorm(x, weight as tf.Tensor1D, undefined, 1e-5);
      return linear(linear(normal, up as tf.Tensor2D, bias as tf.Tensor1D, 'gelu'), down as tf.Tensor2D);
    };
    assert.deepEqual(kept(randomTensor([3, 5, C], 3), randomTensor([C], 4), mlp), [3, 0]);
  });

  onDevices(devices, 'is of a residual sum with its norm the sum alone, beside the numbers of each row', () => {
    const delta = randomTensor([3, 5, C], 6);
    const last = (weight: tf.Tensor) => [weight as tf.Tensor1D, 1e-5] as const;
    const rms = (x: tf.Tensor, weight: tf.Tensor) => addRmsNorm(x, delta, ...last(weight))[1];
    assert.deepEqual(kept(randomTensor([3, 5, C], 3), randomTensor([C], 4), rms), [2, 0]);
    const layer = (x: tf.Tensor, weight: tf.Tensor) => addLayerNorm(x, delta, weight as tf.Tensor1D, undefined, 1e-5)[1];
    assert.deepEqual(kept(randomTensor([3, 5, C], 3), randomTensor([C], 4), layer), [3, 0]);
  });

  onDevices(devices, 'is of rotary positions after a projection nothing', () => {
    const positions = tf.tensor2d([0, 1, 2, 3, 4, 5], [2, 3], 'int32');
    const options = { heads: 2, kvHeads: 1, headSize: 2, theta: 10000 };
    const turned = (x: tf.Tensor, weight: tf.Tensor) => rope(linear(x, weight as tf.Tensor2D) as tf.Tensor3D, positions, options);
    assert.deepEqual(kept(randomTensor([2, 3, C], 3), randomTensor([8, C], 4), turned), [0, 0]);
  });

  onDevices(devices, 'of an activation alone is its input', () => {
    const scaled = (x: tf.Tensor, weight: tf.Tensor) => gelu(linear(x, weight as tf.Tensor2D), 'gelu_new');
    assert.deepEqual(kept(randomTensor([4, C], 3), randomTensor([F, C], 4), scaled), [1, 0]);
  });
});
