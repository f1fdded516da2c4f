// Legend: B rows, T tokens, N texts, P comparisons, M choices.
import * as tf from '@tensorflow/tfjs';
import { inputVariable, overwrite, recorded } from '../backends/recording.js';
import { scores } from '../model/heads.js';
import { forward } from '../model/transformer.js';
import { accumulateGradients } from '../ops/gradients.js';
import type { BatchShape, Objective, RankedBatch } from './ranked-batches.js';
import { bradleyTerry, centering, plackettLuce } from './ranking.js';
import { type TrainState, variableOf } from './state.js';
import { inputs } from './step.js';
import { type UpdaterOptions, updater } from './update.js';

export interface RewardStepOptions extends UpdaterOptions {
  objective: Objective;
  /** Weight of `centering`; 0: none. */
  centerRewards: number;
  /** Dropout's key. */
  seed: number;
}

export interface RewardStepResult {
  /** Mean over the prompts. */
  loss: number;
  gradNorm: number;
  /** In the texts. */
  tokens: number;
  /** Of the pairs that have a better one: the share in which it has the higher score (equal scores: half), and the mean difference of the scores. */
  accuracy: number;
  margin: number;
}

export interface RewardStepper {
  /** One update from the batches that share a loss; see `rankedBatches`. @throws UserError when the loss or a gradient is not finite. */
  step(batches: readonly RankedBatch[], learningRate: number): Promise<RewardStepResult>;
  dispose(): void;
}

/** The training step of a reward model: forward, loss of the comparisons, backward, update. */
export function rewardStepper(state: TrainState, shape: BatchShape, options: RewardStepOptions): RewardStepper {
  const { config, parameters } = state;
  const { objective, centerRewards, seed } = options;
  const { B, T, N, P, M } = shape;
  const { gradients, lossScale, update, dispose } = updater(state, options);
  const input = inputs(B, T);
  const key = inputVariable([4]);
  const ends = inputVariable([N]);
  const numbers = (...shape: number[]) => variableOf(undefined, shape);
  const pairs = { compared: numbers(P, N), targets: numbers(P), margins: numbers(P), pairWeights: numbers(P) };
  const choices = { chosen: numbers(M, N), left: numbers(M, N), choiceWeights: numbers(M) };
  const as = <X extends tf.Tensor>(variable: tf.Variable) => variable as tf.Tensor as X;
  let given: tf.Tensor1D; // [N]: the scores of this pass
  const pass = recorded(() => {
    const compare = () => {
      const hidden = forward(parameters, config, input.batch, {
        wanted: input.batch.targets,
        ...(config.dropout > 0 && { dropoutKey: as<tf.Tensor1D>(key) }),
      });
      const all = scores(parameters, hidden, as<tf.Tensor1D>(ends));
      given = tf.keep(tf.clone(all));
      return lossOf(all);
    };
    return [accumulateGradients(parameters, gradients, compare, lossScale), given];
  });
  const lossOf = (all: tf.Tensor1D): tf.Scalar => {
    const column = tf.reshape(all, [N, 1]);
    const over = (matrix: tf.Tensor2D) => tf.reshape(tf.matMul(matrix, column), [P]) as tf.Tensor1D;
    const compared = as<tf.Tensor2D>(pairs.compared);
    const weights = as<tf.Tensor1D>(pairs.pairWeights);
    const loss =
      objective.loss === 'plackett_luce'
        ? plackettLuce(all, as(choices.chosen), as(choices.left), as(choices.choiceWeights))
        : bradleyTerry(over(compared), as(pairs.targets), weights, as(pairs.margins));
    return centerRewards === 0 ? loss : tf.add(loss, tf.mul(centerRewards, centering(over(tf.abs(compared)), weights)));
  };

  return {
    async step(batches, learningRate) {
      let loss = 0;
      const sum = { pairs: 0, right: 0, difference: 0, tokens: 0 };
      for (const [micro, batch] of batches.entries()) {
        input.write(batch.host);
        overwrite(key, Int32Array.of(seed | 0, Math.floor(seed / 2 ** 32), state.step, micro));
        overwrite(ends, batch.ends);
        for (const [name, variable] of Object.entries(pairs)) overwrite(variable, batch[name as keyof typeof pairs]);
        if (M > 0) for (const [name, variable] of Object.entries(choices)) overwrite(variable, batch[name as keyof typeof choices]);
        const [value, values] = await Promise.all(pass.run().map((tensor) => tensor.data()));
        loss += value[0];
        addPairs(sum, batch, values as Float32Array, N);
        for (const segment of batch.host.segments) sum.tokens += Number(segment >= 0);
      }
      const gradNorm = await update(loss, learningRate);
      return { loss, gradNorm, tokens: sum.tokens, accuracy: sum.right / sum.pairs, margin: sum.difference / sum.pairs };
    },
    dispose() {
      pass.dispose();
      input.dispose();
      for (const tensor of [key, ends, ...Object.values(pairs), ...Object.values(choices)]) tensor.dispose();
      dispose();
    },
  };
}

/** Counts the pairs of a batch that have a better one. */
function addPairs(
  sum: { pairs: number; right: number; difference: number },
  { compared, targets, pairWeights }: RankedBatch,
  given: Float32Array,
  N: number,
): void {
  for (let p = 0; p < targets.length; p++) {
    if (pairWeights[p] === 0 || targets[p] === 0.5) continue;
    let difference = 0;
    for (let n = 0; n < N; n++) difference += compared[p * N + n] * given[n];
    sum.pairs++;
    sum.right += difference > 0 ? 1 : difference === 0 ? 0.5 : 0;
    sum.difference += difference;
  }
}
