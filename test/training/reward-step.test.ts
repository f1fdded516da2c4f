import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { loadCheckpoint } from '../../checkpoints/load.js';
import { readSafetensors } from '../../checkpoints/safetensors.js';
import type { RankedTokens } from '../../datasets/prepare-preferences.js';
import { scoreRows } from '../../evaluation/score-rows.js';
import { scorer } from '../../evaluation/scorer.js';
import { type ModelConfig, SCORE } from '../../model/config.js';
import { toDisk } from '../../model/layout.js';
import { parametersFrom } from '../../model/parameters.js';
import {
  type BatchShape,
  batchShape,
  type Objective,
  type RankedGroup,
  rankedBatches,
  rankedGroup,
} from '../../training/ranked-batches.js';
import { type RewardStepOptions, type RewardStepResult, rewardStepper } from '../../training/reward-step.js';
import { disposeState, trainState } from '../../training/state.js';
import { fixturePath, largestDifference } from '../model/fixtures.js';
import { onNative, onTrainingDevices } from '../ops/conformance.js';

/** Ranked answers and what PyTorch, transformers and TRL compute with them; made by test/oracles/reward_batch.py. */
interface Oracle {
  head: number[];
  groups: { ids: number[][]; ranks: number[]; margins: number[] }[];
  scores: number[][];
  loss: number;
  plackettLuce: number;
  trl: number;
}

const NAMES = ['hf-llama-tiny', 'hf-gpt2-tiny'];
const fixture = (file: string) => path.join(import.meta.dirname, 'fixtures', file);
const oracleOf = (name: string) => JSON.parse(readFileSync(fixture(`reward-${name}.json`), 'utf8')) as Oracle;
const OBJECTIVE: Objective = { head: 'scalar', loss: 'bradley_terry', ties: 'half', labelSmoothing: 0 };
// With β₁ 0 the first moment is the gradient; a learning rate of 0 moves nothing.
const OPTIONS: RewardStepOptions = {
  ...{ beta1: 0, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, maxGradNorm: 0, seed: 3 },
  objective: OBJECTIVE,
  centerRewards: 0,
};

function rowsOf({ groups }: Oracle): RankedTokens[] {
  return groups.map(({ ids, ranks, margins }, row) => ({
    ids: ids.map((one) => Int32Array.from(one)),
    ...{ ranks, margins, row, source: 'a' },
    responseTokens: ids.map(() => 2),
  }));
}

const groupsOf = (rows: readonly RankedTokens[], objective = OBJECTIVE) =>
  rows.map((row) => rankedGroup(row, objective, [7], { seed: 1, epoch: 0 }));

async function modelOf(name: string, more: Partial<ModelConfig> = {}) {
  const { config, weights } = await loadCheckpoint(fixturePath(name));
  weights.set(SCORE, Float32Array.from(oracleOf(name).head));
  const scoring: ModelConfig = { ...config, dropout: 0, head: 'scalar', ...more };
  return { config: scoring, parameters: parametersFrom(scoring, weights) };
}

/** One step at a learning rate of 0, and the gradients that it has found. */
async function gradientsOf(
  name: string,
  groups: readonly RankedGroup[],
  {
    shape = batchShape(groups, 64),
    model,
    ...more
  }: Partial<RewardStepOptions> & { shape?: BatchShape; model?: Partial<ModelConfig> } = {},
): Promise<RewardStepResult & { gradients: Map<string, Float32Array>; config: ModelConfig }> {
  const { config, parameters } = await modelOf(name, model);
  const state = trainState(config, parameters);
  const step = rewardStepper(state, shape, { ...OPTIONS, ...more });
  try {
    const result = await step.step(rankedBatches(groups, shape, 2), 0);
    const gradients = new Map<string, Float32Array>();
    for (const [parameter, moment] of state.moment1) gradients.set(parameter, ((await moment.data()) as Float32Array).slice());
    return { ...result, gradients, config };
  } finally {
    step.dispose();
    disposeState(state);
  }
}

/** Gradients above 1 may differ in proportion: their rounding does. */
function assertSame(a: ReadonlyMap<string, Float32Array>, b: ReadonlyMap<string, Float32Array>, tolerance: number): void {
  for (const [name, values] of b) {
    const difference = largestDifference(a.get(name)!, values);
    const within = tolerance * Math.max(1, ...values.map(Math.abs));
    assert.ok(difference < within, `${name}: off by ${difference}`);
  }
}

describe('a reward model', () => {
  for (const name of NAMES) {
    onTrainingDevices(`gives the scores of transformers' sequence classification, to 1e-4: ${name}`, async () => {
      const oracle = oracleOf(name);
      const { config, parameters } = await modelOf(name);
      const scoring = scorer(config, parameters, 20, 9);
      const found = await scoreRows(rowsOf(oracle), (texts) => scoring.score(texts), undefined);
      scoring.dispose();
      for (const parameter of parameters.values()) parameter.dispose();
      assert.ok(largestDifference(found.flatMap(({ scores }) => Array.from(scores)), oracle.scores.flat()) < 1e-5); // biome-ignore format: short
    });

    onTrainingDevices(`has PyTorch's loss of a K-way batch, and its gradient of every parameter: ${name}`, async () => {
      const oracle = oracleOf(name);
      const expected = await readSafetensors(fixture(`reward-${name}.safetensors`));
      const { loss, gradients, config } = await gradientsOf(name, groupsOf(rowsOf(oracle)));
      assert.ok(Math.abs(loss - oracle.loss) < 1e-5, `loss ${loss}, not ${oracle.loss}`);
      const onDisk = toDisk(config, (memory) => gradients.get(memory)!);
      assert.deepEqual(onDisk.map((tensor) => tensor.name).sort(), [...expected.keys()].sort());
      for (const { name: tensor, data } of onDisk) {
        const difference = largestDifference(await data(), expected.get(tensor)!.data as Float32Array);
        assert.ok(difference < 1e-5, `${tensor}: off by ${difference}`);
      }
    });

    onTrainingDevices(`has TRL's loss of pairs with margins and centring: ${name}`, async () => {
      const oracle = oracleOf(name);
      const pairs = rowsOf(oracle).map((row) => ({
        ...row,
        ids: row.ids.slice(0, 2),
        ranks: row.ranks.slice(0, 2),
        margins: row.margins!.slice(0, 2),
      }));
      const { loss } = await gradientsOf(name, groupsOf(pairs), { centerRewards: 0.01 });
      assert.ok(Math.abs(loss - oracle.trl) < 1e-5, `loss ${loss}, not ${oracle.trl}`);
    });

    onTrainingDevices(`has PyTorch's Plackett-Luce loss: ${name}`, async () => {
      const oracle = oracleOf(name);
      const objective: Objective = { ...OBJECTIVE, loss: 'plackett_luce', ties: 'ignore' };
      const untied = rowsOf(oracle).filter(({ ranks }) => new Set(ranks).size === ranks.length);
      const { loss } = await gradientsOf(name, groupsOf(untied, objective), { objective });
      assert.ok(Math.abs(loss - oracle.plackettLuce) < 1e-5, `loss ${loss}, not ${oracle.plackettLuce}`);
    });

    onTrainingDevices(`learns from K answers at once what it learns from their pairs one by one, to 1e-5: ${name}`, async () => {
      const [row] = rowsOf(oracleOf(name)); // four answers, six pairs
      const pairs = [0, 1, 2].flatMap((i) => [1, 2, 3].filter((j) => j > i).map((j) => [i, j]));
      const oneByOne = pairs.map((pair): RankedTokens => {
        const of = <T>(list: readonly T[]) => pair.map((i) => list[i]);
        return { ...row, ids: of(row.ids), ranks: of(row.ranks), margins: of(row.margins!), responseTokens: of(row.responseTokens) };
      });
      const [together, apart] = [await gradientsOf(name, groupsOf([row])), await gradientsOf(name, groupsOf(oneByOne))];
      assert.ok(Math.abs(together.loss - apart.loss) < 1e-5);
      assertSame(together.gradients, apart.gradients, 1e-5);
      assert.deepEqual([together.accuracy, together.tokens < apart.tokens / 2], [apart.accuracy, true]);
    });
  }

  onTrainingDevices('has the same gradients for one batch as for several that share the loss', async () => {
    const groups = groupsOf(rowsOf(oracleOf('hf-llama-tiny')));
    const one = await gradientsOf('hf-llama-tiny', groups, { shape: batchShape(groups, 400) });
    const small = batchShape(groups, 1);
    assert.ok(rankedBatches(groups, small, 0).length > 1);
    const many = await gradientsOf('hf-llama-tiny', groups, { shape: small });
    assert.ok(Math.abs(one.loss - many.loss) < 1e-6);
    assertSame(many.gradients, one.gradients, 1e-6);
  });

  onNative('with a pair head reads two answers in one text, whichever first, and is judged by both orders', async () => {
    const objective: Objective = { ...OBJECTIVE, head: 'pair' };
    const rows = rowsOf(oracleOf('hf-llama-tiny'));
    const groups = groupsOf(rows, objective);
    assert.deepEqual(groups.map(({ texts }) => texts.length), [6, 1, 3]); // biome-ignore format: short
    const firsts = groups.flatMap(({ pairs }) => pairs.map(({ plus }) => plus !== undefined));
    assert.deepEqual([firsts.includes(true), firsts.includes(false)], [true, true]);
    const model = { head: 'pair' as const, attention: 'bidirectional' as const };
    const { loss } = await gradientsOf('hf-llama-tiny', groups, { objective, model });
    // The loss from the scores of the texts, one by one.
    const { config, parameters } = await modelOf('hf-llama-tiny', model);
    const scoring = scorer(config, parameters, 40);
    const expected = [];
    for (const { texts, pairs } of groups) {
      const scores = await scoring.score(texts);
      const losses = pairs.map(({ plus, minus, target, margin }) => {
        const x = (plus === undefined ? -scores[minus!] : scores[plus]) - margin;
        return Math.log1p(Math.exp(x)) - target * x;
      });
      expected.push(losses.reduce((a, b) => a + b, 0) / losses.length);
    }
    assert.ok(Math.abs(loss - expected.reduce((a, b) => a + b, 0) / 3) < 1e-5);
    const [scored] = await scoreRows(rows, (texts) => scoring.score(texts), [7]);
    assert.ok(Math.abs(scored.difference!(0, 1) + scored.difference!(1, 0)) < 1e-6);
    scoring.dispose();
    for (const parameter of parameters.values()) parameter.dispose();
  });

  onTrainingDevices('keeps no tensor of a step', async () => {
    const groups = groupsOf(rowsOf(oracleOf('hf-llama-tiny')));
    const shape = batchShape(groups, 64);
    const { config, parameters } = await modelOf('hf-llama-tiny');
    const state = trainState(config, parameters);
    const step = rewardStepper(state, shape, { ...OPTIONS, beta1: 0.9 });
    const before = [];
    for (let i = 0; i < 3; i++) {
      await step.step(rankedBatches(groups, shape, 2), 1e-3);
      before.push(tf.memory().numTensors);
    }
    assert.deepEqual(before, [before[0], before[0], before[0]]);
    step.dispose();
    disposeState(state);
  });

  onNative('learns a ranking by heart', async () => {
    const groups = groupsOf(rowsOf(oracleOf('hf-llama-tiny')).map(({ margins, ...row }) => row), { ...OBJECTIVE, ties: 'ignore' }); // biome-ignore format: short
    const shape = batchShape(groups, 64);
    const { config, parameters } = await modelOf('hf-llama-tiny');
    const state = trainState(config, parameters);
    const step = rewardStepper(state, shape, { ...OPTIONS, beta1: 0.9, maxGradNorm: 1 });
    let last = { loss: 0, accuracy: 0 };
    for (let i = 0; i < 40; i++) last = await step.step(rankedBatches(groups, shape, 2), 5e-3);
    assert.deepEqual([last.accuracy, last.loss < 0.1], [1, true]);
    step.dispose();
    disposeState(state);
  });
});
