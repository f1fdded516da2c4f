import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import { readSafetensors } from '../../checkpoints/safetensors.js';
import { emptyBatch, type HostBatch } from '../../datasets/packing.js';
import type { ModelConfig } from '../../model/config.js';
import { languageModelLosses } from '../../model/heads.js';
import { toDisk } from '../../model/layout.js';
import type { Parameters } from '../../model/parameters.js';
import { forward } from '../../model/transformer.js';
import { frozenParameters } from '../../training/freeze.js';
import { disposeState, trainState } from '../../training/state.js';
import { inputs, type StepOptions, type StepResult, stepper } from '../../training/step.js';
import { RandomStream } from '../../util/random.js';
import { largestDifference, withFixture } from '../model/fixtures.js';
import { bitsOf, onNative, onTrainingDevices } from '../ops/conformance.js';

/** Packed conversations and what PyTorch computes with them; made by test/oracles/sft_batch.py. */
interface Oracle {
  contextLength: number;
  batchSize: number;
  ids: number[];
  positions: number[];
  segments: number[];
  targets: number[];
  losses: number[];
  loss: number;
  weights: number[];
  smoothing: number;
  weighted: number;
}

const NAMES = ['hf-llama-tiny', 'hf-gpt2-tiny'];
const fixture = (file: string) => path.join(path.dirname(fileURLToPath(import.meta.url)), 'fixtures', file);
const oracleOf = (name: string) => JSON.parse(readFileSync(fixture(`sft-${name}.json`), 'utf8')) as Oracle;

function batchOf(oracle: Oracle, weighted = false): HostBatch {
  const { contextLength, batchSize } = oracle;
  const batch = emptyBatch(batchSize, contextLength, 0);
  for (const field of ['ids', 'positions', 'segments', 'targets'] as const) batch[field].set(oracle[field]);
  if (weighted) batch.weights = Float32Array.from(oracle.weights);
  return counted(batch);
}

/** The batch with its sums. */
function counted(batch: HostBatch): HostBatch {
  batch.supervised = batch.targets.filter((target) => target >= 0).length;
  batch.weight = batch.weights ? batch.weights.reduce((sum, weight) => sum + weight, 0) : batch.supervised;
  return batch;
}

/** Rows `from` … `to` of a batch. */
function rowsOf(batch: HostBatch, from: number, to: number): HostBatch {
  const T = batch.contextLength;
  const part = emptyBatch(to - from, T, 0);
  for (const field of ['ids', 'positions', 'segments', 'targets'] as const) part[field].set(batch[field].subarray(from * T, to * T));
  if (batch.weights) part.weights = batch.weights.slice(from * T, to * T);
  return counted(part);
}

/** Each conversation of a batch in a row of its own. */
function unpacked(batch: HostBatch): HostBatch {
  const T = batch.contextLength;
  const starts = [...batch.segments.keys()].filter((i) => batch.segments[i] >= 0 && batch.positions[i] === 0);
  const alone = emptyBatch(starts.length, T, 0);
  for (const [row, start] of starts.entries()) {
    for (let i = start; i < start + T && batch.segments[i] === batch.segments[start] && batch.positions[i] === i - start; i++) {
      const at = row * T + i - start;
      for (const field of ['ids', 'positions', 'targets'] as const) alone[field][at] = batch[field][i];
      alone.segments[at] = 0;
    }
  }
  return counted(alone);
}

/** Rows of random conversations with masks and weights. */
function randomBatch(B: number, T: number, vocabulary: number): HostBatch {
  const random = new RandomStream(4, 0);
  const batch = emptyBatch(B, T, 0);
  batch.weights = new Float32Array(B * T);
  for (let row = 0; row < B; row++) {
    const length = T - random.below(6);
    const second = 3 + random.below(10);
    for (let i = 0; i < length; i++) {
      const at = row * T + i;
      batch.ids[at] = random.below(vocabulary);
      batch.segments[at] = i < second ? 0 : 1;
      batch.positions[at] = i < second ? i : i - second;
      if (i === second - 1 || i === length - 1 || random.below(2) === 0) continue;
      batch.targets[at] = random.below(vocabulary);
      batch.weights[at] = i < second ? 0.5 : 2;
    }
  }
  return counted(batch);
}

/** Calls `body` with a fixture's model, dropout off. */
function withModel(
  name: string,
  body: (model: { config: ModelConfig; parameters: Map<string, tf.Variable> }) => Promise<void>,
): Promise<void> {
  return withFixture(name, ({ config, parameters }) => body({ config: { ...config, dropout: 0 }, parameters }));
}

const SETTINGS: StepOptions = { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.1, maxGradNorm: 1, seed: 9 };

/** The gradients that a step of these batches takes, by name in memory. With β1 = 0 they are what the first moment becomes. */
async function gradientsOf(
  model: { config: ModelConfig; parameters: Parameters },
  batches: readonly HostBatch[],
  options: Partial<StepOptions> = {},
): Promise<StepResult & { gradients: Map<string, Float32Array> }> {
  const parameters = new Map([...model.parameters].map(([name, parameter]) => [name, tf.variable(parameter)]));
  const state = trainState(model.config, parameters);
  const [{ batchSize, contextLength }] = batches;
  const step = stepper(state, batchSize, contextLength, { ...SETTINGS, beta1: 0, weightDecay: 0, maxGradNorm: 0, ...options });
  try {
    const result = await step.step(batches, 0);
    const gradients = new Map<string, Float32Array>();
    for (const [name, moment] of state.moment1) gradients.set(name, (await moment.data()) as Float32Array);
    return { ...result, gradients };
  } finally {
    step.dispose();
    disposeState(state);
  }
}

/** |a − b| / |b| over all of two sets of gradients. */
function distance(a: ReadonlyMap<string, Float32Array>, b: ReadonlyMap<string, Float32Array>): number {
  let [difference, size] = [0, 0];
  for (const [name, values] of b) {
    values.forEach((value, i) => {
      difference += (a.get(name)![i] - value) ** 2;
      size += value ** 2;
    });
  }
  return Math.sqrt(difference / size);
}

describe('the training step of a packed batch of conversations', () => {
  for (const name of NAMES) {
    onTrainingDevices(`has PyTorch's loss for each token, and its gradient of every parameter, to 1e-4: ${name}`, async () => {
      const oracle = oracleOf(name);
      const expected = await readSafetensors(fixture(`sft-${name}.safetensors`));
      await withModel(name, async (model) => {
        const { config, parameters } = model;
        const input = inputs(oracle.batchSize, oracle.contextLength);
        input.write(batchOf(oracle));
        const { losses } = tf.tidy(() => ({
          ...languageModelLosses(parameters, config, forward(parameters, config, input.batch), input.batch.targets),
        }));
        assert.ok(largestDifference(await losses.data(), oracle.losses) < 1e-5);
        input.dispose();

        const { loss, tokens, gradients } = await gradientsOf(model, [batchOf(oracle)]);
        assert.ok(Math.abs(loss - oracle.loss) < 1e-5, `loss ${loss}`);
        assert.equal(tokens, oracle.targets.filter((target) => target >= 0).length);
        const onDisk = toDisk(config, (memory) => gradients.get(memory)!);
        assert.deepEqual(onDisk.map((tensor) => tensor.name).sort(), [...expected.keys()].sort());
        for (const { name: tensor, data } of onDisk) {
          const difference = largestDifference(await data(), expected.get(tensor)!.data as Float32Array);
          assert.ok(difference < 1e-5, `${tensor}: off by ${difference}`);
        }
      });
    });

    onTrainingDevices(`has PyTorch's loss with weights and label smoothing: ${name}`, async () => {
      const oracle = oracleOf(name);
      await withModel(name, async (model) => {
        const { loss } = await gradientsOf(model, [batchOf(oracle, true)], { labelSmoothing: oracle.smoothing });
        assert.ok(Math.abs(loss - oracle.weighted) < 1e-5, `loss ${loss}, not ${oracle.weighted}`);
      });
    });

    onTrainingDevices(`is that of each conversation padded by itself, to 1e-5: ${name}`, async () => {
      const packed = batchOf(oracleOf(name));
      await withModel(name, async (model) => {
        const [together, alone] = [await gradientsOf(model, [packed]), await gradientsOf(model, [unpacked(packed)])];
        assert.ok(Math.abs(together.loss - alone.loss) < 1e-5);
        for (const [parameter, values] of together.gradients) {
          const difference = largestDifference(values, alone.gradients.get(parameter)!);
          assert.ok(difference < 1e-5, `${parameter}: off by ${difference}`);
        }
      });
    });
  }
});

describe('a training step', () => {
  onTrainingDevices('has the same gradients for 1 × 8 as for 8 × 1, with weights, smoothing, dropout and noise, to 1e-6', async () => {
    await withModel('hf-llama-tiny', async ({ config, parameters }) => {
      const model = { config: { ...config, dropout: 0.1 }, parameters };
      const whole = randomBatch(8, 20, config.vocab_size);
      const options = { labelSmoothing: 0.1, neftuneNoiseAlpha: 5 };
      const one = await gradientsOf(model, [whole], options);
      for (const rows of [1, 2, 4]) {
        const parts = Array.from({ length: 8 / rows }, (_, i) => rowsOf(whole, i * rows, (i + 1) * rows));
        const many = await gradientsOf(model, parts, options);
        assert.ok(Math.abs(many.loss - one.loss) < 1e-6 * one.loss, `loss ${many.loss}, not ${one.loss}`);
        const off = distance(many.gradients, one.gradients);
        assert.ok(off < 1e-6, `${rows} rows at a time: off by ${off}`);
      }
    });
  });

  onTrainingDevices('takes nothing from a batch without supervised tokens, and refuses a whole step of them', async () => {
    await withModel('hf-gpt2-tiny', async (model) => {
      const batch = rowsOf(batchOf(oracleOf('hf-gpt2-tiny')), 0, 1);
      const none = counted({ ...batch, targets: batch.targets.map(() => -1) });
      const [one, both] = [await gradientsOf(model, [batch]), await gradientsOf(model, [none, batch, none])];
      assert.equal(both.loss, one.loss);
      assert.deepEqual(both.gradients, one.gradients);
      await assert.rejects(gradientsOf(model, [none, none]), /step 1: no token of its 2 batches is supervised/);
    });
  });

  onTrainingDevices('gives with weights of 1 the bits that it gives without', async () => {
    await withModel('hf-llama-tiny', async (model) => {
      const batch = batchOf(oracleOf('hf-llama-tiny'));
      const weighted = { ...batch, weights: Float32Array.from(batch.targets, (target) => (target >= 0 ? 1 : 0)) };
      assert.deepEqual(await gradientsOf(model, [batch, batch]), await gradientsOf(model, [weighted, batch]));
    });
  });

  onTrainingDevices(
    'leaves frozen parameters and their moments as they are, out of the norm, and gives the others the same gradients',
    async () => {
      for (const [name, patterns] of [
        ['hf-llama-tiny', ['*embed_tokens*', 'model.layers.0.*']],
        ['hf-llama-tiny', ['model.layers.1.self_attn.*', '*norm*']],
        ['hf-llama-tiny-untied', ['lm_head.weight']],
        ['hf-llama-tiny-untied', ['model.*']],
        ['hf-gpt2-tiny', ['transformer.wte.*', 'transformer.wpe.*']],
        ['hf-gpt2-tiny', ['*.bias', 'transformer.h.1.mlp.*', 'transformer.wpe.weight']],
      ] as const) {
        await withModel(name, async (model) => {
          const frozen = frozenParameters(model.config, patterns);
          const batch = randomBatch(2, 20, model.config.vocab_size);
          const [all, some] = [await gradientsOf(model, [batch]), await gradientsOf(model, [batch], { frozen })];
          assert.equal(some.loss, all.loss);
          let squares = 0;
          for (const [parameter, values] of all.gradients) {
            const actual = some.gradients.get(parameter)!;
            assert.deepEqual(actual, frozen.has(parameter) ? new Float32Array(values.length) : values, `${patterns}: ${parameter}`);
            for (const value of actual) squares += value ** 2;
          }
          assert.ok(Math.abs(some.gradNorm - Math.sqrt(squares)) < 1e-5 * some.gradNorm);
        });
      }
    },
  );

  onTrainingDevices('moves what is not frozen only', async () => {
    await withModel('hf-gpt2-tiny', async ({ config, parameters }) => {
      const before = new Map<string, Uint8Array>();
      for (const [name, parameter] of parameters) before.set(name, await bitsOf(parameter));
      const state = trainState(config, parameters);
      const frozen = frozenParameters(config, ['transformer.h.0.*', 'transformer.w*']);
      const step = stepper(state, 2, 20, { ...SETTINGS, frozen });
      for (let i = 0; i < 2; i++) await step.step([randomBatch(2, 20, config.vocab_size)], 1e-2);
      for (const [name, bits] of before) {
        const same = Buffer.compare(await bitsOf(parameters.get(name)!), bits) === 0;
        assert.equal(same, frozen.has(name), name);
      }
      step.dispose();
      for (const moments of [state.moment1, state.moment2]) for (const moment of moments.values()) moment.dispose();
    });
  });

  onNative('is replayed with weights, smoothing, noise and frozen parameters, to the bit', async () => {
    await withModel('hf-llama-tiny', async ({ config, parameters }) => {
      const options = { ...SETTINGS, labelSmoothing: 0.1, neftuneNoiseAlpha: 5, frozen: frozenParameters(config, ['model.layers.0.*']) };
      const batches = [0, 1, 2, 3].map((i) => [rowsOf(randomBatch(8, 20, config.vocab_size), 2 * i, 2 * i + 2)]);
      const run = async (fresh: boolean) => {
        // Copies of the values: AdamW writes in place, and a variable of a tensor shares its memory.
        const copies = new Map([...parameters].map(([name, parameter]) => [name, copyOf(parameter)]));
        const state = trainState({ ...config, dropout: 0.1 }, copies);
        let step = stepper(state, 2, 20, options);
        for (const batch of batches) {
          await step.step(batch, 1e-2);
          assert.equal(step.notReplayed, undefined);
          if (!fresh) continue;
          step.dispose();
          step = stepper(state, 2, 20, options);
        }
        const bits = await Promise.all([...copies.values()].map(bitsOf));
        step.dispose();
        disposeState(state);
        return bits;
      };
      assert.deepEqual(await run(false), await run(true));
    });
  });

  onTrainingDevices('draws noise of α/√(L·C) for a segment of L tokens, none on padding', async () => {
    const oracle = oracleOf('hf-llama-tiny');
    const input = inputs(oracle.batchSize, oracle.contextLength, { noise: { alpha: 5, hiddenSize: 32 } });
    input.write(batchOf(oracle));
    const scales = await input.noiseScale!.data();
    const lengths = oracle.segments.map((segment, i) => {
      const row = Math.floor(i / oracle.contextLength);
      return oracle.segments.filter((other, j) => other === segment && Math.floor(j / oracle.contextLength) === row).length;
    });
    oracle.segments.forEach((segment, i) => {
      assert.equal(scales[i], segment < 0 ? 0 : Math.fround(5 / Math.sqrt(lengths[i] * 32)));
    });
    input.dispose();

    await withModel('hf-llama-tiny', async (model) => {
      const lossAt = async (neftuneNoiseAlpha: number, seed: number) =>
        (await gradientsOf(model, [batchOf(oracle)], { neftuneNoiseAlpha, seed })).loss;
      assert.ok(Math.abs((await lossAt(0, 1)) - oracle.loss) < 1e-5);
      const noisy = [await lossAt(5, 1), await lossAt(5, 1), await lossAt(5, 2)];
      assert.equal(noisy[0], noisy[1]);
      assert.notEqual(noisy[0], noisy[2]);
      assert.ok(Math.abs(noisy[0] - oracle.loss) > 1e-4);
    });
  });
});

function copyOf(parameter: tf.Variable): tf.Variable {
  return tf.tidy(() => tf.variable(tf.mul(parameter, 1)));
}
