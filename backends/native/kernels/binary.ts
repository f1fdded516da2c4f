import * as tf from '@tensorflow/tfjs';
import type { NativeEngine } from '../backend.js';
import { define, type Inputs, isFloat, isInteger, size } from './define.js';
import { broadcastStrides, joinDimensions } from './strides.js';

/** tfjs's name → the engine's; with `Int` behind it for int32. */
const ARITHMETIC: Record<string, string> = {
  [tf.Add]: 'add',
  [tf.Sub]: 'sub',
  [tf.Multiply]: 'mul',
  [tf.Maximum]: 'maximum',
  [tf.Minimum]: 'minimum',
  [tf.SquaredDifference]: 'squaredDifference',
  [tf.Mod]: 'mod',
};
const FLOAT_ONLY: Record<string, string> = { [tf.RealDiv]: 'div', [tf.Pow]: 'pow' };
const COMPARISONS: Record<string, string> = {
  [tf.Equal]: 'equal',
  [tf.NotEqual]: 'notEqual',
  [tf.Less]: 'less',
  [tf.LessEqual]: 'lessEqual',
  [tf.Greater]: 'greater',
  [tf.GreaterEqual]: 'greaterEqual',
};
const LOGICAL: Record<string, string> = { [tf.LogicalAnd]: 'logicalAnd', [tf.LogicalOr]: 'logicalOr' };

/** y = kernel(a, b), each repeated along the dimensions that it lacks. */
export function runBinary(
  engine: NativeEngine,
  kernel: string,
  a: tf.TensorInfo,
  b: tf.TensorInfo,
  dtype: tf.DataType,
): tf.TensorInfo | undefined {
  const shape = tf.backend_util.assertAndGetBroadcastShape(a.shape, b.shape);
  const walk = joinDimensions(shape, [broadcastStrides(a.shape, shape), broadcastStrides(b.shape, shape)]);
  if (!walk) return undefined;
  const y = engine.make(shape, dtype);
  engine.kernels[kernel](
    engine.handle(a),
    engine.handle(b),
    engine.handle(y),
    ...walk.shape,
    ...walk.strides[0],
    ...walk.strides[1],
    size(a.shape),
    size(b.shape),
  );
  return y;
}

const areFloats = ({ a, b }: Inputs) => isFloat(a) && isFloat(b);
const areIntegers = ({ a, b }: Inputs) => isInteger(a) && isInteger(b);
const areInt32 = ({ a, b }: Inputs) => a.dtype === 'int32' && b.dtype === 'int32';

/** Two tensors, element by element, with broadcasting. */
export function registerBinary(engine: NativeEngine): void {
  for (const [name, kernel] of Object.entries(ARITHMETIC)) {
    define(engine, name, (inputs) => {
      if (areFloats(inputs)) return runBinary(engine, kernel, inputs.a, inputs.b, 'float32');
      return areInt32(inputs) ? runBinary(engine, `${kernel}Int`, inputs.a, inputs.b, 'int32') : undefined;
    });
  }
  for (const [name, kernel] of Object.entries(FLOAT_ONLY)) {
    define(engine, name, (inputs) => (areFloats(inputs) ? runBinary(engine, kernel, inputs.a, inputs.b, 'float32') : undefined));
  }
  define(engine, tf.FloorDiv, (inputs) => (areInt32(inputs) ? runBinary(engine, 'floorDivInt', inputs.a, inputs.b, 'int32') : undefined));
  for (const [name, kernel] of Object.entries(COMPARISONS)) {
    define(engine, name, (inputs) => {
      if (areFloats(inputs)) return runBinary(engine, kernel, inputs.a, inputs.b, 'bool');
      return areIntegers(inputs) ? runBinary(engine, `${kernel}Int`, inputs.a, inputs.b, 'bool') : undefined;
    });
  }
  for (const [name, kernel] of Object.entries(LOGICAL)) {
    define(engine, name, (inputs) => (areIntegers(inputs) ? runBinary(engine, kernel, inputs.a, inputs.b, 'bool') : undefined));
  }
  define(engine, tf.AddN, (inputs) => {
    const terms = inputs as unknown as tf.TensorInfo[];
    if (!terms.every((term) => isFloat(term))) return undefined;
    let total = engine.reshaped(terms[0], terms[0].shape);
    for (const term of terms.slice(1)) {
      const next = runBinary(engine, 'add', total, term, 'float32')!;
      engine.disposeData(total.dataId);
      total = next;
    }
    return total;
  });
}
