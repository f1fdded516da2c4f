import * as tf from '@tensorflow/tfjs';
import type { NativeEngine } from '../backend.js';
import { runBinary } from './binary.js';
import { define, isFloat, size } from './define.js';
import { broadcast } from './movement.js';

interface Transposes {
  transposeA?: boolean;
  transposeB?: boolean;
}

/** c = op(a) · op(b) for each matrix of the batch; a batch of one is repeated. */
function matMul(
  engine: NativeEngine,
  a: tf.TensorInfo,
  b: tf.TensorInfo,
  { transposeA, transposeB }: Transposes,
): tf.TensorInfo | undefined {
  if (!isFloat(a) || !isFloat(b)) return undefined;
  const [rowsA, columnsA] = a.shape.slice(-2);
  const [rowsB, columnsB] = b.shape.slice(-2);
  const [M, K] = transposeA ? [columnsA, rowsA] : [rowsA, columnsA];
  const [N, inner] = transposeB ? [rowsB, columnsB] : [columnsB, rowsB];
  tf.util.assert(K === inner, () => `matMul: inner dimensions ${K} and ${inner} of [${a.shape}] and [${b.shape}] must be the same`);
  const outer = tf.backend_util.assertAndGetBroadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const batch = size(outer);
  const made: tf.TensorInfo[] = [];
  // A single matrix is repeated by a step of 0; what repeats only in part is written out.
  const operand = (x: tf.TensorInfo) => {
    const matrices = size(x.shape.slice(0, -2));
    if (matrices === batch || matrices === 1) return { x, step: matrices === 1 ? 0 : size(x.shape.slice(-2)) };
    const whole = broadcast(engine, x, [...outer, ...x.shape.slice(-2)]);
    if (whole) made.push(whole);
    return { x: whole, step: size(x.shape.slice(-2)) };
  };
  const [left, right] = [operand(a), operand(b)];
  let c: tf.TensorInfo | undefined;
  if (left.x && right.x) {
    c = engine.make([...outer, M, N]);
    const sizes = [size(left.x.shape), size(right.x.shape), batch, M, N, K];
    const how = [Number(transposeA ?? false), Number(transposeB ?? false), left.step, right.step, 0];
    engine.kernels.matMul(engine.handle(left.x), engine.handle(right.x), engine.handle(c), ...sizes, ...how);
  }
  for (const x of made) engine.disposeData(x.dataId);
  return c;
}

const ACTIVATIONS: Record<string, string | undefined> = { relu: 'relu', sigmoid: 'sigmoid' };

/** Products of matrices, in float32. */
export function registerMatMul(engine: NativeEngine): void {
  define<Transposes>(engine, tf.BatchMatMul, ({ a, b }, attributes) => matMul(engine, a, b, attributes));
  define<Transposes & { activation?: string }>(engine, tf._FusedMatMul, ({ a, b, bias }, attributes) => {
    const activation = attributes.activation ?? 'linear';
    if ((activation !== 'linear' && !ACTIVATIONS[activation]) || (bias && !isFloat(bias))) return undefined;
    const product = matMul(engine, a, b, attributes);
    if (!product) return undefined;
    let y = product;
    if (bias) {
      y = runBinary(engine, 'add', product, bias, 'float32')!;
      engine.disposeData(product.dataId);
    }
    if (activation !== 'linear') engine.kernels[ACTIVATIONS[activation]!](engine.handle(y), engine.handle(y), size(y.shape));
    return y;
  });
}
