import type { TensorInfo } from '@tensorflow/tfjs';
import type { NativeEngine } from '../backend.js';
import { register } from './register.js';

/** The kernels behind ops/cross-entropy.ts and ops/log-probs.ts. */
export function registerCrossEntropy(engine: NativeEngine): void {
  const { kernels } = engine;
  const h = (tensor: TensorInfo) => engine.handle(tensor);
  const sizes = (hidden: TensorInfo, table: TensorInfo) => [hidden.shape[0], hidden.shape[1], table.shape[0]] as const;

  register<{ scale: number; bf16: boolean; gradients: boolean }>(
    'FourfoldCrossEntropy',
    ({ hidden, table, targets }, { scale, bf16, gradients }) => {
      const [M, C, V] = sizes(hidden, table);
      const [loss, nll] = [engine.make([]), engine.make([M])];
      const made = gradients ? [engine.make(hidden.shape), engine.make(table.shape)] : [];
      const [dhidden, dtable] = [engine.optional(made[0]), engine.optional(made[1])];
      kernels.crossEntropy(h(hidden), h(table), h(targets), h(loss), h(nll), dhidden, dtable, M, C, V, Number(bf16), scale);
      return [loss, nll, ...made];
    },
  );
  register('FourfoldCrossEntropyGrad', ({ dhidden, dtable, dy, target }) => {
    const dx = engine.make(dhidden.shape);
    kernels.crossEntropyGrad(h(dhidden), h(dtable), h(dy), h(dx), h(target), ...sizes(dhidden, dtable));
    return [dx];
  });
  register<{ temperature: number; bf16: boolean }>('FourfoldLogProbs', ({ hidden, table, targets }, { temperature, bf16 }) => {
    const [M, C, V] = sizes(hidden, table);
    const outputs = [engine.make([M]), engine.make([M]), engine.make([M])];
    const [logProbs, entropy, logSumExp] = outputs.map(h);
    kernels.logProbs(h(hidden), h(table), h(targets), logProbs, entropy, logSumExp, M, C, V, Number(bf16), temperature);
    return outputs;
  });
  register<{ temperature: number; bf16: boolean }>('FourfoldLogProbsGrad', (inputs, { temperature, bf16 }) => {
    const { hidden, table, targets, entropy, logSumExp, dLogProbs, dEntropy, dLogSumExp, dtable } = inputs;
    const dhidden = engine.make(hidden.shape);
    const given = [hidden, table, targets, entropy, logSumExp, dLogProbs, dEntropy, dLogSumExp].map(h);
    kernels.logProbsGrad(...given, h(dhidden), h(dtable), ...sizes(hidden, table), Number(bf16), temperature);
    return [dhidden];
  });
}
