import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs';
import { useDevice } from '../../backends/device.js';
import { listAdapters } from '../../backends/webgpu/adapters.js';
import { webgpuCounts, webgpuEngine } from '../../backends/webgpu.js';
import type { HostBatch } from '../../datasets/packing.js';
import { initialParameters } from '../../model/parameters.js';
import { accumulate } from '../../ops/gradients.js';
import { packedLinear, packWeights } from '../../ops/linear.js';
import { disposeState, trainState } from '../../training/state.js';
import { stepper } from '../../training/step.js';
import { UserError } from '../../util/errors.js';
import { onWebgpu } from '../ops/conformance.js';

/** Made on the GPU: small tensors that are still here are computed with here. */
const onGpu = (values: number[]): tf.Tensor => {
  const x = tf.tensor1d(values);
  webgpuEngine().uploadToGPU(x.dataId);
  return x;
};

const LLAMA = {
  architecture: 'llama',
  hidden_size: 32,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  intermediate_size: 48,
  vocab_size: 64,
  max_position_embeddings: 16,
  tie_word_embeddings: true,
  dropout: 0,
  rope_theta: 10000,
  rms_norm_eps: 1e-5,
  layer_norm_epsilon: 1e-5,
  bias: false,
  activation_function: 'gelu',
} as const;
const [B, T] = [2, 16];

function batch(step: number): HostBatch {
  const tokens = (of: (i: number) => number) => Int32Array.from({ length: B * T }, (_, i) => of(i));
  const ids = tokens((i) => (7 * i + step) % 64);
  const host = { ids, positions: tokens((i) => i % T), segments: tokens(() => 0), targets: tokens((i) => (7 * i + 7 + step) % 64) };
  return { ...host, supervised: B * T, weight: B * T } as HostBatch;
}

/** Losses of some steps, and what the last one asked of the GPU. With `anew` each step goes through JavaScript, not only the first. */
async function train(steps: number, { anew = false } = {}) {
  const state = trainState(LLAMA, initialParameters(LLAMA, 1));
  const begin = () => stepper(state, B, T, { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, maxGradNorm: 1, seed: 1 });
  let own = begin();
  const results = [];
  for (let i = 0; i < steps; i++) {
    if (anew) {
      own.dispose();
      own = begin();
    }
    webgpuCounts();
    results.push(await own.step([batch(i)], 1e-2));
  }
  const counts = webgpuCounts();
  const parameters = [...state.parameters.values()];
  const bits = await Promise.all(parameters.map((parameter) => parameter.data()));
  const { notReplayed } = own;
  own.dispose();
  disposeState(state);
  return { notReplayed, results, counts, bits, parameters: parameters.length };
}

describe('the webgpu engine', () => {
  onWebgpu('runs a training step in few dispatches, and reads back the loss and the norms, nothing else', async () => {
    const { results, counts, parameters } = await train(3);
    assert.ok(results[2].loss < results[0].loss);
    assert.equal(parameters, 14);
    assert.ok(counts.dispatches <= 86, `${counts.dispatches} dispatches`);
    assert.deepEqual([counts.reads, counts.readBytes], [2, 4 + 4 * parameters]);
  });

  onWebgpu('gives the same bits again, replayed or not', async () => {
    const [first, second, third] = [await train(3), await train(3), await train(3, { anew: true })];
    assert.equal(first.notReplayed, undefined);
    for (const { results, bits } of [second, third]) {
      assert.deepEqual(results, first.results);
      assert.deepEqual(bits, first.bits);
    }
  });

  onWebgpu('gives a reader what a kernel wrote in place after the last reading', async () => {
    const buffer = onGpu([1, 2, 3]);
    assert.deepEqual(Array.from(await buffer.data()), [1, 2, 3]);
    accumulate(buffer, tf.tensor1d([10, 20, 30]));
    const early = buffer.data();
    accumulate(buffer, tf.tensor1d([1, 1, 1]));
    assert.deepEqual(Array.from(await early), [11, 22, 33]);
    assert.deepEqual(Array.from(await buffer.data()), [12, 23, 34]);
  });

  onWebgpu('packs weights that do not follow later changes', async () => {
    const weight = onGpu([1, 2]).reshape([1, 2]) as tf.Tensor2D;
    const packed = packWeights(weight);
    accumulate(weight, tf.ones([1, 2]));
    assert.deepEqual(Array.from(await packedLinear(tf.tensor2d([[1, 1]]), packed).data()), [3]);
  });

  onWebgpu('sums nothing, along an axis and over all', async () => {
    const nothing = tf.zeros([0, 3]);
    assert.deepEqual(Array.from(await nothing.sum(0).data()), [0, 0, 0]);
    assert.deepEqual(nothing.sum(0, true).shape, [1, 3]);
    assert.deepEqual(Array.from(await nothing.sum().data()), [0]);
    assert.deepEqual((await nothing.sum(1).data()).length, 0);
  });

  onWebgpu('names a tensor that no buffer can hold, the limit, and the way out', () => {
    const { maxStorageBufferBindingSize, maxBufferSize } = webgpuEngine().device.limits;
    const elements = Math.min(maxStorageBufferBindingSize, maxBufferSize) / 4 + 1;
    const tensor = webgpuEngine().make([elements]);
    const message = new RegExp(`webgpu: a tensor must fit into max.*received \\[${elements}\\] of float32, \\d+ MiB; make batch_size`);
    assert.throws(
      () => webgpuEngine().uploadToGPU(tensor.dataId),
      (error) => error instanceof UserError && message.test(error.message),
    );
    webgpuEngine().release(tensor);
  });

  onWebgpu('names the tensor that there was no memory for, and goes on', async () => {
    const { maxStorageBufferBindingSize, maxBufferSize } = webgpuEngine().device.limits;
    const engine = webgpuEngine();
    const taken: tf.TensorInfo[] = [];
    const fill = () => {
      for (let i = 0; i < 256; i++) {
        taken.push(engine.make([Math.min(maxStorageBufferBindingSize, maxBufferSize) / 4]));
        engine.uploadToGPU(taken[i].dataId);
      }
    };
    assert.throws(
      fill,
      (error) => error instanceof UserError && /no memory for \[\d+\] of float32.*What was saved last is good/.test(error.message),
    );
    for (const tensor of taken) engine.bufferManager.releaseBuffer(engine.tensorMap.get(tensor.dataId).resource!, false);
    for (const tensor of taken) engine.tensorMap.get(tensor.dataId).resource = null;
    for (const tensor of taken) engine.release(tensor);
    assert.deepEqual(Array.from(await onGpu([1, 2]).square().data()), [1, 4]);
  });

  onWebgpu('never runs a shader that does not compile', () => {
    const x = onGpu([1]);
    const wrong = { name: 'wrong', buffers: { x: 'f32 written' }, numbers: {}, lanes: 1, code: 'x[0] = nowhere;' } as const;
    const run = () => webgpuEngine().run(wrong, { x }, {}, 1);
    assert.throws(run, /webgpu: the GPU refused a command: .*unresolved value 'nowhere'/);
    assert.throws(run, /unresolved value/);
  });

  onWebgpu('reports a command that WebGPU refuses', () => {
    const x = onGpu([1]);
    const twice = { name: 'twice', buffers: { x: 'f32', y: 'f32 written' }, numbers: {}, lanes: 1, code: 'y[0] = x[0];' } as const;
    const refused = async () => {
      webgpuEngine().run(twice, { x, y: x }, {}, 1); // read and written to at once
      await x.data();
    };
    return assert.rejects(refused, /webgpu: the GPU refused a command: /);
  });

  onWebgpu('lists its adapter by name', async () => {
    const adapters = await listAdapters();
    assert.ok(adapters.length > 0);
    for (const { name, backend, largestTensorBytes } of adapters) assert.ok(name && backend && largestTensorBytes >= 2 ** 27);
  });

  onWebgpu('says that the GPU was lost and the last checkpoint is good; the next use finds a new one', async () => {
    const x = onGpu([1, 2, 3]);
    webgpuEngine().device.destroy();
    const message = /webgpu: the GPU was lost \(destroyed.*what was saved last is good: run the command again with --resume/;
    await assert.rejects(
      () => x.square().data(),
      (error) => error instanceof UserError && message.test(error.message),
    );
    await assert.rejects(async () => x.square().data(), message);
    x.dispose();
    await useDevice('webgpu');
    const y = onGpu([3]);
    assert.deepEqual(Array.from(await y.square().data()), [9]);
  });
});
