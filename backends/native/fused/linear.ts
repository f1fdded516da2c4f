import type { TensorInfo } from '@tensorflow/tfjs';
import { matrixShape } from '../../matrix-shape.js';
import { PRECISIONS, type Precision } from '../../precision.js';
import { multipliesBf16 } from '../addon.js';
import type { NativeEngine } from '../backend.js';
import { register } from './register.js';

interface Attributes {
  activation?: 'gelu' | 'gelu_new';
  precision: Precision;
}

/** Floats that packed weights need at most, whatever the instruction set. */
const packedFloats = (N: number, K: number, halves: boolean) => Math.ceil(((N + 32) * (K + 32)) / (halves ? 2 : 1));

const number = (activation?: string) => (activation === 'gelu' ? 1 : activation === 'gelu_new' ? 2 : 0);

/** The kernels behind ops/linear.ts and ops/linear-of-some.ts. */
export function registerLinear(engine: NativeEngine): void {
  const { kernels } = engine;
  const h = (tensor: TensorInfo) => engine.handle(tensor);
  const optional = (tensor?: TensorInfo) => engine.optional(tensor);

  register<Attributes & { keep: boolean }>('FourfoldLinear', ({ x, weight, bias }, { activation, precision, keep }) => {
    const [M, K] = matrixShape(x);
    const N = weight.shape[0];
    const shape = [...x.shape.slice(0, -1), N];
    const y = engine.make(shape);
    const preactivation = keep ? engine.make(shape) : undefined;
    kernels.linear(
      h(x),
      h(weight),
      optional(bias),
      h(y),
      optional(preactivation),
      M,
      N,
      K,
      number(activation),
      PRECISIONS.indexOf(precision),
    );
    return preactivation ? [y, preactivation] : [y];
  });
  // Adds to dweight and dbias, each where it is given.
  register<Attributes>('FourfoldLinearGrad', ({ dy, x, weight, preactivation, dweight, dbias }, { activation, precision }) => {
    const [M, K] = matrixShape(x);
    const N = weight.shape[0];
    const dx = engine.make(x.shape);
    // What only this gradient sees is overwritten.
    const g = activation && engine.refCount(dy.dataId) > 1 ? engine.make(dy.shape) : dy;
    const buffers = [h(dy), h(x), h(weight), optional(preactivation), activation ? h(g) : 0, h(dx), optional(dweight), optional(dbias)];
    kernels.linearGrad(...buffers, M, N, K, number(activation), PRECISIONS.indexOf(precision));
    if (g !== dy) engine.disposeData(g.dataId);
    return [dx];
  });
  register<{ precision: Precision }>('FourfoldLinearOfSome', ({ x, weight, bias, wanted }, { precision }) => {
    const [M, K] = matrixShape(x);
    const N = weight.shape[0];
    const y = engine.make([...x.shape.slice(0, -1), N]);
    kernels.linearOfSome(h(x), h(weight), optional(bias), h(wanted), h(y), M, N, K, PRECISIONS.indexOf(precision));
    return [y];
  });
  // Adds to dweight and dbias, each where it is given.
  register<{ precision: Precision }>('FourfoldLinearOfSomeGrad', ({ dy, x, weight, wanted, dweight, dbias }, { precision }) => {
    const [M, K] = matrixShape(x);
    const dx = engine.make(x.shape);
    const buffers = [h(dy), h(x), h(weight), h(wanted), h(dx), optional(dweight), optional(dbias)];
    kernels.linearOfSomeGrad(...buffers, M, weight.shape[0], K, PRECISIONS.indexOf(precision));
    return [dx];
  });
  register<{ precision: Precision }>('FourfoldPackWeights', ({ weight }, { precision }) => {
    const [N, K] = weight.shape;
    const floats = packedFloats(N, K, precision === 'bf16' && multipliesBf16(engine.addon));
    const packed = engine.make([floats]);
    kernels.packWeights(h(weight), h(packed), N, K, floats, PRECISIONS.indexOf(precision));
    return [packed];
  });
  register<Attributes & { N: number }>('FourfoldPackedLinear', ({ x, packed, bias }, { N, activation, precision }) => {
    const [M, K] = matrixShape(x);
    const y = engine.make([...x.shape.slice(0, -1), N]);
    kernels.linearPacked(
      h(x),
      h(packed),
      optional(bias),
      h(y),
      M,
      N,
      K,
      packed.shape[0],
      number(activation),
      PRECISIONS.indexOf(precision),
    );
    return [y];
  });
}
