// Legend: B rows, T tokens of a row.
import * as tf from '@tensorflow/tfjs';
import { overwrite, recorded } from '../backends/recording.js';
import type { HostBatch } from '../datasets/packing.js';
import { languageModelLoss, targetLogProbs, tokenScores } from '../model/heads.js';
import { forward } from '../model/transformer.js';
import { accumulate, accumulateGradients } from '../ops/gradients.js';
import { byShape } from './batch-passes.js';
import { lossScaleOf } from './loss-scale.js';
import { policyLoss, valueLoss } from './ppo.js';
import { constant, type TrainState, variableOf } from './state.js';
import { inputs } from './step.js';
import { type Updater, type UpdaterOptions, updater } from './update.js';

/** Episodes in rows, prompt and response of each a segment; its targets are the tokens of the responses. The arrays are [B·T], at the place of the target. */
export interface PpoBatch {
  host: HostBatch;
  /** Log-probabilities by the policy that sampled. */
  oldLogProbs: Float32Array;
  advantages: Float32Array;
  /** Values of the critic that judged the rollout, and what it is to learn. */
  oldValues: Float32Array;
  returns: Float32Array;
  /** 1 / tokens of the minibatch where there is a target, 0 elsewhere. */
  weights: Float32Array;
}

export interface PpoStepOptions {
  policy: UpdaterOptions;
  critic: UpdaterOptions;
  /** Of the logits, as in the rollout. */
  temperature: number;
  /** ε of the ratio and of the value; see `policyLoss` and `valueLoss`. */
  clip: number;
  valueClip: number;
  dualClip: number;
  /** Weight of the entropy that is gained. */
  entropy: number;
  /** Rows of pretraining text and their tokens, and what their loss counts; undefined: none. */
  ptx?: { B: number; T: number; coefficient: number };
}

/** Means over the tokens of a minibatch. */
export interface PpoStepResult {
  policyLoss: number;
  clipFraction: number;
  approxKl: number;
  ratio: number;
  largestRatio: number;
  entropy: number;
  valueLoss: number;
  valueClipFraction: number;
  /** Before clipping: of policy and pretraining text together, 0 of a policy that does not learn; and of the critic, where its gradients are its own. */
  gradNorm: number;
  criticGradNorm?: number;
  /** Of the two objectives by themselves, where there is pretraining text. */
  ptx?: { loss: number; gradNorm: number; policyGradNorm: number };
}

export interface PpoStepper {
  /**
   * One update of policy and critic from the batches of a minibatch. What is not finite is never applied.
   * @param rates learning rates; without one the policy stays as it is (the critic warms up).
   * @param text  rows of pretraining text: their mean loss is added to the policy's.
   * @throws UserError when a loss or gradient is not finite.
   */
  step(batches: readonly PpoBatch[], rates: { policy?: number; critic: number }, text?: HostBatch): Promise<PpoStepResult>;
  /** Why passes are not replayed, or undefined when they are. */
  readonly notReplayed: string | undefined;
  dispose(): void;
}

/** The step of PPO on a policy and a critic that share no parameters: forward, losses, backward, updates. */
export function ppoStepper(policy: TrainState, critic: TrainState, options: PpoStepOptions): PpoStepper {
  const policyUpdate = updater(policy, options.policy);
  const criticUpdate = updater(critic, options.critic);
  const passes = byShape((B, T) => ppoPasses({ policy, critic, policyUpdate, criticUpdate, B, T }, options));
  const text = options.ptx && textObjective(policy, policyUpdate, options.ptx);

  return {
    get notReplayed() {
      return passes.notReplayed;
    },
    async step(batches, rates, rows) {
      const result = nothing();
      for (const one of batches) {
        const { write, policyPass, criticPass } = passes.of(one.host);
        write(one);
        if (rates.policy !== undefined) {
          const [, measured] = await values(policyPass.run());
          addMeasured(result, measured);
        }
        const [[loss], [clipped]] = await values(criticPass.run());
        result.valueLoss += loss;
        result.valueClipFraction += clipped;
      }
      if (rates.policy !== undefined) {
        if (text && rows) result.ptx = await text.add(rows);
        result.gradNorm = await policyUpdate.update(policyTotal(result, options), rates.policy);
      }
      result.criticGradNorm = await criticUpdate.update(result.valueLoss, rates.critic);
      return result;
    },
    dispose() {
      for (const one of [passes, policyUpdate, criticUpdate, text]) one?.dispose();
    },
  };
}

interface PpoModels {
  policy: TrainState;
  critic: TrainState;
  policyUpdate: Updater;
  criticUpdate: Updater;
}

/** The passes over batches of one shape, which add to the gradients. */
function ppoPasses({ policy, critic, policyUpdate, criticUpdate, B, T }: PpoModels & { B: number; T: number }, options: PpoStepOptions) {
  const input = ppoInputs(B, T);
  const { batch, oldValues, returns, weights } = input;
  const wanted = { wanted: batch.targets };
  let kept: tf.Tensor; // what a pass measures beside its loss

  const policyPass = recorded(() => {
    const loss = accumulateGradients(
      policy.parameters,
      policyUpdate.gradients,
      () => {
        const { objective, measured } = policyObjective(policy, forward(policy.parameters, policy.config, batch, wanted), input, options);
        kept = tf.keep(measured);
        return objective;
      },
      policyUpdate.lossScale,
    );
    return [loss, kept];
  });

  const criticPass = recorded(() => {
    const loss = accumulateGradients(
      critic.parameters,
      criticUpdate.gradients,
      () => {
        const values = tokenScores(critic.parameters, forward(critic.parameters, critic.config, batch, wanted)); // [B·T]
        const { loss, clipFraction } = valueLoss(values, oldValues, returns, weights, { clip: options.valueClip });
        kept = tf.keep(tf.clone(clipFraction));
        return loss;
      },
      criticUpdate.lossScale,
    );
    return [loss, kept];
  });

  return {
    policyPass,
    criticPass,
    get notReplayed() {
      return policyPass.notReplayed ?? criticPass.notReplayed;
    },
    write: input.write,
    dispose() {
      for (const one of [policyPass, criticPass, input]) one.dispose();
    },
  };
}

/** A minibatch's place on the device; what is not a `Batch` is [B·T]. */
export function ppoInputs(B: number, T: number) {
  const input = inputs(B, T);
  const numbers = () => variableOf(undefined, [B * T]);
  const given = { oldLogProbs: numbers(), advantages: numbers(), oldValues: numbers(), returns: numbers(), weights: numbers() };
  return {
    ...(given as unknown as Record<keyof typeof given, tf.Tensor1D>),
    batch: input.batch,
    write(one: PpoBatch) {
      input.write(one.host);
      for (const [name, variable] of Object.entries(given)) overwrite(variable, one[name as keyof typeof given]);
    },
    dispose() {
      input.dispose();
      for (const variable of Object.values(given)) variable.dispose();
    },
  };
}

/** The policy's loss less the entropy that is gained, from its hidden states [B, T, C]; `measured` [6] is what `addMeasured` adds. */
export function policyObjective(
  { parameters, config }: Pick<TrainState, 'parameters' | 'config'>,
  hidden: tf.Tensor3D,
  { batch, oldLogProbs, advantages, weights }: ReturnType<typeof ppoInputs>,
  { temperature, clip, dualClip, entropy: entropyWeight }: PpoStepOptions,
): { objective: tf.Scalar; measured: tf.Tensor } {
  const { logProbs, entropy } = targetLogProbs(parameters, config, hidden, batch.targets, temperature);
  const surrogate = policyLoss(logProbs, oldLogProbs, advantages, weights, { clip, dualClip });
  const gained = tf.sum(tf.mul(entropy, weights)) as tf.Scalar;
  const { loss, clipFraction, approxKl, ratio, largestRatio } = surrogate;
  return {
    objective: entropyWeight === 0 ? loss : tf.sub(loss, tf.mul(entropyWeight, gained)),
    measured: tf.stack([loss, clipFraction, approxKl, ratio, gained, largestRatio]),
  };
}

/** What a step has found before its first batch. */
export function nothing(): PpoStepResult {
  return {
    ...{ policyLoss: 0, clipFraction: 0, approxKl: 0, ratio: 0, largestRatio: 0, entropy: 0 },
    ...{ valueLoss: 0, valueClipFraction: 0, gradNorm: 0 },
  };
}

export function addMeasured(result: PpoStepResult, measured: ArrayLike<number>): void {
  result.policyLoss += measured[0];
  result.clipFraction += measured[1];
  result.approxKl += measured[2];
  result.ratio += measured[3];
  result.entropy += measured[4];
  result.largestRatio = Math.max(result.largestRatio, measured[5]);
}

/** The whole loss of the policy. */
export function policyTotal({ policyLoss, entropy, ptx }: PpoStepResult, options: PpoStepOptions): number {
  return policyLoss - options.entropy * entropy + (ptx ? options.ptx!.coefficient * ptx.loss : 0);
}

/**
 * The language-model objective on pretraining text, beside the policy's (PPO-ptx). Its gradients have buffers of their own, so that both norms are known.
 * Source: Ouyang et al. 2022, eq. 2, with means in the stead of sums.
 */
export function textObjective(
  { parameters, config }: TrainState,
  { gradients, lossScale }: Updater,
  ptx: NonNullable<PpoStepOptions['ptx']>,
) {
  const input = inputs(ptx.B, ptx.T);
  const scale = constant(tf.scalar(0));
  const own = new Map([...gradients].map(([name, { shape }]) => [name, variableOf(undefined, shape)]));
  const pass = recorded(() => [
    accumulateGradients(
      parameters,
      own,
      () => {
        const hidden = forward(parameters, config, input.batch);
        return tf.mul(languageModelLoss(parameters, config, hidden, input.batch.targets), scale);
      },
      lossScale,
    ),
  ]);
  return {
    /** Adds the gradient of coefficient · mean loss to the policy's. */
    async add(rows: HostBatch): Promise<NonNullable<PpoStepResult['ptx']>> {
      input.write(rows);
      overwrite(scale, Float32Array.of(ptx.coefficient / rows.weight));
      const [[loss]] = await values(pass.run());
      const scaled = lossScale ? lossScaleOf((await lossScale.data()) as Float32Array).scale : 1;
      const [policyGradNorm, gradNorm] = [(await norm(gradients)) / scaled, (await norm(own)) / scaled];
      for (const [name, gradient] of own) {
        accumulate(gradients.get(name)!, gradient);
        overwrite(gradient, new Float32Array(gradient.size));
      }
      return { loss: loss / ptx.coefficient, gradNorm, policyGradNorm };
    },
    dispose() {
      pass.dispose();
      input.dispose();
      for (const variable of [scale, ...own.values()]) variable.dispose();
    },
  };
}

async function norm(gradients: ReadonlyMap<string, tf.Tensor>): Promise<number> {
  const squares = tf.tidy(() => tf.stack([...gradients.values()].map((gradient) => tf.sum(tf.square(gradient)))));
  const sums = (await squares.data()) as Float32Array;
  squares.dispose();
  return Math.sqrt(sums.reduce((a, b) => a + b, 0));
}

export const values = (tensors: readonly tf.Tensor[]) => Promise.all(tensors.map((tensor) => tensor.data()));
