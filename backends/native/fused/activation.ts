import type { TensorInfo } from '@tensorflow/tfjs';
import { matrixShape } from '../../matrix-shape.js';
import type { NativeEngine } from '../backend.js';
import { register } from './register.js';

/** The kernels behind ops/swiglu.ts and ops/gelu.ts. */
export function registerActivations(engine: NativeEngine): void {
  const { kernels } = engine;
  const h = (tensor: TensorInfo) => engine.handle(tensor);
  const size = (tensor: TensorInfo) => tensor.shape.reduce((a, b) => a * b, 1);

  register('FourfoldSwiglu', ({ x }) => {
    const [M, width] = matrixShape(x);
    const y = engine.make([...x.shape.slice(0, -1), width / 2]);
    kernels.swiglu(h(x), h(y), M, width / 2);
    return [y];
  });
  register('FourfoldSwigluGrad', ({ x, dy }) => {
    const [M, width] = matrixShape(x);
    const dx = engine.make(x.shape);
    kernels.swigluGrad(h(x), h(dy), h(dx), M, width / 2);
    return [dx];
  });
  register<{ tanh: boolean }>('FourfoldGelu', ({ x }, { tanh }) => {
    const y = engine.make(x.shape);
    kernels.gelu(h(x), h(y), size(x), Number(tanh));
    return [y];
  });
  register<{ tanh: boolean }>('FourfoldGeluGrad', ({ x, dy }, { tanh }) => {
    const dx = engine.make(x.shape);
    kernels.geluGrad(h(x), h(dy), h(dx), size(x), Number(tanh));
    return [dx];
  });
}
