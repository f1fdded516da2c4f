import * as tf from '@tensorflow/tfjs';
import { type Lender, lackingKernels, runOnCpu } from '../cpu-kernels.js';
import type { NativeEngine } from './backend.js';
import { countFallback } from './fallback-counts.js';

/** CPU kernels read the engine's memory in place; only booleans, which lie there as int32, are copied. What they make is copied into it. */
function lender(engine: NativeEngine): Lender {
  return {
    values(tensor) {
      if (tensor.dtype === 'bool') return engine.readSync(tensor.dataId) as tf.TypedArray;
      const elements = tf.util.sizeFromShape(tensor.shape);
      const memory = engine.addon.view(engine.handle(tensor));
      return tensor.dtype === 'int32' ? new Int32Array(memory, 0, elements) : new Float32Array(memory, 0, elements);
    },
    take: (values, shape, dtype) => ({ dataId: engine.write(values, shape, dtype), shape, dtype }),
  };
}

/** Runs tfjs's CPU kernel of this name on tensors of the engine, and counts it. */
export function runFallback(
  engine: NativeEngine,
  name: string,
  inputs: tf.NamedTensorInfoMap,
  attributes?: tf.NamedAttrMap,
): tf.TensorInfo | tf.TensorInfo[] {
  countFallback(name);
  return runOnCpu(name, lender(engine), inputs, attributes);
}

/** Registers the fallback for each kernel that tfjs's CPU backend has and the engine lacks. The last of the registrations. */
export function registerFallbacks(engine: NativeEngine): void {
  for (const kernelName of lackingKernels('native')) {
    tf.registerKernel({
      kernelName,
      backendName: 'native',
      kernelFunc: ({ inputs, attrs }) => runFallback(engine, kernelName, inputs, attrs),
    });
  }
}
