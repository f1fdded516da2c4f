// Legend: B rows, T tokens of a row, C hidden size.
import * as tf from '@tensorflow/tfjs';
import { overwrite, recorded } from '../backends/recording.js';
import { tokenScores } from '../model/heads.js';
import { forward } from '../model/transformer.js';
import { accumulateGradients } from '../ops/gradients.js';
import { byShape } from './batch-passes.js';
import { valueLoss } from './ppo.js';
import {
  addMeasured,
  nothing,
  type PpoStepOptions,
  type PpoStepper,
  policyObjective,
  policyTotal,
  ppoInputs,
  textObjective,
  values,
} from './ppo-step.js';
import type { TrainState } from './state.js';
import { type Updater, updater } from './update.js';

/**
 * The step of PPO where policy and critic are one: the critic's only parameter is a head on the policy's hidden states, and one optimizer takes the sum
 * policy loss + valueCoefficient · value loss.
 * Without a rate for the policy the head learns alone, on hidden states that stay, with an optimizer of its own: its moments begin anew with the policy's first step,
 * so that both have made as many steps.
 * Source: Ziegler et al. 2019, section 2.2 and their code (value function coefficient .1).
 */
export function sharedPpoStepper(policy: TrainState, head: TrainState, options: PpoStepOptions & { valueCoefficient: number }): PpoStepper {
  const { valueCoefficient } = options;
  const both = bothOf(policy, head);
  const update = updater(both, options.policy);
  const headUpdate = updater(head, options.critic);
  const passes = byShape((B, T) => sharedPasses({ policy, head, both, update, headUpdate, B, T }, options));
  const text = options.ptx && textObjective(policy, update, options.ptx);

  return {
    get notReplayed() {
      return passes.notReplayed;
    },
    async step(batches, rates, rows) {
      const result = nothing();
      for (const one of batches) {
        const { write, pass, headPass } = passes.of(one.host);
        write(one);
        const measured = (await values((rates.policy === undefined ? headPass : pass).run())).slice(1);
        const [loss, clipped] = measured.at(-1)!;
        result.valueLoss += loss;
        result.valueClipFraction += clipped;
        if (rates.policy !== undefined) addMeasured(result, measured[0]);
      }
      if (rates.policy === undefined) {
        result.criticGradNorm = await headUpdate.update(result.valueLoss, rates.critic);
        return result;
      }
      if (text && rows) result.ptx = await text.add(rows);
      if (policy.step === 0) forget(head);
      result.gradNorm = await update.update(policyTotal(result, options) + valueCoefficient * result.valueLoss, rates.policy);
      return result;
    },
    dispose() {
      for (const one of [passes, update, headUpdate, text]) one?.dispose();
    },
  };
}

interface SharedModels {
  policy: TrainState;
  head: TrainState;
  both: TrainState;
  update: Updater;
  headUpdate: Updater;
}

/** The passes over batches of one shape, which add to the gradients: of both, and of the head alone. */
function sharedPasses(
  { policy, head, both, update, headUpdate, B, T }: SharedModels & { B: number; T: number },
  options: PpoStepOptions & { valueCoefficient: number },
) {
  const input = ppoInputs(B, T);
  const { batch, oldValues, returns, weights } = input;
  let kept: tf.Tensor[]; // what a pass measures beside its loss
  const read = () => forward(policy.parameters, policy.config, batch, { wanted: batch.targets });
  const judged = (hidden: tf.Tensor3D) =>
    valueLoss(tokenScores(head.parameters, hidden), oldValues, returns, weights, { clip: options.valueClip });

  const pass = recorded(() => {
    const loss = accumulateGradients(
      both.parameters,
      update.gradients,
      () => {
        const hidden = read();
        const { objective, measured } = policyObjective(policy, hidden, input, options);
        const { loss, clipFraction } = judged(hidden);
        kept = [tf.keep(measured), tf.keep(tf.stack([loss, clipFraction]))];
        return tf.add(objective, tf.mul(options.valueCoefficient, loss));
      },
      update.lossScale,
    );
    return [loss, ...kept];
  });
  const headPass = recorded(() => {
    const loss = accumulateGradients(
      both.parameters,
      headUpdate.gradients,
      () => {
        const { loss, clipFraction } = judged(read());
        kept = [tf.keep(tf.stack([loss, clipFraction]))];
        return loss;
      },
      headUpdate.lossScale,
    );
    return [loss, ...kept];
  });

  return {
    pass,
    headPass,
    get notReplayed() {
      return pass.notReplayed ?? headPass.notReplayed;
    },
    write: input.write,
    dispose() {
      for (const one of [pass, headPass, input]) one.dispose();
    },
  };
}

/** Policy and head as one optimizer moves them. */
function bothOf(policy: TrainState, head: TrainState): TrainState {
  return {
    config: policy.config,
    parameters: new Map([...policy.parameters, ...head.parameters]),
    moment1: new Map([...policy.moment1, ...head.moment1]),
    moment2: new Map([...policy.moment2, ...head.moment2]),
    get step() {
      return policy.step;
    },
    get lossScale() {
      return policy.lossScale;
    },
    set lossScale(scale) {
      policy.lossScale = scale;
    },
    set step(step) {
      policy.step = step;
      head.step = step;
    },
  };
}

function forget({ moment1, moment2 }: TrainState): void {
  for (const moment of [...moment1.values(), ...moment2.values()]) overwrite(moment, new Float32Array(moment.size));
}
