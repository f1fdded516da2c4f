import * as tf from '@tensorflow/tfjs';
import type { WebgpuEngine } from '../engine.js';
import { registerActivations } from './activation.js';
import { registerAdamw } from './adamw.js';
import { registerAttention } from './attention.js';
import { registerCachedAttention } from './cached-attention.js';
import { sizeOf } from './common.js';
import { registerCrossEntropy } from './cross-entropy.js';
import { registerEmbedding } from './embedding.js';
import { registerLinear } from './linear.js';
import { registerNorms } from './norm.js';
import { registerRandom } from './random.js';
import { registerRope } from './rope.js';
import { registerSample } from './sample.js';

/** Registers every kernel that is written in WGSL; each stands beside its op. Calling it twice changes nothing. */
export function registerWebgpuKernels(): void {
  if (tf.getKernel('FourfoldLinear', 'webgpu')) return;
  registerAttention();
  registerCachedAttention();
  registerRandom();
  registerCrossEntropy();
  registerAdamw();
  registerLinear();
  registerNorms();
  registerRope();
  registerActivations();
  registerEmbedding();
  registerSample();
  sumNothing();
}

/** tfjs's own sum fails where there is nothing to sum. */
function sumNothing(): void {
  const { kernelFunc, ...rest } = tf.getKernel('Sum', 'webgpu')!;
  tf.unregisterKernel('Sum', 'webgpu');
  tf.registerKernel({
    ...rest,
    kernelFunc: (call) => {
      const { x } = call.inputs as { x: tf.TensorInfo };
      if (sizeOf(x) > 0) return kernelFunc(call);
      const axes = tf.util.parseAxisParam(call.attrs!.axis as number[], x.shape);
      const shape = x.shape.flatMap((n, i) => (axes.includes(i) ? (call.attrs!.keepDims ? [1] : []) : [n]));
      const elements = shape.reduce((a, b) => a * b, 1);
      const engine = call.backend as WebgpuEngine;
      return { dataId: engine.write(new Float32Array(elements), shape, 'float32'), shape, dtype: 'float32' };
    },
  });
}
