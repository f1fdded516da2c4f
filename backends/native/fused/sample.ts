import type { TensorInfo } from '@tensorflow/tfjs';
import type { SamplingSettings } from '../../sampling-settings.js';
import type { NativeEngine } from '../backend.js';
import { register } from './register.js';

/** The kernels behind ops/sample.ts. */
export function registerSample(engine: NativeEngine): void {
  const { kernels } = engine;
  const h = (tensor: TensorInfo) => engine.handle(tensor);

  register<SamplingSettings>('FourfoldSampleTokens', ({ logits, keys, previous }, { temperature, topK, topP, minP, repetitionPenalty }) => {
    const [B, V] = logits.shape;
    const L = previous ? previous.shape[1] : 0;
    const [ids, logProbs] = [engine.make([B], 'int32'), engine.make([B])];
    const given = [h(logits), h(keys), engine.optional(previous), h(ids), h(logProbs)];
    kernels.sampleTokens(...given, B, V, L, topK, temperature, topP, minP, repetitionPenalty);
    return [ids, logProbs];
  });
  register<{ k: number }>('FourfoldTopTokens', ({ logits }, { k }) => {
    const [B, V] = logits.shape;
    const [ids, logProbs] = [engine.make([B, k], 'int32'), engine.make([B, k])];
    kernels.topTokens(h(logits), h(ids), h(logProbs), B, V, k);
    return [ids, logProbs];
  });
}
