import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs';
import { overwrite } from '../../backends/recording.js';
import { type SamplingOptions, sampleTokens, topTokens } from '../../ops/sample.js';
import { philox } from '../../util/random.js';
import { draw, samplingOracle } from '../oracles/sample.js';
import { assertClose, assertSameBitsOnAnyThreads, onEveryDevice, onNative, randomIntegers, randomTensor } from './conformance.js';

const SEED = 2 ** 35 + 5;

/** Keys of rows that stand at `position` of prompts `first`, `first` + 1, … */
function keysOf(B: number, { update = 4, first = 0, position = 9 } = {}): tf.Variable {
  const keys = tf.variable(tf.zeros([B, 5], 'int32'), false);
  const values = Array.from({ length: B }, (_, i) => [SEED | 0, Math.floor(SEED / 2 ** 32), update, first + i, position]);
  overwrite(keys, Int32Array.from(values.flat()));
  return keys;
}

function uniform(update: number, prompt: number, position: number): number {
  const [high, low] = philox([SEED >>> 0, Math.floor(SEED / 2 ** 32)], [position, prompt, update, 0x53414d50]);
  return ((high >>> 5) * 2 ** 26 + (low >>> 6)) / 2 ** 53;
}

async function sample(logits: tf.Tensor, options: SamplingOptions, key = {}): Promise<{ ids: number[]; logProbs: number[] }> {
  const keys = keysOf(logits.shape[0]!, key);
  try {
    const { ids, logProbs } = sampleTokens(logits as tf.Tensor2D, keys as tf.Tensor as tf.Tensor2D, options);
    return { ids: [...(await ids.data())], logProbs: [...(await logProbs.data())] };
  } finally {
    keys.dispose();
  }
}

const RULES: Record<string, Partial<SamplingOptions>> = {
  'the whole distribution': {},
  'temperature 0.5': { temperature: 0.5 },
  'temperature 3': { temperature: 3 },
  'top-k 5': { topK: 5 },
  'top-k 1': { topK: 1 },
  'top-k beyond the vocabulary': { topK: 100000 },
  'top-p 0.7': { topP: 0.7 },
  'top-p 0': { topP: 0 },
  'min-p 0.2': { minP: 0.2 },
  'all filters': { temperature: 1.3, topK: 20, topP: 0.9, minP: 0.05 },
  'a repetition penalty': { repetitionPenalty: 1.7 },
  greedy: { temperature: 0 },
  'greedy with a repetition penalty': { temperature: 0, repetitionPenalty: 3 },
};

describe('sampling', () => {
  for (const [name, rule] of Object.entries(RULES)) {
    for (const [B, V] of [
      [30, 65],
      [8, 1000],
    ]) {
      onEveryDevice(`draws from ${name} of [${B}, ${V}] what the oracle draws, with its log-probability`, async () => {
        const logits = randomTensor([B, V], 1, { scale: 2 });
        const previous = tf.tensor2d(randomIntegers(B * 12, 2, -1, V), [B, 12], 'int32');
        const full = { temperature: 1, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, ...rule };
        const { ids, logProbs } = await sample(logits, { ...full, previous });
        const rows = (await logits.array()) as number[][];
        const before = await previous.array();
        const expected = rows.map((row, i) => draw(samplingOracle(row, full, before[i]), uniform(4, i, 9)));
        assert.deepEqual(ids, expected);
        const plain = rows.map((row, i) => {
          const all = samplingOracle(row, { ...full, temperature: full.temperature || 1, topK: 0, topP: 1, minP: 0 });
          return Math.log(all[ids[i]]);
        });
        await assertClose(logProbs, plain, { K: V, scale: 8 });
      });
    }
  }

  onEveryDevice('takes the lowest id of equals', async () => {
    const logits = tf.tensor2d([
      [0, 2, 2, 1, 2],
      [3, 3, 3, 3, 3],
    ]);
    assert.deepEqual((await sample(logits, { temperature: 0 })).ids, [1, 0]);
    const { ids } = topTokens(logits as tf.Tensor2D, 4);
    assert.deepEqual(await ids.array(), [
      [1, 2, 4, 3],
      [0, 1, 2, 3],
    ]);
  });

  onEveryDevice('draws each token as often as its probability says', async () => {
    const p = [0.1, 0.2, 0.3, 0.4];
    const logits = tf.tile(tf.log(tf.tensor2d([p])), [4000, 1]);
    const { ids } = await sample(logits, { temperature: 1 });
    for (const [id, share] of p.entries()) {
      const found = ids.filter((drawn) => drawn === id).length / 4000;
      assert.ok(Math.abs(found - share) < 4 * Math.sqrt((share * (1 - share)) / 4000), `token ${id}: ${found}`);
    }
  });

  onEveryDevice('draws anew for every update, prompt and position', async () => {
    const logits = tf.zeros([40, 1000]);
    const all = [{}, { update: 5 }, { first: 40 }, { position: 10 }].map((key) => sample(logits, { temperature: 1 }, key));
    assert.equal(new Set((await Promise.all(all)).map(({ ids }) => String(ids))).size, 4);
  });

  onNative('gives a row of a batch what it gets alone, on any number of threads', async () => {
    const logits = randomTensor([9, 5000], 1, { scale: 3 });
    const options = { temperature: 0.9, topK: 300, topP: 0.95 };
    const all = await sample(logits, options);
    for (const i of [0, 4, 8]) {
      const alone = await sample(tf.slice(logits, [i, 0], [1, 5000]), options, { first: i });
      assert.deepEqual([alone.ids[0], alone.logProbs[0]], [all.ids[i], all.logProbs[i]]);
    }
    const keys = keysOf(9) as tf.Tensor as tf.Tensor2D;
    await assertSameBitsOnAnyThreads(() => Object.values(sampleTokens(logits as tf.Tensor2D, keys, options)));
    keys.dispose();
  });

  onEveryDevice('handles logits of ±10,000 and masked tokens', async () => {
    const low = Number.NEGATIVE_INFINITY;
    const logits = tf.tensor2d([
      [1e4, -1e4, 0],
      [low, 5, low],
    ]);
    for (const rule of [{}, { topP: 0.9 }, { topK: 2 }]) {
      const { ids, logProbs } = await sample(logits, { temperature: 1, ...rule });
      assert.deepEqual(
        [ids, logProbs.map(Math.abs)],
        [
          [0, 1],
          [0, 0],
        ],
      );
    }
  });

  onNative('refuses NaN', async () => {
    const logits = tf.tensor2d([
      [1, 2],
      [Number.NaN, 1],
    ]);
    await assert.rejects(sample(logits, { temperature: 1 }), /the logits of a row hold NaN or infinity; received 1/);
    assert.throws(() => topTokens(logits, 1), /NaN/);
  });
});

describe('the most probable tokens', () => {
  for (const [B, V, k] of [
    [1, 2, 1],
    [7, 65, 8],
    [3, 8192, 20],
    [2, 30, 30],
  ]) {
    onEveryDevice(`are the ${k} best of [${B}, ${V}], best first, with their log-probabilities`, async () => {
      const logits = randomTensor([B, V], 3, { scale: 2 });
      const { ids, logProbs } = topTokens(logits as tf.Tensor2D, k);
      const rows = (await logits.array()) as number[][];
      const expected = rows.map((row) => [...row.keys()].sort((a, b) => row[b] - row[a] || a - b).slice(0, k));
      assert.deepEqual(await ids.array(), expected);
      const rule = { temperature: 1, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1 };
      const values = rows.flatMap((row, i) => expected[i].map((id) => Math.log(samplingOracle(row, rule)[id])));
      await assertClose(logProbs, values, { K: V, scale: 8 });
    });
  }
});
