import * as tf from '@tensorflow/tfjs';
import { hasKernel, offTape, onTape, runKernel } from './fused.js';

/**
 * Where the gradients of parameters go. A fused op adds a parameter's gradient to that parameter's buffer inside its backward kernel;
 * what reaches a parameter over the tape instead is added afterwards. A tied table has one buffer, so both its uses meet there.
 */
let buffers: ReadonlyMap<number, tf.Tensor | undefined> | undefined;
let root: tf.Scalar | undefined;

/** Where an op takes the gradient of one of its parameters. */
export interface GradientPlace {
  /** False for a frozen parameter: no gradient is computed. */
  wanted: boolean;
  /** Whether it goes over the tape, and the parameter so is an input of the op's node; otherwise it has a buffer, or is not wanted. */
  overTape: boolean;
  /** What the backward kernel adds it to: the parameter's buffer, new zeros to go over the tape, or nothing where it is not wanted. */
  target(): tf.Tensor | undefined;
  /** What a composition does instead: adds the gradient to the buffer, or gives it back to go over the tape; does not compute it where it is not wanted. */
  put(gradient: () => tf.Tensor): tf.Tensor | undefined;
}

export function gradientPlace(parameter: tf.Tensor): GradientPlace {
  const { id, shape } = parameter;
  if (!buffers?.has(id)) return { wanted: true, overTape: true, target: () => tf.zeros(shape), put: (gradient) => gradient() };
  const buffer = buffers.get(id);
  const put = (gradient: () => tf.Tensor) => {
    if (buffer) tf.tidy(() => accumulate(buffer, gradient()));
    return undefined;
  };
  return { wanted: buffer !== undefined, overTape: false, target: () => buffer, put };
}

/** Whether no gradient of `parameter` is taken, while `accumulateGradients` runs. */
export function isFrozen(parameter: tf.Tensor): boolean {
  return !gradientPlace(parameter).wanted;
}

/**
 * What everything on the tape comes from, while `accumulateGradients` runs: the op that looks up the embedding hangs its node on it, since a
 * table with a buffer of its own is no input of the tape. Its gradient is never used.
 */
export function tapeRoot(): tf.Scalar | undefined {
  return root;
}

/**
 * Runs a part of a model in which nothing is trained: no gradient passes through it, and nothing is kept for one. What is computed from its
 * results has gradients again.
 */
export function withoutGradient<T extends tf.Tensor>(run: () => T[]): T[] {
  const made = offTape(run);
  if (root) onTape('FourfoldConstant', { root }, made, [], () => ({ root: tf.scalar(0) }));
  return made;
}

/**
 * Runs `loss` (a scalar) and its backward pass, and adds the gradient of each parameter to its buffer.
 * @param parameters name → parameter.
 * @param gradients  name → buffer of the same shape; what it holds is added to. A parameter without one is frozen: its gradient is not computed.
 * @param lossScale  its first element is what the loss is multiplied by for the backward pass, and with it every gradient: small ones then survive fp16.
 * @returns the loss, not scaled, to be disposed of by the caller.
 */
export function accumulateGradients(
  parameters: ReadonlyMap<string, tf.Tensor>,
  gradients: ReadonlyMap<string, tf.Tensor>,
  loss: () => tf.Scalar,
  lossScale?: tf.Tensor,
): tf.Scalar {
  const byId = new Map([...parameters].map(([name, { id }]) => [id, gradients.get(name)]));
  const names = [...parameters.keys()].filter((name) => gradients.has(name));
  const start = tf.scalar(0);
  root = start;
  buffers = byId;
  try {
    const sources = [start, ...names.map((name) => parameters.get(name)!)];
    const { value, grads } = tf.engine().gradients(() => (lossScale ? tf.mul(loss(), first(lossScale)) : loss()), sources, undefined, true);
    grads[0]?.dispose();
    names.forEach((name, i) => {
      const overTape = grads[i + 1];
      if (!overTape) return;
      accumulate(gradients.get(name)!, overTape);
      overTape.dispose();
    });
    if (!lossScale) return value as tf.Scalar;
    const plain = tf.tidy(() => tf.div(value, first(lossScale)) as tf.Scalar);
    value.dispose();
    return plain;
  } finally {
    buffers = undefined;
    root = undefined;
    start.dispose();
  }
}

const first = (tensor: tf.Tensor): tf.Scalar => tf.reshape(tf.slice(tensor, [0], [1]), []);

/** buffer += gradient, in place. Where the device has no kernel for it, the buffer is a variable that is assigned the sum. */
export function accumulate(buffer: tf.Tensor, gradient: tf.Tensor): void {
  if (hasKernel('FourfoldAccumulate')) {
    runKernel('FourfoldAccumulate', { buffer, gradient });
    return;
  }
  const total = buffer.add(gradient);
  (buffer as tf.Variable).assign(total);
  total.dispose();
}

/** Σ over all dimensions but the last: what many rows add to the gradient of one row that they share. */
export function sumOfRows(x: tf.Tensor): tf.Tensor1D {
  const C = x.shape[x.rank - 1];
  return tf.sum(tf.reshape(x, [x.size / C, C]), 0);
}
