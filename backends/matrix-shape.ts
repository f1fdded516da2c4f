import type * as tf from '@tensorflow/tfjs';

/** Rows and row length of a tensor taken as a matrix [M, C]. */
export function matrixShape(tensor: tf.TensorInfo): [number, number] {
  const C = tensor.shape[tensor.shape.length - 1];
  return [tensor.shape.slice(0, -1).reduce((a, b) => a * b, 1), C];
}
