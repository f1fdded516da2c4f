import type { TensorInfo } from '@tensorflow/tfjs';
import { matrixShape } from '../../matrix-shape.js';
import type { NativeEngine } from '../backend.js';
import { register } from './register.js';

/** The kernels behind ops/embedding.ts, ops/dropout.ts, ops/noise.ts and ops/gradients.ts. */
export function registerEmbedding(engine: NativeEngine): void {
  const { kernels } = engine;
  const h = (tensor: TensorInfo) => engine.handle(tensor);
  const size = (tensor: TensorInfo) => tensor.shape.reduce((a, b) => a * b, 1);

  register('FourfoldEmbedding', ({ ids, table }) => {
    const [V, C] = table.shape;
    const y = engine.make([...ids.shape, C]);
    kernels.embedding(h(ids), h(table), h(y), size(ids), C, V);
    return [y];
  });
  register('FourfoldEmbeddingGrad', ({ ids, dy, dtable }) => {
    const [V, C] = dtable.shape;
    kernels.embeddingGrad(h(ids), h(dy), h(dtable), size(ids), C, V);
    return [];
  });
  register<{ p: number; site: number }>('FourfoldDropout', ({ x, key }, { p, site }) => {
    const [M, C] = matrixShape(x);
    const y = engine.make(x.shape);
    kernels.dropout(h(x), h(key), h(y), M, C, site, p);
    return [y];
  });
  register<{ site: number }>('FourfoldNoise', ({ x, scale, key }, { site }) => {
    const [M, C] = matrixShape(x);
    const y = engine.make(x.shape);
    kernels.noise(h(x), h(scale), h(key), h(y), M, C, site);
    return [y];
  });
  register('FourfoldAccumulate', ({ buffer, gradient }) => {
    kernels.accumulate(h(buffer), h(gradient), size(buffer));
    return [];
  });
}
