import type { TensorInfo } from '@tensorflow/tfjs';
import { matrixShape } from '../../matrix-shape.js';
import type { NativeEngine } from '../backend.js';
import { register } from './register.js';

/** The kernels behind ops/rms-norm.ts and ops/layer-norm.ts. With `delta` the first output is x + delta. */
export function registerNorms(engine: NativeEngine): void {
  const { kernels } = engine;
  const h = (tensor: TensorInfo) => engine.handle(tensor);
  const maybe = (tensor: TensorInfo | undefined) => engine.optional(tensor);

  register<{ eps: number }>('FourfoldRmsNorm', ({ x, delta, weight }, { eps }) => {
    const [M, C] = matrixShape(x);
    const total = delta && engine.make(x.shape);
    const [y, rstd] = [engine.make(x.shape), engine.make([M])];
    kernels.rmsNorm(h(x), maybe(delta), h(weight), maybe(total), h(y), h(rstd), M, C, eps);
    return total ? [total, y, rstd] : [y, rstd];
  });
  register('FourfoldRmsNormGrad', ({ x, weight, rstd, dy, dtotal, dweight }) => {
    const [M, C] = matrixShape(x);
    const dx = engine.make(x.shape);
    kernels.rmsNormGrad(h(x), h(weight), h(rstd), h(dy), maybe(dtotal), h(dx), maybe(dweight), M, C);
    return [dx];
  });
  register<{ eps: number }>('FourfoldLayerNorm', ({ x, delta, weight, bias }, { eps }) => {
    const [M, C] = matrixShape(x);
    const total = delta && engine.make(x.shape);
    const [y, mean, rstd] = [engine.make(x.shape), engine.make([M]), engine.make([M])];
    kernels.layerNorm(h(x), maybe(delta), h(weight), maybe(bias), maybe(total), h(y), h(mean), h(rstd), M, C, eps);
    return total ? [total, y, mean, rstd] : [y, mean, rstd];
  });
  register('FourfoldLayerNormGrad', ({ x, weight, mean, rstd, dy, dtotal, dweight, dbias }) => {
    const [M, C] = matrixShape(x);
    const dx = engine.make(x.shape);
    kernels.layerNormGrad(h(x), h(weight), h(mean), h(rstd), h(dy), maybe(dtotal), h(dx), maybe(dweight), maybe(dbias), M, C);
    return [dx];
  });
}
