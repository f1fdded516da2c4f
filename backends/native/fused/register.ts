import * as tf from '@tensorflow/tfjs';

/** Registers a kernel of the backend `native`; inputs that are not there are undefined. */
export function register<Attributes>(
  kernelName: string,
  run: (inputs: Record<string, tf.TensorInfo>, attributes: Attributes) => tf.TensorInfo[],
): void {
  tf.registerKernel({
    kernelName,
    backendName: 'native',
    kernelFunc: ({ inputs, attrs }) => run(inputs as Record<string, tf.TensorInfo>, attrs as unknown as Attributes),
  });
}
