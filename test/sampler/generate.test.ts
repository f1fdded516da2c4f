import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs';
import { outputName } from '../../model/config.js';
import { forward } from '../../model/transformer.js';
import { logProbs } from '../../ops/log-probs.js';
import { beamSearch } from '../../sampler/beam.js';
import { type DecodingModel, decoder } from '../../sampler/decoder.js';
import { type GenerateOptions, generate } from '../../sampler/generate.js';
import { RandomStream } from '../../util/random.js';
import { expectedOf, FIXTURES, largestDifference, withFixture } from '../model/fixtures.js';
import { onDevices, onNative, onTrainingDevices } from '../ops/conformance.js';

const none: ReadonlySet<number> = new Set();
const PROMPTS = [[5], [7, 8, 9], [11, 12, 13, 14, 15, 16], [5], [20, 21]];
const WILD: GenerateOptions = {
  sampling: { temperature: 1.2, topK: 30, topP: 0.95, minP: 0.01 },
  maxTokens: 20,
  seed: 2 ** 40 + 7,
  eos: none,
};

/** log p of each of `tokens` after `prompt`, by the training pass and its op. */
async function trainingLogProbs(
  { config, parameters }: DecodingModel,
  prompt: readonly number[],
  tokens: readonly number[],
  temperature: number,
): Promise<number[]> {
  const ids = [...prompt, ...tokens];
  const T = ids.length - 1;
  const row = (values: number[]) => tf.tensor2d(values, [1, T], 'int32');
  const batch = { ids: row(ids.slice(0, -1)), positions: row(ids.slice(1).map((_, t) => t)), segments: row(new Array<number>(T).fill(0)) };
  const values = tf.tidy(() => {
    const hidden = forward(parameters, config, batch);
    const table = parameters.get(outputName(config)) as tf.Tensor as tf.Tensor2D;
    return logProbs(tf.reshape(hidden, [T, -1]), table, tf.tensor1d(ids.slice(1), 'int32'), { temperature }).logProbs;
  });
  const all = Array.from(await values.data());
  tf.dispose([values, ...Object.values(batch)]);
  return all.slice(prompt.length - 1);
}

describe('greedy generation', () => {
  for (const name of FIXTURES) {
    onTrainingDevices(`gives the tokens of transformers' generate, with and without repetition penalty: ${name}`, async () => {
      const { eos, greedy } = expectedOf(name);
      await withFixture(name, async (model) => {
        for (const penalty of new Set(greedy.map(({ repetition_penalty }) => repetition_penalty))) {
          const cases = greedy.filter(({ repetition_penalty }) => repetition_penalty === penalty);
          const { tokens } = await generate(
            model,
            cases.map(({ prompt }) => prompt),
            { sampling: { temperature: 0, repetitionPenalty: penalty }, maxTokens: cases[0].max_new_tokens, seed: 1, eos: new Set([eos]) },
          );
          assert.deepEqual(
            tokens,
            cases.map((one) => one.tokens),
          );
        }
      });
    });
  }
});

describe('beam search', () => {
  for (const name of FIXTURES) {
    onDevices(['native', 'wasm'], `gives the sequences and scores of transformers' generate: ${name}`, async () => {
      const { eos, beam } = expectedOf(name);
      await withFixture(name, async (model) => {
        for (const { prompt, max_new_tokens, num_beams, length_penalty, early_stopping, sequences } of beam) {
          const body = decoder(model, num_beams, prompt.length + max_new_tokens);
          const found = await beamSearch(body, prompt, {
            numBeams: num_beams,
            lengthPenalty: length_penalty,
            earlyStopping: early_stopping,
            maxTokens: max_new_tokens,
            eos: new Set([eos]),
          });
          body.dispose();
          assert.deepEqual(
            found.map(({ tokens }) => tokens),
            sequences.map(({ tokens }) => tokens),
          );
          for (const [i, { score }] of found.entries()) {
            assert.ok(
              Math.abs(score - sequences[i].score) < 1e-4 * Math.max(1, Math.abs(score)),
              `${score}, should be ${sequences[i].score}`,
            );
          }
        }
      });
    });
  }
});

describe('sampling', () => {
  onTrainingDevices('gives each prompt of a batch what it gets alone, and in smaller batches', async () => {
    await withFixture(FIXTURES[0], async (model) => {
      const { tokens } = await generate(model, PROMPTS, WILD);
      assert.deepEqual((await generate(model, PROMPTS, { ...WILD, batchSize: 2 })).tokens, tokens);
      for (const [i, prompt] of PROMPTS.entries()) {
        assert.deepEqual((await generate(model, [prompt], { ...WILD, numbers: [i] })).tokens, [tokens[i]]);
      }
    });
  });

  onNative('gives the same with the same seed, other texts with another seed and for equal prompts', async () => {
    await withFixture(FIXTURES[0], async (model) => {
      const { tokens } = await generate(model, PROMPTS, WILD);
      assert.deepEqual((await generate(model, PROMPTS, WILD)).tokens, tokens);
      assert.notDeepEqual((await generate(model, PROMPTS, { ...WILD, seed: 7 })).tokens, tokens, 'the seed is more than its low 32 bits');
      assert.notDeepEqual(tokens[0], tokens[3]);
    });
  });

  onNative('goes on where others have ended: at an end of text, where it is told, at the longest', async () => {
    await withFixture(FIXTURES[0], async (model) => {
      const { tokens } = await generate(model, PROMPTS, WILD);
      const eos = new Set([tokens[2][6]]);
      const seen: number[][] = PROMPTS.map(() => []);
      const { tokens: shorter } = await generate(model, PROMPTS, { ...WILD, eos }, (prompt, token) => {
        seen[prompt].push(token);
        return prompt === 1 && seen[1].length === 3;
      });
      const expected = tokens.map((text, i) => {
        const end = text.findIndex((id) => eos.has(id));
        return text.slice(0, Math.min(i === 1 ? 3 : text.length, end < 0 ? text.length : end + 1));
      });
      assert.deepEqual(shorter, expected);
      assert.deepEqual(seen, expected);
      assert.ok(new Set(expected.map(({ length }) => length)).size > 2);
    });
  });

  onNative('goes on past the context, the same in a batch as alone', async () => {
    await withFixture(FIXTURES[2], async (model) => {
      const long = { ...WILD, maxTokens: 2 * model.config.max_position_embeddings + 5 };
      const { tokens } = await generate(model, PROMPTS, long);
      for (const text of tokens) assert.equal(text.length, long.maxTokens);
      assert.deepEqual((await generate(model, [PROMPTS[2]], { ...long, numbers: [2] })).tokens[0], tokens[2]);
    });
  });

  onNative('keeps the batch full, and gives the same bits at any size of the batch', async () => {
    for (const name of [FIXTURES[1], FIXTURES[2]]) {
      await withFixture(name, async (model) => {
        const random = new RandomStream(1, 0);
        // Prompts of 1 to 12 tokens, many of them alike or beginning alike, and ends that come early or late.
        const beginning = [9, 10, 11, 12, 13, 14, 15];
        const prompts = Array.from({ length: 90 }, (_, i) =>
          i % 3 === 0 ? [...beginning, 20 + (i % 9)] : Array.from({ length: 1 + random.below(12) }, () => 3 + random.below(40)),
        );
        const eos = new Set([3, 17, 30, 41]);
        for (const sampling of [{ temperature: 1 }, { ...WILD.sampling, repetitionPenalty: 1.2 }]) {
          const options = { ...WILD, sampling, eos, seed: prompts.map((_, i) => 1000 + i) };
          const expected = await generate(model, prompts, { ...options, batchSize: 1 });
          for (const batchSize of [16, 64, 100]) {
            const { tokens, logProbs, finishReasons } = await generate(model, prompts, { ...options, batchSize });
            assert.deepEqual(tokens, expected.tokens);
            assert.deepEqual(logProbs, expected.logProbs);
            assert.deepEqual(finishReasons, expected.finishReasons);
          }
          const alone = await generate(model, [prompts[70]], { ...options, seed: [1070] });
          assert.deepEqual([alone.tokens[0], alone.logProbs[0]], [expected.tokens[70], expected.logProbs[70]]);
          assert.deepEqual(new Set(expected.finishReasons), new Set(['stop', 'length']));
        }
      });
    }
  });

  onTrainingDevices('says of each token its log-probability in the training pass', async () => {
    for (const name of [FIXTURES[0], FIXTURES[2]]) {
      await withFixture(name, async (model) => {
        for (const temperature of [0.7, 0]) {
          const sampling = { temperature, topK: 8, topP: 0.9, repetitionPenalty: 1.3 };
          const result = await generate(model, PROMPTS, { ...WILD, sampling, maxTokens: 12 });
          for (const [i, prompt] of PROMPTS.entries()) {
            const expected = await trainingLogProbs(model, prompt, result.tokens[i], temperature || 1);
            assert.ok(largestDifference(result.logProbs[i], expected) < 1e-5, `${result.logProbs[i]}, should be ${expected}`);
          }
        }
      });
    }
  });

  onNative('ends at the end of the context where it is not to slide', async () => {
    await withFixture(FIXTURES[2], async (model) => {
      const context = model.config.max_position_embeddings;
      const prompts = [Array.from({ length: context - 1 }, (_, i) => 3 + (i % 40)), [5], Array.from({ length: context - 7 }, () => 9)];
      const result = await generate(model, prompts, { ...WILD, maxTokens: 20, pastContext: 'stop' });
      assert.deepEqual(
        result.tokens.map(({ length }) => length),
        [1, 20, 7],
      );
      assert.deepEqual(result.finishReasons, ['length', 'length', 'length']);
      const sliding = await generate(model, prompts, { ...WILD, maxTokens: 20 });
      assert.deepEqual(
        sliding.tokens.map((text, i) => text.slice(0, result.tokens[i].length)),
        result.tokens,
      );
    });
  });

  onNative('gives each text when it is finished, and stops when it is told to', async () => {
    await withFixture(FIXTURES[0], async (model) => {
      const { tokens } = await generate(model, PROMPTS, WILD);
      const eos = new Set([tokens[2][6]]);
      const controller = new AbortController();
      const finished = new Map<number, number[]>();
      const stopped = generate(model, PROMPTS, {
        ...{ ...WILD, eos, signal: controller.signal },
        onFinished(prompt, text) {
          finished.set(prompt, text.tokens);
          controller.abort();
        },
      });
      await assert.rejects(stopped, { name: 'AbortError' });
      assert.ok(finished.size > 0 && finished.size < PROMPTS.length);
      const whole = await generate(model, PROMPTS, { ...WILD, eos });
      for (const [prompt, text] of finished) assert.deepEqual(text, whole.tokens[prompt]);
      assert.deepEqual(await generate(model, [], WILD), { tokens: [], logProbs: [], finishReasons: [], seconds: 0 });
    });
  });

  onNative('leaves nothing behind', async () => {
    await withFixture(FIXTURES[1], async (model) => {
      const { addon } = tf.engine().backend as unknown as { addon: { memory(): { buffers: number; reservedBytes: number } } };
      const held: number[][] = [];
      for (let run = 0; run < 3; run++) {
        await generate(model, PROMPTS, { ...WILD, sampling: { ...WILD.sampling, repetitionPenalty: 1.1 } });
        held.push([tf.memory().numTensors, tf.memory().numDataBuffers, addon.memory().buffers]);
      }
      assert.deepEqual(held[2], held[0]);
    });
  });
});
