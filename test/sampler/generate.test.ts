import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs';
import { beamSearch } from '../../sampler/beam.js';
import { decoder } from '../../sampler/decoder.js';
import { type GenerateOptions, generate } from '../../sampler/generate.js';
import { expectedOf, FIXTURES, withFixture } from '../model/fixtures.js';
import { onDevices, onEveryDevice, onNative } from '../ops/conformance.js';

const none: ReadonlySet<number> = new Set();
const PROMPTS = [[5], [7, 8, 9], [11, 12, 13, 14, 15, 16], [5], [20, 21]];
const WILD: GenerateOptions = {
  sampling: { temperature: 1.2, topK: 30, topP: 0.95, minP: 0.01 },
  maxTokens: 20,
  seed: 2 ** 40 + 7,
  eos: none,
};

describe('greedy generation', () => {
  for (const name of FIXTURES) {
    onEveryDevice(`gives the tokens of transformers' generate, with and without repetition penalty: ${name}`, async () => {
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
  onEveryDevice('gives each prompt of a batch what it gets alone, and in smaller batches', async () => {
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
