import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs';
import { loadAddon, type NativeAddon } from '../../backends/native/addon.js';
import type { NativeEngine } from '../../backends/native/backend.js';
import { onNative, randomTensor } from './conformance.js';

const addon = (): NativeAddon => loadAddon().addon!;

describe('memory of the native engine', () => {
  onNative('stays flat over 1,000 steps with gradients: tensors, buffers and resident bytes', () => {
    const [x, w, b] = [randomTensor([32, 40], 1), randomTensor([40, 24], 2), randomTensor([24], 3)];
    const step = () =>
      tf.tidy(() => {
        const loss = (weights: tf.Tensor, bias: tf.Tensor) =>
          tf
            .logSoftmax(tf.tanh(x.matMul(weights).add(bias)))
            .slice([0, 0], [-1, 3])
            .transpose()
            .mean()
            .neg() as tf.Scalar;
        const { value, grads } = tf.valueAndGrads(loss)([w, b]);
        assert.equal(grads.length, 2);
        value.dispose();
      });
    for (let i = 0; i < 200; i++) step();
    const [tensors, { buffers, usedBytes, reservedBytes }, resident] = [
      tf.memory().numTensors,
      addon().memory(),
      process.memoryUsage().rss,
    ];
    for (let i = 0; i < 1000; i++) step();
    assert.equal(tf.memory().numTensors, tensors);
    assert.equal(addon().memory().buffers, buffers);
    assert.equal(addon().memory().usedBytes, usedBytes);
    assert.equal(addon().memory().reservedBytes, reservedBytes);
    const grown = process.memoryUsage().rss - resident;
    assert.ok(grown < 48 * 2 ** 20, `resident memory grew by ${grown} bytes`); // the collector's own breath; 1,000 steps make 400 MB
  });

  onNative('is freed when the last of the tensors that share it is disposed of', () => {
    const before = addon().memory().buffers;
    const x = randomTensor([4, 6], 1);
    const [shared, cloned] = [x.reshape([24]), x.clone()];
    assert.equal(addon().memory().buffers, before + 1);
    x.dispose();
    cloned.dispose();
    assert.equal(addon().memory().buffers, before + 1);
    shared.dispose();
    shared.dispose();
    assert.equal(addon().memory().buffers, before);
  });

  onNative('is used again for other shapes', () => {
    const peak = () => addon().memory().reservedBytes;
    tf.zeros([300, 1000]).dispose();
    const before = peak();
    for (let n = 1; n < 300; n++) tf.zeros([n, 1000]).dispose();
    assert.equal(peak(), before);
  });

  onNative('keeps tensors of no elements', async () => {
    const x = tf.zeros([0, 3]);
    assert.deepEqual(Array.from(await x.add(1).data()), []);
  });

  onNative('moves a tensor over from another backend, and booleans as they are', async () => {
    await tf.setBackend('cpu');
    const [x, mask] = [tf.tensor([1.5, -2]), tf.tensor([true, false])];
    await tf.setBackend('native');
    assert.deepEqual(Array.from(await x.add(1).data()), [2.5, -1]);
    assert.deepEqual(await tf.logicalNot(mask).data(), Uint8Array.of(0, 1));
  });

  onNative('gives out copies: reading twice, or after a change of the buffer, is safe', async () => {
    const x = tf.variable(tf.tensor([1, 2, 3]));
    const first = await x.data();
    x.assign(tf.tensor([4, 5, 6]));
    assert.deepEqual(Array.from(first), [1, 2, 3]);
    assert.deepEqual(Array.from(await x.data()), [4, 5, 6]);
    x.dispose();
  });
});

describe('calls of the native addon that are wrong', () => {
  const three = (run: (handle: number, other: number, stale: number) => void) => {
    const handles = [addon().allocate(64), addon().allocate(16)];
    const stale = addon().allocate(64);
    addon().release(stale);
    try {
      run(handles[0], handles[1], stale);
    } finally {
      for (const handle of handles) addon().release(handle);
    }
  };
  const TABLE: [string, (kernels: NativeAddon['kernels'], a: number, small: number, stale: number) => void, RegExp][] = [
    ['too few arguments', (k, a) => k.neg(a, a), /native neg: takes 3 arguments; received 2/],
    ['too many arguments', (k, a) => k.neg(a, a, 1, 1), /native neg: takes 3 arguments; received 4/],
    ['a string', (k, a) => k.neg(a, a, '16' as unknown as number), /native neg: N must be a number/],
    ['a boolean', (k, a) => k.neg(a, a, true as unknown as number), /native neg: N must be a number/],
    ['undefined', (k, a) => k.neg(undefined as unknown as number, a, 1), /native neg: x must be a number/],
    ['a part of an element', (k, a) => k.neg(a, a, 1.5), /native neg: N must be a whole number.*1\.5/],
    ['a negative count', (k, a) => k.neg(a, a, -1), /native neg: N must be a whole number.*-1/],
    ['NaN', (k, a) => k.neg(a, a, Number.NaN), /native neg: N must be a whole number/],
    ['a stale handle', (k, a, _, stale) => k.neg(stale, a, 16), /native neg: x is not a live buffer/],
    ['no handle', (k, a) => k.neg(a, 0, 16), /native neg: y is not a live buffer/],
    ['half a handle', (k, a) => k.neg(a + 0.5, a, 16), /native neg: x is not a live buffer/],
    ['a handle that never was', (k, a) => k.neg(2 ** 52, a, 16), /native neg: x is not a live buffer/],
    ['an input that is too small', (k, a, small) => k.neg(small, a, 16), /native neg: x needs 64 bytes; it holds 16/],
    ['an output that is too small', (k, a, small) => k.neg(a, small, 16), /native neg: y needs 64 bytes; it holds 16/],
    ['more elements than there can be', (k, a) => k.softmax(a, a, 2 ** 31, 2 ** 31), /native softmax: x needs more bytes/],
  ];
  for (const [name, call, message] of TABLE) {
    onNative(`${name}: a TypeError that names the kernel and the argument`, () => {
      three((a, small, stale) => {
        assert.throws(
          () => call(addon().kernels, a, small, stale),
          (error) => error instanceof TypeError && message.test(error.message),
        );
      });
    });
  }

  onNative('freeing twice throws, and what took the place lives on', () => {
    const first = addon().allocate(64);
    addon().release(first);
    const second = addon().allocate(64);
    assert.throws(() => addon().release(first), /native release: not a live buffer/);
    assert.throws(() => addon().read(first, new Float32Array(1)), /needs a live buffer/);
    assert.throws(() => addon().view(first), /not a live buffer/);
    addon().write(second, Float32Array.of(1));
    addon().release(second);
  });

  onNative('reading or writing past the end throws', () => {
    const handle = addon().allocate(16);
    assert.throws(() => addon().write(handle, new Float32Array(5)), /that fits/);
    assert.throws(() => addon().read(handle, new Float32Array(4), 4), /that fits/);
    assert.throws(() => addon().read(handle, [1] as unknown as Float32Array), /typed array/);
    addon().release(handle);
  });

  onNative('an index outside the axis is an error that names it', () => {
    assert.throws(() => tf.gather(tf.zeros([3, 2]), tf.tensor1d([0, 3], 'int32')), /gather: index outside the axis; received 3/);
  });

  onNative('a string tensor is an error that names the types', () => {
    assert.throws(() => (tf.backend() as unknown as NativeEngine).make([1], 'string'), /tensors of string are not supported/);
  });
});
