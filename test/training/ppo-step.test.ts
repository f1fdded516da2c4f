import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { loadCheckpoint } from '../../checkpoints/load.js';
import { type Episode, judges, type Lesson, ppoBatches } from '../../evaluation/rollout.js';
import { type ModelConfig, SCORE } from '../../model/config.js';
import { toDisk } from '../../model/layout.js';
import { parametersFrom } from '../../model/parameters.js';
import { headState } from '../../training/critic-state.js';
import { sharedPpoStepper } from '../../training/ppo-shared-step.js';
import { type PpoStepOptions, type PpoStepResult, ppoStepper } from '../../training/ppo-step.js';
import { disposeState, type TrainState, trainState } from '../../training/state.js';
import { fixturePath, largestDifference } from '../model/fixtures.js';
import { onNative, onTrainingDevices } from '../ops/conformance.js';

/** Episodes and what PyTorch and transformers compute with them; made by test/oracles/ppo_step.py. */
interface Oracle {
  temperature: number;
  clip: number;
  valueClip: number;
  dualClip: number;
  entropyCoefficient: number;
  head: number[];
  episodes: (Record<'prompt' | 'response', number[]> &
    Record<'oldLogProbs' | 'advantages' | 'oldValues' | 'returns' | 'logProbs' | 'entropy' | 'values', number[]>)[];
  policyLoss: number;
  entropy: number;
  valueLoss: number;
  policy: Record<string, [number, number]>;
  critic: Record<string, [number, number]>;
}

const NAMES = ['hf-llama-tiny', 'hf-gpt2-tiny'];
const oracleOf = (name: string) =>
  JSON.parse(readFileSync(path.join(import.meta.dirname, 'fixtures', `ppo-step-${name}.json`), 'utf8')) as Oracle;
// With β₁ 0 the first moment is the gradient; a learning rate of 0 moves nothing.
const ADAM = { beta1: 0, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, maxGradNorm: 0 };

function lessonsOf({ episodes }: Oracle): Lesson[] {
  return episodes.map(({ prompt, response, oldLogProbs, oldValues, advantages, returns, logProbs }) => {
    const of = { ids: prompt, prompt: [{ role: 'user' as const, content: '' }], source: '' };
    const episode: Episode = { of, response, text: '', ended: true, sampled: logProbs };
    return { episode, oldLogProbs, oldValues, advantages, returns };
  });
}

async function statesOf(name: string): Promise<{ policy: TrainState; critic: TrainState }> {
  const { config, weights } = await loadCheckpoint(fixturePath(name));
  const withHead = new Map(weights).set(SCORE, Float32Array.from(oracleOf(name).head));
  const scoring: ModelConfig = { ...config, head: 'scalar' };
  return { policy: trainState(config, parametersFrom(config, weights)), critic: trainState(scoring, parametersFrom(scoring, withHead)) };
}

/** The fixture as a policy, and its head on it. */
async function sharedStatesOf(name: string): Promise<{ policy: TrainState; critic: TrainState }> {
  const { config, weights } = await loadCheckpoint(fixturePath(name));
  const critic = headState(config, Float32Array.from(oracleOf(name).head));
  return { policy: trainState(config, parametersFrom(config, weights)), critic };
}

function optionsOf(name: string): PpoStepOptions {
  const { temperature, clip, valueClip, dualClip, entropyCoefficient: entropy } = oracleOf(name);
  return { policy: ADAM, critic: ADAM, temperature, clip, valueClip, dualClip, entropy };
}

type Gradients = PpoStepResult & { policy: Map<string, Float32Array>; critic: Map<string, Float32Array>; notReplayed: string | undefined };

/** One step at learning rates of 0, and the gradients that it has found; with `valueCoefficient` of a critic that is a head on the policy. */
async function gradientsOf(
  name: string,
  shape: { B: number; T: number },
  rates: { policy?: number; critic: number } = { policy: 0, critic: 0 },
  valueCoefficient?: number,
): Promise<Gradients> {
  const { policy, critic } = await (valueCoefficient === undefined ? statesOf : sharedStatesOf)(name);
  const options = optionsOf(name);
  const step =
    valueCoefficient === undefined
      ? ppoStepper(policy, critic, options)
      : sharedPpoStepper(policy, critic, { ...options, valueCoefficient });
  const read = async ({ config, moment1 }: TrainState) => {
    if (moment1.size === 1) return new Map([[SCORE, ((await moment1.get(SCORE)!.data()) as Float32Array).slice()]]);
    const moments = new Map<string, Float32Array>();
    for (const [parameter, moment] of moment1) moments.set(parameter, ((await moment.data()) as Float32Array).slice());
    const onDisk = new Map<string, Float32Array>();
    for (const { name, data } of toDisk(config, (memory) => moments.get(memory)!)) onDisk.set(name, Float32Array.from(await data()));
    return onDisk;
  };
  try {
    const result = await step.step(ppoBatches(lessonsOf(oracleOf(name)), shape), rates);
    return { ...result, policy: await read(policy), critic: await read(critic), notReplayed: step.notReplayed };
  } finally {
    step.dispose();
    disposeState(policy);
    disposeState(critic);
  }
}

const close = (actual: number, expected: number, what: string) =>
  assert.ok(Math.abs(actual - expected) < 1e-5 * Math.max(1, Math.abs(expected)), `${what}: ${actual}, not ${expected}`);

describe('a step of PPO', () => {
  for (const name of NAMES) {
    onTrainingDevices(`judges each token as PyTorch does, at its place among others: ${name}`, async () => {
      const oracle = oracleOf(name);
      const { policy, critic } = await statesOf(name);
      const panel = judges(policy, policy, critic, { B: 2, T: 14 }, oracle.temperature);
      const judged = await panel.judge(lessonsOf(oracle).map(({ episode }) => episode));
      panel.dispose();
      disposeState(policy);
      disposeState(critic);
      judged.forEach(({ logProbs, refLogProbs, entropy, values, divergence }, i) => {
        const expected = oracle.episodes[i];
        for (const [
          found,
          wanted,
        ] of [[logProbs, expected.logProbs], [refLogProbs, expected.logProbs], [entropy, expected.entropy], [values, expected.values]]) // biome-ignore format: pairs
          assert.ok(found.length === wanted.length && largestDifference(found, wanted) < 1e-5, `episode ${i}`);
        assert.ok(divergence.every((value) => value === 0)); // of the policy from itself
      });
    });

    onTrainingDevices(`has PyTorch's losses, and its gradients of every parameter of both models: ${name}`, async () => {
      const oracle = oracleOf(name);
      const found = await gradientsOf(name, { B: 1, T: 14 }); // several batches, several episodes a row
      close(found.policyLoss, oracle.policyLoss, 'policy loss');
      close(found.entropy, oracle.entropy, 'entropy');
      close(found.valueLoss, oracle.valueLoss, 'value loss');
      for (const model of ['policy', 'critic'] as const) {
        assert.deepEqual([...found[model].keys()].sort(), Object.keys(oracle[model]).sort());
        for (const [tensor, [norm, projection]] of Object.entries(oracle[model])) {
          const gradient = Float64Array.from(found[model].get(tensor)!);
          close(Math.sqrt(gradient.reduce((sum, g) => sum + g * g, 0)), norm, `${model}, norm of ${tensor}`);
          close(gradient.reduce((sum, g, i) => sum + g * Math.sin(i + 1), 0), projection, `${model}, ${tensor}`); // biome-ignore format: short
        }
      }
    });
  }

  for (const name of NAMES) {
    onTrainingDevices(
      `with one trunk, its gradients are PyTorch's of the policy and, times the coefficient, of the critic together: ${name}`,
      async () => {
        // The fixture's policy and critic have the same trunk, so the gradient of a sum of losses is the sum of their gradients.
        const [oracle, c] = [oracleOf(name), 0.3];
        const found = await gradientsOf(name, { B: 1, T: 14 }, { policy: 0, critic: 0 }, c);
        const apart = await gradientsOf(name, { B: 1, T: 14 });
        close(found.policyLoss, oracle.policyLoss, 'policy loss');
        close(found.valueLoss, oracle.valueLoss, 'value loss');
        assert.deepEqual([...found.policy.keys()].sort(), Object.keys(oracle.policy).sort());
        const project = (gradient: Float32Array) => gradient.reduce((sum, g, i) => sum + g * Math.sin(i + 1), 0);
        for (const [tensor, gradient] of found.policy) {
          close(project(gradient), oracle.policy[tensor][1] + c * (oracle.critic[tensor]?.[1] ?? 0), tensor);
          const [own, values] = [apart.policy.get(tensor)!, apart.critic.get(tensor)];
          assert.ok(largestDifference(gradient, own.map((g, i) => g + c * (values?.[i] ?? 0))) < 1e-5, tensor); // biome-ignore format: short
        }
        close(project(found.critic.get(SCORE)!), c * oracle.critic[SCORE][1], 'head');
        assert.equal(found.criticGradNorm, undefined);
      },
    );
  }

  onNative('with one trunk, is replayed, and judges by the policy’s own hidden states', async () => {
    assert.equal((await gradientsOf(NAMES[0], { B: 1, T: 14 }, { policy: 0, critic: 0 }, 0.1)).notReplayed, undefined);
    const { policy, critic } = await sharedStatesOf(NAMES[0]);
    const panel = judges(policy, policy, critic, { B: 2, T: 14 }, 1);
    const judged = await panel.judge(lessonsOf(oracleOf(NAMES[0])).map(({ episode }) => episode));
    judged.forEach(({ values }, i) => { assert.ok(largestDifference(values, oracleOf(NAMES[0]).episodes[i].values) < 1e-5); }); // biome-ignore format: short
    panel.dispose();
    for (const state of [policy, critic]) disposeState(state);
  });

  onNative('with one trunk, moves the head alone where the policy has no rate, and then both, the head as at its first step', async () => {
    const read = async ({ parameters, moment1 }: TrainState) => {
      const all = await Promise.all([...parameters.values(), ...moment1.values()].map((variable) => variable.data()));
      return all.map((values) => [...values]);
    };
    const { policy, critic } = await sharedStatesOf(NAMES[0]);
    const step = sharedPpoStepper(policy, critic, { ...optionsOf(NAMES[0]), valueCoefficient: 0.1 });
    const batches = ppoBatches(lessonsOf(oracleOf(NAMES[0])), { B: 1, T: 14 });
    const [trunk, head] = [await read(policy), await read(critic)];
    for (let i = 0; i < 2; i++) {
      const { gradNorm, criticGradNorm } = await step.step(batches, { critic: 1e-3 });
      assert.ok(gradNorm === 0 && criticGradNorm! > 0);
    }
    assert.deepEqual(await read(policy), trunk);
    const warmed = await read(critic);
    assert.notDeepEqual(warmed, head);
    assert.deepEqual([policy.step, critic.step], [0, 2]);
    await step.step(batches, { policy: 1e-3, critic: 1e-3 });
    assert.notDeepEqual(await read(policy), trunk);
    assert.deepEqual([policy.step, critic.step], [1, 1]);
    // AdamW's first step from moments of 0 is the learning rate in the direction of the gradient's sign, whatever its size.
    const [after] = await read(critic);
    after.forEach((weight, i) => { assert.ok(Math.abs(Math.abs(weight - warmed[0][i]) - 1e-3) < 1e-5, `${weight - warmed[0][i]}`); }); // biome-ignore format: short
    step.dispose();
    for (const state of [policy, critic]) disposeState(state);
  });

  onNative('is replayed, not gone through again', async () => {
    assert.equal((await gradientsOf(NAMES[0], { B: 1, T: 14 })).notReplayed, undefined);
  });

  onNative('leaves the policy alone where it has no rate', async () => {
    const { gradNorm, criticGradNorm, policy } = await gradientsOf(NAMES[0], { B: 1, T: 14 }, { critic: 0 });
    assert.ok(gradNorm === 0 && criticGradNorm! > 0);
    for (const gradient of policy.values()) assert.ok(gradient.every((g) => g === 0));
  });
});
