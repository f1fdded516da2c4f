import * as tf from '@tensorflow/tfjs';
import type { NativeEngine } from './native/backend.js';
import type { WebgpuEngine } from './webgpu/engine.js';
import type { Plan } from './webgpu/plan.js';

/** A device that writes its commands down and runs them again. */
interface Recorder<P> {
  recordBegin(): P;
  /** @returns why the plan cannot be replayed, or undefined. */
  recordEnd(): string | undefined;
  /** @returns false where the plan was not run, as it does not fit the tensors that it used any more. */
  replay(plan: P): boolean;
  forget(plan: P): void;
  overwrite(tensor: tf.TensorInfo, values: Float32Array | Int32Array): void;
}

/** The recorder of the device in use, if it is one. A plan is a number natively, an object on webgpu. */
function recorder(): Recorder<number | Plan> | undefined {
  const backend = tf.getBackend();
  if (backend === 'webgpu') return tf.backend() as WebgpuEngine as Recorder<number | Plan>;
  if (backend !== 'native') return undefined;
  const engine = tf.backend() as NativeEngine;
  return {
    recordBegin: engine.addon.recordBegin,
    recordEnd: engine.addon.recordEnd,
    replay(plan) {
      engine.addon.replay(plan as number);
      return true;
    },
    forget: (plan) => engine.addon.forget(plan as number),
    overwrite: (tensor, values) => engine.addon.write(engine.handle(tensor), values),
  };
}

/** Work on tensors that is done again and again with the same shapes. */
export interface Recorded {
  /** Does the work and returns its tensors, which stay owned by this object and valid until the next run. */
  run(): tf.Tensor[];
  /** Why every run goes through JavaScript, or undefined when runs after the first are replayed. */
  readonly notReplayed: string | undefined;
  dispose(): void;
}

/**
 * Wraps `work` so that a device that can record runs it through JavaScript once and replays its kernels afterwards.
 * What varies between runs must lie in tensors made before (see `overwrite`); the work must read no tensor back.
 */
export function recorded(work: () => tf.Tensor[]): Recorded {
  let results: tf.Tensor[] | undefined;
  let plan: number | Plan | undefined;
  let notReplayed: string | undefined = recorder() ? undefined : `the ${tf.getBackend()} device does not record`;
  const release = () => {
    for (const tensor of results ?? []) tensor.dispose();
    results = undefined;
    if (plan !== undefined) recorder()?.forget(plan);
    plan = undefined;
  };
  return {
    get notReplayed() {
      return notReplayed;
    },
    run() {
      const device = recorder();
      if (device && results && plan !== undefined && notReplayed === undefined && device.replay(plan)) return results;
      release();
      if (!device || notReplayed !== undefined) {
        results = work();
        return results;
      }
      const recording = device.recordBegin();
      try {
        results = work();
      } finally {
        notReplayed = device.recordEnd();
        plan = recording;
      }
      return results;
    },
    dispose: release,
  };
}

const written = new WeakMap<tf.Tensor, Float32Array | Int32Array>();

/** What `overwrite` last put into a variable: for an op that needs it on the host, on a device without a kernel for that op. */
export function lastWritten(variable: tf.Tensor): Float32Array | Int32Array {
  if (tf.getBackend() === 'webgpu') (tf.backend() as WebgpuEngine).spoil('an op without a kernel needs values of the host');
  const values = written.get(variable);
  if (!values) throw new Error('lastWritten: nothing was written to this tensor by `overwrite`');
  return values;
}

/** Puts new values into a variable, in place where the device allows it, so that recorded work sees them. */
export function overwrite(variable: tf.Variable, values: Float32Array | Int32Array): void {
  const device = recorder();
  if (device) device.overwrite(variable, values);
  if (tf.getBackend() === 'native') return; // which has all kernels
  written.set(variable, values);
  if (device) return;
  const tensor = tf.tensor(values, variable.shape, variable.dtype);
  variable.assign(tensor);
  tensor.dispose();
}

/** Zeros of int32 that no tape trains, for `overwrite` to put values into. */
export function inputVariable(shape: number[]): tf.Variable {
  const zeros = tf.zeros(shape, 'int32');
  const variable = tf.variable(zeros, false);
  zeros.dispose();
  return variable;
}
