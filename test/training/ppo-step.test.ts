import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { loadCheckpoint } from '../../checkpoints/load.js';
import { type Episode, judges, type Lesson, ppoBatches } from '../../evaluation/rollout.js';
import { type ModelConfig, SCORE } from '../../model/config.js';
import { toDisk } from '../../model/layout.js';
import { parametersFrom } from '../../model/parameters.js';
import { type PpoStepOptions, type PpoStepResult, ppoStepper } from '../../training/ppo-step.js';
import { disposeState, type TrainState, trainState } from '../../training/state.js';
import { fixturePath, largestDifference } from '../model/fixtures.js';
import { onEveryDevice, onNative } from '../ops/conformance.js';

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

/** One step at learning rates of 0, and the gradients that it has found. */
async function gradientsOf(
  name: string,
  shape: { B: number; T: number },
  rates: { policy?: number; critic: number } = { policy: 0, critic: 0 },
): Promise<PpoStepResult & { policy: Map<string, Float32Array>; critic: Map<string, Float32Array>; notReplayed: string | undefined }> {
  const { policy, critic } = await statesOf(name);
  const { temperature, clip, valueClip, dualClip, entropyCoefficient: entropy } = oracleOf(name);
  const options: PpoStepOptions = { policy: ADAM, critic: ADAM, temperature, clip, valueClip, dualClip, entropy };
  const step = ppoStepper(policy, critic, shape, options);
  const read = async ({ config, moment1 }: TrainState) => {
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
    onEveryDevice(`judges each token as PyTorch does, at its place among others: ${name}`, async () => {
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

    onEveryDevice(`has PyTorch's losses, and its gradients of every parameter of both models: ${name}`, async () => {
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

  onNative('is replayed, not gone through again', async () => {
    assert.equal((await gradientsOf(NAMES[0], { B: 1, T: 14 })).notReplayed, undefined);
  });

  onNative('leaves the policy alone where it has no rate', async () => {
    const { gradNorm, criticGradNorm, policy } = await gradientsOf(NAMES[0], { B: 1, T: 14 }, { critic: 0 });
    assert.ok(gradNorm === 0 && criticGradNorm > 0);
    for (const gradient of policy.values()) assert.ok(gradient.every((g) => g === 0));
  });
});
