import { matrixShape } from '../../matrix-shape.js';
import { type Activation, GELU_GRAD } from './activation.js';
import { elementwise, register, runElementwise, sizeOf } from './common.js';
import { multiply } from './matmul.js';
import { addColumnSums } from './sums.js';

interface Attributes {
  activation?: Activation;
}

const COPY = elementwise('copy', { buffers: { x: 'f32', y: 'f32 written' }, numbers: {}, code: 'y[index] = x[index];' });

/** The kernels behind ops/linear.ts. */
export function registerLinear(): void {
  register<Attributes & { keep: boolean }>('FourfoldLinear', (engine, { x, weight, bias }, { activation, keep }) => {
    const [M, K] = matrixShape(x);
    const N = weight.shape[0];
    const shape = [...x.shape.slice(0, -1), N];
    const y = engine.make(shape);
    const before = keep ? engine.make(shape) : undefined;
    multiply(engine, { a: x, b: weight, c: y, M, N, K, transposeB: true, bias, activation, before });
    return before ? [y, before] : [y];
  });
  // Adds to dweight and dbias, each where it is given.
  register<Attributes>('FourfoldLinearGrad', (engine, { dy, x, weight, preactivation, dweight, dbias }, { activation }) => {
    const [M, K] = matrixShape(x);
    const N = weight.shape[0];
    const dx = engine.make(x.shape);
    const g = activation ? engine.make(dy.shape) : dy;
    if (activation) runElementwise(engine, GELU_GRAD[activation], { x: preactivation, dy, dx: g }, M * N);
    multiply(engine, { a: g, b: weight, c: dx, M, N: K, K: N });
    if (dweight && M > 0) multiply(engine, { a: g, b: x, c: dweight, M: N, N: K, K: M, transposeA: true, accumulate: true });
    if (dbias) addColumnSums(engine, dbias, g);
    if (g !== dy) engine.release(g);
    return [dx];
  });
  // Weights are multiplied as they lie; a copy of them, since a step changes them in place.
  register('FourfoldPackWeights', (engine, { weight }) => {
    const packed = engine.make(weight.shape);
    runElementwise(engine, COPY, { x: weight, y: packed }, sizeOf(weight));
    return [packed];
  });
  register<Attributes & { N: number }>('FourfoldPackedLinear', (engine, { x, packed, bias }, { N, activation }) => {
    const [M, K] = matrixShape(x);
    const y = engine.make([...x.shape.slice(0, -1), N]);
    multiply(engine, { a: x, b: packed, c: y, M, N, K, transposeB: true, bias, activation });
    return [y];
  });
}
