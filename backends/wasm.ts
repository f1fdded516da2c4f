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
