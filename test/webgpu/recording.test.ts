import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs';
import { lastWritten, overwrite, recorded } from '../../backends/recording.js';
import { webgpuCounts, webgpuEngine } from '../../backends/webgpu.js';
import { accumulate } from '../../ops/gradients.js';
import { linear } from '../../ops/linear.js';
import { onWebgpu } from '../ops/conformance.js';

const numbers = async (tensor: tf.Tensor) => Array.from(await tensor.data());

describe('recorded work on webgpu', () => {
  onWebgpu('sees what was overwritten since, without going through JavaScript, and leaves nothing behind', async () => {
    const x = tf.variable(tf.zeros([3]), false);
    const [tensors, bytes] = [tf.memory().numTensors, webgpuEngine().bufferManager.numBytesUsed];
    let runs = 0;
    const work = recorded(() => {
      runs++;
      return tf.tidy(() => [tf.square(tf.add(x, tf.tensor1d([1, 2, 3])))]);
    });
    for (const value of [1, 2, 3, 4]) {
      overwrite(x, Float32Array.of(value, 0, -value));
      assert.deepEqual(await numbers(work.run()[0]), [(value + 1) ** 2, 4, (3 - value) ** 2]);
    }
    assert.equal(runs, 1);
    assert.equal(work.notReplayed, undefined);
    webgpuCounts();
    work.run();
    assert.deepEqual(webgpuCounts(), { dispatches: 2, submits: 1, reads: 0, readBytes: 0, uploads: 0, uploadBytes: 0 });
    work.dispose();
    assert.equal(tf.memory().numTensors, tensors);
    assert.ok(webgpuEngine().bufferManager.numBytesUsed <= bytes + 12, 'the buffer of x, which is there since the first overwriting');
    x.dispose();
  });

  onWebgpu('keeps its memory from tensors that are made between two runs', async () => {
    const x = tf.variable(tf.ones([64]), false);
    const weight = tf.eye(64) as tf.Tensor2D;
    const work = recorded(() => tf.tidy(() => [linear(linear(x.reshape([1, 64]) as tf.Tensor2D, weight), weight)]));
    work.run();
    const others: tf.Tensor[] = [];
    for (let i = 0; i < 5; i++) {
      others.push(tf.square(tf.fill([1, 64], i)), tf.square(tf.fill([64], i)));
      assert.deepEqual(await numbers(work.run()[0]), new Array(64).fill(1));
    }
    for (const [i, other] of others.entries()) assert.deepEqual(await numbers(other), new Array(64).fill(Math.floor(i / 2) ** 2));
    tf.dispose([work.run(), x, weight, ...others]);
    work.dispose();
  });

  onWebgpu('adds to a tensor that it is the first to use, and leaves that its memory', async () => {
    const [x, total] = [tf.variable(tf.ones([64]), false), tf.variable(tf.zeros([64]), false)];
    const work = recorded(() => {
      // What is freed here, and sent to the GPU after some dispatches, must not become the memory of `total`, which is still on the host.
      for (let i = 0; i < 20; i++) tf.dispose(tf.neg(x));
      accumulate(total, x);
      return [tf.neg(x)];
    });
    for (let run = 1; run <= 3; run++) {
      work.run();
      assert.deepEqual(await numbers(total), new Array(64).fill(run));
    }
    work.dispose();
    tf.dispose([x, total]);
  });

  onWebgpu('adds in place each time, also to a tensor of values that the work begins with', async () => {
    const [x, total] = [tf.variable(tf.tensor1d([1, 2]), false), tf.variable(tf.zeros([2]), false)];
    const work = recorded(() =>
      tf.tidy(() => {
        const own = tf.tensor1d([100, 100]);
        accumulate(own, x);
        accumulate(total, own);
        return [tf.neg(own)];
      }),
    );
    for (let run = 1; run <= 3; run++) {
      assert.deepEqual(await numbers(work.run()[0]), [-101, -102]);
      assert.deepEqual(await numbers(total), [101 * run, 102 * run]);
    }
    work.dispose();
    tf.dispose([x, total]);
  });

  onWebgpu('is recorded anew when a tensor that it used lies elsewhere', async () => {
    const x = tf.variable(tf.tensor1d([1]), false);
    let runs = 0;
    const work = recorded(() => {
      runs++;
      return tf.tidy(() => [tf.neg(x)]);
    });
    for (const value of [1, 2, 3]) {
      const next = tf.tensor1d([value]);
      x.assign(next);
      next.dispose();
      assert.deepEqual(await numbers(work.run()[0]), [-value]);
    }
    assert.deepEqual(await numbers(work.run()[0]), [-3]);
    assert.equal(runs, 3);
    work.dispose();
    x.dispose();
  });

  onWebgpu('goes through JavaScript every time where an op needs values of the host', async () => {
    const x = tf.variable(tf.tensor1d([0]), false);
    const work = recorded(() => tf.tidy(() => [tf.add(x, lastWritten(x)[0])]));
    for (const value of [1, 2, 3]) {
      overwrite(x, Float32Array.of(value));
      assert.deepEqual(await numbers(work.run()[0]), [2 * value]);
    }
    assert.match(work.notReplayed!, /values of the host/);
    work.dispose();
    x.dispose();
  });
});
