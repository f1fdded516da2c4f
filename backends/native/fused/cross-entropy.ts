import type { TensorInfo } from '@tensorflow/tfjs';
import { PRECISIONS, type Precision } from '../../precision.js';
import type { NativeEngine } from '../backend.js';
import { register } from './register.js';

interface CrossEntropyAttributes {
  scale: number;
  smoothing: number;
  precision: Precision;
  /** What is made beside the loss and each row's. */
  correct?: boolean;
  dhidden?: boolean;
  dtable?: boolean;
}

/** The kernels behind ops/cross-entropy.ts, ops/log-probs.ts and ops/kl-divergence.ts. */
export function registerCrossEntropy(engine: NativeEngine): void {
  const { kernels } = engine;
  const h = (tensor: TensorInfo) => engine.handle(tensor);
  const sizes = (hidden: TensorInfo, table: TensorInfo) => [hidden.shape[0], hidden.shape[1], table.shape[0]] as const;

  register<CrossEntropyAttributes>('FourfoldCrossEntropy', ({ hidden, table, targets, weights }, attributes) => {
    const [M, C, V] = sizes(hidden, table);
    const [loss, losses] = [engine.make([]), engine.make([M])];
    const correct = attributes.correct ? engine.make([M], 'int32') : undefined;
    const dhidden = attributes.dhidden ? engine.make(hidden.shape) : undefined;
    const dtable = attributes.dtable ? engine.make(table.shape) : undefined;
    const given = [h(hidden), h(table), h(targets), engine.optional(weights)];
    const made = [h(loss), h(losses), ...[correct, dhidden, dtable].map((tensor) => engine.optional(tensor))];
    kernels.crossEntropy(...given, ...made, M, C, V, PRECISIONS.indexOf(attributes.precision), attributes.scale, attributes.smoothing);
    return [loss, losses, correct, dhidden, dtable].filter((tensor) => tensor !== undefined);
  });
  register('FourfoldCrossEntropyGrad', ({ dhidden, dtable, dy, target }) => {
    const dx = engine.make(dhidden.shape);
    const [M, C] = dhidden.shape;
    kernels.crossEntropyGrad(
      h(dhidden),
      engine.optional(dtable),
      h(dy),
      h(dx),
      engine.optional(target),
      M,
      C,
      dtable ? dtable.shape[0] : 0,
    );
    return [dx];
  });
  register<{ temperature: number; precision: Precision }>('FourfoldLogProbs', ({ hidden, table, targets }, { temperature, precision }) => {
    const [M, C, V] = sizes(hidden, table);
    const outputs = [engine.make([M]), engine.make([M]), engine.make([M])];
    const [logProbs, entropy, logSumExp] = outputs.map(h);
    kernels.logProbs(h(hidden), h(table), h(targets), logProbs, entropy, logSumExp, M, C, V, PRECISIONS.indexOf(precision), temperature);
    return outputs;
  });
  register<{ temperature: number; precision: Precision }>('FourfoldLogProbsGrad', (inputs, { temperature, precision }) => {
    const { hidden, table, targets, entropy, logSumExp, dLogProbs, dEntropy, dLogSumExp, dtable } = inputs;
    const dhidden = engine.make(hidden.shape);
    const given = [hidden, table, targets, entropy, logSumExp, dLogProbs, dEntropy, dLogSumExp].map(h);
    kernels.logProbsGrad(
      ...given,
      h(dhidden),
      engine.optional(dtable),
      ...sizes(hidden, table),
      PRECISIONS.indexOf(precision),
      temperature,
    );
    return [dhidden];
  });
  register<{ temperature: number; precision: Precision }>('FourfoldKlDivergence', (inputs, { temperature, precision }) => {
    const { hiddenP, tableP, hiddenQ, tableQ, targets } = inputs;
    const [M, C, V] = sizes(hiddenP, tableP);
    const y = engine.make([M]);
    const given = [hiddenP, tableP, hiddenQ, tableQ, targets].map(h);
    kernels.klDivergence(...given, h(y), M, C, hiddenQ.shape[1], V, PRECISIONS.indexOf(precision), temperature);
    return [y];
  });
}
