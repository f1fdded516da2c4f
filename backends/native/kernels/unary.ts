import * as tf from '@tensorflow/tfjs';
import type { NativeEngine } from '../backend.js';
import { define, isFloat, isInteger, size } from './define.js';

/** tfjs's name → the engine's; of floats. */
const FLOATS: Record<string, string> = {
  [tf.Neg]: 'neg',
  [tf.Exp]: 'exp',
  [tf.Expm1]: 'expm1',
  [tf.Log]: 'log',
  [tf.Log1p]: 'log1p',
  [tf.Sqrt]: 'sqrt',
  [tf.Rsqrt]: 'rsqrt',
  [tf.Reciprocal]: 'reciprocal',
  [tf.Square]: 'square',
  [tf.Abs]: 'abs',
  [tf.Tanh]: 'tanh',
  [tf.Sigmoid]: 'sigmoid',
  [tf.Erf]: 'erf',
  [tf.Relu]: 'relu',
  [tf.Floor]: 'floor',
  [tf.Ceil]: 'ceil',
  [tf.Round]: 'round',
  [tf.Sign]: 'sign',
  [tf.Softplus]: 'softplus',
  [tf.Cos]: 'cos',
  [tf.Sin]: 'sin',
};
const TESTS: Record<string, string> = { [tf.IsNan]: 'isNaN', [tf.IsFinite]: 'isFinite', [tf.IsInf]: 'isInf' };

/** One tensor, element by element. */
export function registerUnary(engine: NativeEngine): void {
  const run = (kernel: string, x: tf.TensorInfo, dtype: tf.DataType, ...reals: number[]) => {
    const y = engine.make(x.shape, dtype);
    engine.kernels[kernel](engine.handle(x), engine.handle(y), size(x.shape), ...reals);
    return y;
  };
  for (const [name, kernel] of Object.entries(FLOATS)) {
    define(engine, name, ({ x }) => (isFloat(x) ? run(kernel, x, 'float32') : undefined));
  }
  for (const [name, kernel] of Object.entries(TESTS)) {
    define(engine, name, ({ x }) => (isFloat(x) ? run(kernel, x, 'bool') : undefined));
  }
  define<{ alpha: number }>(engine, tf.Step, ({ x }, { alpha }) => (isFloat(x) ? run('step', x, 'float32', alpha) : undefined));
  define<{ clipValueMin: number; clipValueMax: number }>(engine, tf.ClipByValue, ({ x }, { clipValueMin, clipValueMax }) =>
    isFloat(x) ? run('clip', x, 'float32', clipValueMin, clipValueMax) : undefined,
  );
  define(engine, tf.LogicalNot, ({ x }) => (isInteger(x) ? run('logicalNot', x, 'bool') : undefined));
  define<{ dtype: tf.DataType }>(engine, tf.Cast, ({ x }, { dtype }) => {
    if (x.dtype === dtype) return engine.reshaped(x, x.shape);
    if (dtype === 'float32') return isInteger(x) ? run('intToFloat', x, dtype) : undefined;
    if (dtype === 'int32') return isFloat(x) ? run('floatToInt', x, dtype) : run('intToBool', x, dtype); // of a bool: a copy
    if (dtype === 'bool') return run(isFloat(x) ? 'floatToBool' : 'intToBool', x, dtype);
    return undefined;
  });
  define(engine, tf.Select, ({ condition, t, e }) => {
    const [values, conditions] = [size(t.shape), size(condition.shape)];
    if (t.dtype !== e.dtype || values !== size(e.shape) || (conditions > 0 && values % conditions !== 0)) return undefined;
    const y = engine.make(t.shape, t.dtype);
    engine.kernels.select(
      engine.handle(condition),
      engine.handle(t),
      engine.handle(e),
      engine.handle(y),
      conditions,
      values / Math.max(1, conditions),
    );
    return y;
  });
  define<{ dim: number }>(engine, tf.Softmax, ({ logits }, { dim }) => {
    const rank = logits.shape.length;
    if (!isFloat(logits) || (dim !== -1 && dim !== rank - 1)) return undefined;
    const n = logits.shape[rank - 1];
    const y = engine.make(logits.shape);
    if (n > 0) engine.kernels.softmax(engine.handle(logits), engine.handle(y), size(logits.shape) / n, n);
    return y;
  });
}
