import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs';
import { useDevice } from '../../backends/device.js';
import { meanPooledStates } from '../../evaluation/mean-pooled-states.js';
import { packedSequences, packedShape } from '../../evaluation/packed-sequences.js';
import { sequenceLosses } from '../../evaluation/sequence-losses.js';
import { logits } from '../../model/heads.js';
import { initialParameters, type Parameters } from '../../model/parameters.js';
import { forward } from '../../model/transformer.js';
import { trainTokenizer } from '../../tokenizer/index.js';
import { RandomStream } from '../../util/random.js';
import { tinyConfig } from '../sampler/tiny-model.js';

describe('sequences in packed batches', () => {
  const config = tinyConfig(trainTokenizer(['abc'], { kind: 'char' }));
  const random = new RandomStream(7, 0);
  const sequences = [3, 20, 1, 9, 20, 2, 14].map((length) => Array.from({ length }, () => random.below(config.vocab_size)));
  let parameters: Parameters;
  before(async () => {
    await useDevice('auto', { threads: 1, warn: () => {} });
    parameters = initialParameters(config, 5);
  });
  after(() => {
    for (const parameter of parameters.values()) parameter.dispose();
  });

  /** The model's pass over one sequence by itself: hidden states [T][C] and logits [T][V]. */
  const alone = async (ids: readonly number[]) => {
    const [states, scores] = tf.tidy(() => {
      const whole = (values: readonly number[]) => tf.tensor2d([...values], [1, ids.length], 'int32');
      const batch = { ids: whole(ids), positions: whole(ids.map((_, t) => t)), segments: whole(ids.map(() => 0)) };
      const hidden = forward(parameters, config, batch);
      return [tf.squeeze(hidden, [0]), tf.squeeze(logits(parameters, config, hidden), [0])] as tf.Tensor2D[];
    });
    return { states: await states.array(), scores: await scores.array() };
  };

  it('stand in as few rows as first-fit decreasing needs, each whole and in one place', () => {
    const seen: number[] = [];
    let rows = 0;
    for (const { batch, places } of packedSequences(
      sequences.map((ids) => ({ ids })),
      2,
      24,
    )) {
      // biome-ignore format: short
      rows += new Set(places.map(({ from }) => Math.floor(from / 24))).size;
      for (const { sequence, from, length } of places) {
        seen.push(sequence);
        assert.deepEqual([...batch.ids.slice(from, from + length)], sequences[sequence]);
        assert.equal(Math.floor(from / 24), Math.floor((from + length - 1) / 24));
        assert.deepEqual([...batch.positions.slice(from, from + length)], sequences[sequence].map((_, t) => t)); // biome-ignore format: short
        assert.deepEqual([...batch.targets.slice(from, from + length)], [...sequences[sequence].slice(1), -1]);
      }
    }
    assert.deepEqual(seen.toSorted((a, b) => a - b), [0, 1, 2, 3, 4, 5, 6]); // biome-ignore format: short
    assert.equal(rows, 3); // 20 + 3 + 1, 20 + 2, 14 + 9
    assert.throws(() => [...packedSequences([{ ids: new Array(25).fill(0) }], 1, 24)], /a sequence has 25 tokens, and a row 24/);
  });

  it('stand in batches of B rows, half as many, a quarter, …: up to a sixteenth of a batch is empty', () => {
    const sizes = (rows: number, B: number) =>
      [...packedSequences(Array.from({ length: rows }, () => ({ ids: [1, 2] })), B, 3)].map(({ batch }) => batch.batchSize); // biome-ignore format: short
    assert.deepEqual([sizes(64, 21), sizes(5, 6), sizes(6, 6), sizes(1, 6), sizes(0, 6)], [[21, 21, 21, 1], [3, 2], [6], [1], []]); // biome-ignore format: short
    assert.deepEqual([sizes(15, 16), sizes(14, 16), sizes(20, 21)], [[16], [8, 4, 2], [21]]); // biome-ignore format: short
  });

  it('have rows as long as the longest needs, and no longer than the context', () => {
    const shape = (...lengths: number[]) => packedShape(lengths.map((length) => ({ ids: new Array<number>(length) })), { ...config, max_position_embeddings: 1000 }); // biome-ignore format: one line
    assert.deepEqual(
      [shape(3, 200, 9), shape(600), shape()],
      [
        { B: 16, T: 256 },
        { B: 4, T: 1000 },
        { B: 4096, T: 1 },
      ],
    );
    assert.throws(() => shape(5, 1001), /a sequence has 1001 tokens, and the model's context 1000/);
  });

  it('have the losses that each has alone, of the tokens that are to be predicted', async () => {
    const supervised = sequences.map((ids) => ids.map((_, t) => Number(t % 3 === 1)));
    const found = await sequenceLosses({ config, parameters }, sequences.map((ids, i) => ({ ids, supervised: supervised[i] }))); // biome-ignore format: short
    for (const [i, ids] of sequences.entries()) {
      const { scores } = await alone(ids);
      let [loss, tokens] = [0, 0];
      for (let t = 1; t < ids.length; t++) {
        if (!supervised[i][t]) continue;
        const row = scores[t - 1];
        loss += Math.log(row.reduce((sum, x) => sum + Math.exp(x), 0)) - row[ids[t]];
        tokens++;
      }
      assert.equal(found[i].tokens, tokens);
      assert.ok(Math.abs(found[i].loss - loss) < 1e-4, `${found[i].loss} ${loss}`);
    }
  });

  it('have the mean of the hidden states that each has alone', async () => {
    const found = await meanPooledStates({ config, parameters }, sequences);
    for (const [i, ids] of sequences.entries()) {
      const { states } = await alone(ids);
      found[i].forEach((value, c) => {
        const mean = states.reduce((sum, row) => sum + row[c], 0) / ids.length;
        assert.ok(Math.abs(value - mean) < 1e-5, `${value} ${mean}`);
      });
    }
  });

  it('leave no tensor behind', async () => {
    const before = tf.memory().numTensors;
    await sequenceLosses({ config, parameters }, [{ ids: sequences[0] }]);
    await meanPooledStates({ config, parameters }, sequences);
    assert.equal(tf.memory().numTensors, before);
  });
});
