import * as tf from '@tensorflow/tfjs';
import type { NativeEngine } from '../backend.js';
import { runFallback } from '../fallback.js';

export type Inputs = Record<string, tf.TensorInfo>;
export type Outputs = tf.TensorInfo | tf.TensorInfo[];

/**
 * Registers a standard kernel of tfjs for the engine.
 * @param body what it makes of inputs and attributes; undefined leaves this call (a dtype, a rank) to tfjs's own CPU kernel.
 */
export function define<Attributes = Record<string, never>>(
  engine: NativeEngine,
  kernelName: string,
  body: (inputs: Inputs, attributes: Attributes) => Outputs | undefined,
): void {
  tf.registerKernel({
    kernelName,
    backendName: 'native',
    kernelFunc: ({ inputs, attrs }) =>
      body(inputs as Inputs, (attrs ?? {}) as unknown as Attributes) ?? runFallback(engine, kernelName, inputs, attrs),
  });
}

/** Elements of a shape. */
export function size(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

/** Whether the tensor lies in memory as 32-bit integers: int32 and bool do. */
export function isInteger(tensor: tf.TensorInfo): boolean {
  return tensor.dtype === 'int32' || tensor.dtype === 'bool';
}

export function isFloat(tensor: tf.TensorInfo): boolean {
  return tensor.dtype === 'float32';
}
