import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs';
import { recorded } from '../../backends/recording.js';
import type { ModelConfig } from '../../model/config.js';
import { logits } from '../../model/heads.js';
import { initialParameters, type Parameters } from '../../model/parameters.js';
import { type Batch, forward } from '../../model/transformer.js';
import { assertSameBitsOnAnyThreads, bitsOf, onEveryDevice, onNative } from '../ops/conformance.js';
import { expectedOf, FIXTURES, largestDifference, withFixture } from './fixtures.js';

/** Rows of a batch: a list of segments each, filled up to the longest row with padding. */
function batchOf(rows: number[][][]): Batch {
  const T = Math.max(...rows.map((row) => row.flat().length));
  const fill = (values: number[], padding: number) => [...values, ...Array<number>(T - values.length).fill(padding)];
  const ids = rows.map((row) => fill(row.flat(), 0));
  const positions = rows.map((row) =>
    fill(
      row.flatMap((segment) => segment.map((_, t) => t)),
      0,
    ),
  );
  const segments = rows.map((row) =>
    fill(
      row.flatMap((segment, s) => segment.map(() => s)),
      -1,
    ),
  );
  const tensor = (values: number[][]) => tf.tensor2d(values, [rows.length, T], 'int32');
  return { ids: tensor(ids), positions: tensor(positions), segments: tensor(segments) };
}

function allLogits(model: { config: ModelConfig; parameters: Parameters }, batch: Batch): tf.Tensor3D {
  return tf.tidy(() => logits(model.parameters, model.config, forward(model.parameters, model.config, batch))) as tf.Tensor3D;
}

describe('the Transformer', () => {
  for (const name of FIXTURES) {
    onEveryDevice(`gives the logits of transformers to 1e-4: ${name}`, async () => {
      const { ids, logits: expected } = expectedOf(name);
      await withFixture(name, async (model) => {
        for (const [i, row] of ids.entries()) {
          const actual = await allLogits(model, batchOf([[row]])).data();
          assert.ok(largestDifference(actual, expected[i].flat()) < 1e-4);
        }
      });
    });

    onEveryDevice(`gives a segment of a packed row, padded, what it gives it alone: ${name}`, async (device) => {
      const { ids } = expectedOf(name);
      await withFixture(name, async (model) => {
        const V = model.config.vocab_size;
        const packed = await allLogits(model, batchOf([[ids[1], ids[0], ids[2]], [ids[1]]])).data();
        const alone = await Promise.all(ids.map((row) => allLogits(model, batchOf([[row]])).data()));
        const parts = [alone[1], alone[0], alone[2]];
        let at = 0;
        for (const part of [...parts.map((values) => ({ values, row: 0 })), { values: alone[1], row: 1 }]) {
          if (part.row === 1) at = V * ids.flat().length;
          const difference = largestDifference(packed.slice(at, at + part.values.length), part.values);
          assert.ok(difference < 1e-5, `off by ${difference} on ${device.name}`);
          at += part.values.length;
        }
      });
    });
  }

  for (const name of FIXTURES) {
    onEveryDevice(`gives the tokens that are wanted the bits that it gives them without saying so: ${name}`, async () => {
      const { ids } = expectedOf(name);
      await withFixture(name, async ({ config, parameters }) => {
        const batch = batchOf([[ids[2]], [ids[1], ids[0]]]);
        const chosen = (await batch.segments.data()).map((segment, t) => (segment >= 0 && t % 3 === 1 ? 0 : -1));
        const wanted = tf.tensor2d(chosen, batch.segments.shape, 'int32');
        const [some, all] = [
          await bitsOf(forward(parameters, config, batch, { wanted })),
          await bitsOf(forward(parameters, config, batch)),
        ];
        const bytes = 4 * config.hidden_size;
        for (const [t, is] of chosen.entries())
          if (is === 0) assert.deepEqual(some.slice(t * bytes, (t + 1) * bytes), all.slice(t * bytes, (t + 1) * bytes), `token ${t}`);
      });
    });
  }

  onNative('gives the same bits with any number of threads, and when it is replayed', async () => {
    const { ids } = expectedOf(FIXTURES[0]);
    await withFixture(FIXTURES[0], async (model) => {
      const batch = batchOf([[ids[2]], [ids[1], ids[0]]]);
      await assertSameBitsOnAnyThreads(() => allLogits(model, batch));
      const once = await bitsOf(allLogits(model, batch));
      const pass = recorded(() => [allLogits(model, batch)]);
      for (let run = 0; run < 3; run++) assert.deepEqual(await bitsOf(pass.run()[0]), once);
      assert.equal(pass.notReplayed, undefined);
      pass.dispose();
    });
  });

  onNative('begins with small random weights, scaled down where a layer writes to the stream', async () => {
    await withFixture(FIXTURES[0], async ({ config }) => {
      const deviation = async (seed: number, name: string) => {
        const parameters = initialParameters(config, seed);
        const { mean, variance } = tf.moments(parameters.get(name)!);
        const values = [(await mean.data())[0], Math.sqrt((await variance.data())[0])];
        for (const parameter of parameters.values()) parameter.dispose();
        return values;
      };
      const [mean, table] = await deviation(1, 'model.embed_tokens.weight');
      const [, projection] = await deviation(1, 'model.layers.1.mlp.down_proj.weight');
      assert.ok(Math.abs(mean) < 0.002 && Math.abs(table - 0.02) < 0.002, `mean ${mean}, deviation ${table}`);
      assert.ok(Math.abs(projection - 0.02 / Math.sqrt(2 * config.num_hidden_layers)) < 0.001, `deviation ${projection}`);
      assert.notDeepEqual(await deviation(2, 'model.embed_tokens.weight'), [mean, table]);
    });
  });
});
