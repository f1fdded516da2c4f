import * as tf from '@tensorflow/tfjs';
import type { NativeEngine } from './native/backend.js';

/** The native engine, while it is the backend in use. */
function nativeEngine(): NativeEngine | undefined {
  return tf.getBackend() === 'native' ? (tf.backend() as NativeEngine) : undefined;
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
  let plan: number | undefined;
  let notReplayed: string | undefined = nativeEngine() ? undefined : `the ${tf.getBackend()} device does not record`;
  const release = () => {
    for (const tensor of results ?? []) tensor.dispose();
    results = undefined;
    if (plan !== undefined) nativeEngine()?.addon.forget(plan);
    plan = undefined;
  };
  return {
    get notReplayed() {
      return notReplayed;
    },
    run() {
      const engine = nativeEngine();
      if (engine && plan !== undefined && notReplayed === undefined) {
        engine.addon.replay(plan);
        return results!;
      }
      release();
      if (!engine || notReplayed !== undefined) {
        results = work();
        return results;
      }
      const recording = engine.addon.recordBegin();
      try {
        results = work();
      } finally {
        notReplayed = engine.addon.recordEnd();
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
  const values = written.get(variable);
  if (!values) throw new Error('lastWritten: nothing was written to this tensor by `overwrite`');
  return values;
}

/** Puts new values into a variable, in place where the device allows it, so that recorded work sees them. */
export function overwrite(variable: tf.Variable, values: Float32Array | Int32Array): void {
  const engine = nativeEngine();
  if (engine) {
    engine.addon.write(engine.handle(variable), values);
    return;
  }
  written.set(variable, values);
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
