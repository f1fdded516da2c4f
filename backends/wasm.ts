import { createRequire } from 'node:module';
import path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import { lackingKernels, runOnCpu } from './cpu-kernels.js';

let registered: Promise<void> | undefined;

/**
 * Registers tfjs's backend `wasm`, and fills in the kernels that it lacks and gradients need (UnsortedSegmentSum, say) with tfjs's CPU
 * kernels on the same memory. Calling it twice changes nothing.
 */
export function registerWasm(threads = 1): Promise<void> {
  registered ??= register(threads);
  return registered;
}

async function register(threads: number): Promise<void> {
  const wasm = await import('@tensorflow/tfjs-backend-wasm');
  const entry = createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm');
  wasm.setWasmPaths(`${path.dirname(entry)}/`);
  wasm.setThreadsCount(threads); // where the runtime gives wasm threads: Node.js does not
  transposeBeforeProducts();
  for (const kernelName of lackingKernels('wasm')) {
    tf.registerKernel({
      kernelName,
      backendName: 'wasm',
      kernelFunc: ({ inputs, attrs, backend }) => {
        const owner = backend as BackendWasm;
        return runOnCpu(
          kernelName,
          {
            values: (tensor) => owner.typedArrayFromHeap(tensor),
            take: (values, shape, dtype) => owner.makeOutput(shape, dtype, undefined, values),
          },
          inputs,
          attrs,
        );
      },
    });
  }
}

/**
 * tfjs's own product of two matrices runs on SIMD only where neither is transposed, else some 15 times slower, by plain loops: here a transposed
 * operand is laid out anew first, which costs next to nothing. Batches stay with the loops.
 */
function transposeBeforeProducts(): void {
  const [product, transpose] = ['BatchMatMul', 'Transpose'].map((name) => tf.getKernel(name, 'wasm'));
  tf.unregisterKernel('BatchMatMul', 'wasm');
  tf.registerKernel({
    kernelName: 'BatchMatMul',
    backendName: 'wasm',
    setupFunc: product.setupFunc,
    kernelFunc: ({ inputs, attrs, backend }) => {
      const { a, b } = inputs as Record<string, tf.TensorInfo>;
      const { transposeA, transposeB } = attrs as unknown as { transposeA: boolean; transposeB: boolean };
      const single = a.shape.slice(0, -2).every((size) => size === 1) && b.shape.slice(0, -2).every((size) => size === 1);
      const empty = [...a.shape, ...b.shape].includes(0);
      if (!single || empty || !(transposeA || transposeB)) return product.kernelFunc({ inputs: { a, b }, attrs, backend });
      const laidOut = (x: tf.TensorInfo, transposed: boolean): tf.TensorInfo => {
        if (!transposed) return x;
        const axes = x.shape.map((_, i) => i);
        const perm = [...axes.slice(0, -2), axes.length - 1, axes.length - 2];
        return transpose.kernelFunc({ inputs: { x }, attrs: { perm } as unknown as tf.NamedAttrMap, backend }) as tf.TensorInfo;
      };
      const [left, right] = [laidOut(a, transposeA), laidOut(b, transposeB)];
      const plain = { transposeA: false, transposeB: false } as unknown as tf.NamedAttrMap;
      const result = product.kernelFunc({ inputs: { a: left, b: right }, attrs: plain, backend });
      const owner = backend as BackendWasm;
      if (left !== a) owner.disposeData(left.dataId);
      if (right !== b) owner.disposeData(right.dataId);
      return result;
    },
  });
}
