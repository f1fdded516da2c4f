import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs';
import { logits } from '../../model/heads.js';
import { forward } from '../../model/transformer.js';
import { type Decoder, type DecodingModel, decoder } from '../../sampler/decoder.js';
import { RandomStream } from '../../util/random.js';
import { expectedOf, FIXTURES, largestDifference, withFixture } from '../model/fixtures.js';
import { onNative, onTrainingDevices, type TestDevice } from '../ops/conformance.js';

/** Logits after each token of `ids`, from one pass over all of them: [T][V]. */
async function fullLogits({ config, parameters }: DecodingModel, ids: readonly number[]): Promise<Float32Array[]> {
  const T = ids.length;
  const row = (values: number[]) => tf.tensor2d(values, [1, T], 'int32');
  const batch = { ids: row([...ids]), positions: row(ids.map((_, t) => t)), segments: row(ids.map(() => 0)) };
  const all = await tf.tidy(() => logits(parameters, config, forward(parameters, config, batch))).data();
  tf.dispose(Object.values(batch));
  return ids.map((_, t) => Float32Array.from(all.subarray(t * config.vocab_size, (t + 1) * config.vocab_size)));
}

async function rowsOf(tensor: tf.Tensor2D): Promise<Float32Array[]> {
  const values = (await tensor.data()) as Float32Array;
  tensor.dispose();
  const [B, V] = tensor.shape;
  return Array.from({ length: B }, (_, row) => values.slice(row * V, (row + 1) * V));
}

/** The same bits on native, 1e-5 elsewhere. */
function assertSame(device: TestDevice, actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  const difference = largestDifference(actual, expected);
  assert.ok(difference <= (device.name === 'native' ? 0 : 1e-5), `off by ${difference}`);
}

function randomIds(count: number, seed: number): number[] {
  const random = new RandomStream(seed, 0);
  return Array.from({ length: count }, () => 3 + random.below(45));
}

describe('the decoder', () => {
  for (const name of FIXTURES) {
    onTrainingDevices(`gives after each token what one pass over all of them gives: ${name}`, async (device) => {
      await withFixture(name, async (model) => {
        const ids = expectedOf(name).ids[2].slice(0, 20);
        const full = await fullLogits(model, ids);
        const one = decoder(model, 1, ids.length);
        assertSame(device, (await rowsOf(one.feed([ids.slice(0, 8)])))[0], full[7]);
        for (let t = 8; t < ids.length; t++) assertSame(device, (await rowsOf(one.feed([[ids[t]]])))[0], full[t]);
        one.dispose();
      });
    });
  }

  onTrainingDevices('gives prompts of different lengths in one batch what each gets alone', async (device) => {
    for (const name of [FIXTURES[0], FIXTURES[2]]) {
      await withFixture(name, async (model) => {
        const prompts = [1, 13, 5, 24].map((length, i) => randomIds(length, i));
        const next = [...prompts.keys()].map((i) => randomIds(3, 10 + i));
        const together = decoder(model, prompts.length, 27);
        const batch = [await rowsOf(together.feed(prompts))];
        for (let t = 0; t < 3; t++) batch.push(await rowsOf(together.feed(next.map((tokens) => [tokens[t]]))));
        together.dispose();
        for (const [i, prompt] of prompts.entries()) {
          const alone = decoder(model, 1, 27);
          assertSame(device, batch[0][i], (await rowsOf(alone.feed([prompt])))[0]);
          for (let t = 0; t < 3; t++) assertSame(device, batch[t + 1][i], (await rowsOf(alone.feed([[next[i][t]]])))[0]);
          alone.dispose();
        }
      });
    }
  });

  onTrainingDevices('leaves a row without new tokens as it is', async (device) => {
    await withFixture(FIXTURES[0], async (model) => {
      const ids = randomIds(9, 1);
      const full = await fullLogits(model, ids);
      const two = decoder(model, 2, 12);
      two.read([ids.slice(0, 7), randomIds(3, 2)]);
      two.feed([[], [4]]).dispose();
      two.read([[ids[7]], []]);
      two.read([[], []]);
      assertSame(device, (await rowsOf(two.feed([[ids[8]], []])))[0], full[8]);
      two.dispose();
    });
  });

  onTrainingDevices('goes on from rows in another order, fewer of them or more', async (device) => {
    await withFixture(FIXTURES[0], async (model) => {
      const texts = [randomIds(6, 1), randomIds(6, 2), randomIds(6, 3)];
      const full = await Promise.all(texts.map((ids) => fullLogits(model, ids)));
      const rows = decoder(model, 3, 10);
      rows.read(texts.map((ids) => ids.slice(0, 3)));
      rows.feed(texts.map((ids) => [ids[3]])).dispose();
      for (const order of [
        [2, 1],
        [1, 1, 0, 0],
        [3, 0],
      ]) {
        rows.reorder(order);
        assert.equal(rows.rows, order.length);
      }
      // Rows were 0 1 2, then 2 1, then 1 1 2 2, now 2 1.
      for (const t of [4, 5]) {
        const [a, b] = await rowsOf(rows.feed([[texts[2][t]], [texts[1][t]]]));
        assertSame(device, a, full[2][t]);
        assertSame(device, b, full[1][t]);
      }
      rows.dispose();
    });
  });

  onTrainingDevices('starts again from the last half of the context where a row would pass it', async (device) => {
    await withFixture(FIXTURES[2], async (model) => {
      const context = model.config.max_position_embeddings;
      const ids = randomIds(context + context / 2 + 2, 5);
      const two = decoder(model, 2, ids.length);
      two.read([ids.slice(0, context - 1), [3]]);
      const after: Float32Array[] = [];
      for (const id of ids.slice(context - 1)) after.push((await rowsOf(two.feed([[id], []])))[0]);
      two.dispose();
      const windows = [
        ids.slice(0, context),
        ids.slice(context / 2 + 1, context + 1),
        ids.slice(context / 2 + 1, -1),
        ids.slice(-context / 2),
      ];
      for (const [i, at] of [0, 1, after.length - 2, after.length - 1].entries()) {
        assertSame(device, after[at], (await fullLogits(model, windows[i])).at(-1)!);
      }
    });
  });

  for (const name of [FIXTURES[0], FIXTURES[2]]) {
    onTrainingDevices(`goes on from a row that is cut back as from one that never had more, to the bit: ${name}`, async () => {
      await withFixture(name, async (model) => {
        const [start, end] = [randomIds(9, 1), randomIds(4, 2)];
        const logitsAfter = async (body: Decoder) => {
          const given = [await rowsOf(body.feed([end, end]))];
          for (const id of [7, 8, 9]) given.push(await rowsOf(body.feed([[id], []])));
          assert.deepEqual(body.held, [[...start, ...end, 7, 8, 9], end]);
          body.dispose();
          return given.map((rows, i) => (i === 0 ? rows : rows.slice(0, 1))); // a row without new tokens gives nothing
        };
        const fresh = decoder(model, 2, 24);
        fresh.read([start, []]);
        const expected = await logitsAfter(fresh);

        const cut = decoder(model, 2, 24);
        cut.read([start, []]);
        cut.read([randomIds(8, 3), randomIds(5, 4)]);
        for (const id of [3, 4, 5]) cut.feed([[id], [id]]).dispose(); // recorded steps are before and after the cut
        cut.cut([9, 0]);
        assert.deepEqual(await logitsAfter(cut), expected);
      });
    });
  }

  onNative('is cut to no more than it holds', async () => {
    await withFixture(FIXTURES[0], async (model) => {
      const two = decoder(model, 2, 10);
      two.read([[3, 4], [5]]);
      assert.throws(() => two.cut([2, 2]), RangeError);
      two.dispose();
    });
  });

  for (const name of [FIXTURES[0], FIXTURES[2]]) {
    onTrainingDevices(`begins texts anew in some rows, beside others that go on: ${name}`, async (device) => {
      await withFixture(name, async (model) => {
        const shared = randomIds(9, 1);
        const goesOn = [...shared, ...randomIds(6, 2)];
        const begun = [randomIds(14, 3), [...shared.slice(0, 7), ...randomIds(5, 4)], [...shared, ...randomIds(2, 5)], [...shared], []];
        const rows = decoder(model, 7, 24);
        rows.read([goesOn.slice(0, 12), ...Array.from({ length: 6 }, (_, i) => randomIds(3 + i, 6 + i))]);
        for (const id of goesOn.slice(12, 14)) rows.feed([[id], ...new Array<number[]>(6).fill([5])]).dispose();
        // Rows 1 to 6: two have the same text, one an empty one; all but the first have a beginning that row 0 has read.
        const texts = [begun[0], begun[1], begun[2], begun[1], begun[3], begun[4]];
        rows.restart([3, 2, 1, 6, 5, 4], texts);
        const held = [goesOn.slice(0, 14), texts[2], texts[1], texts[0], texts[5], texts[4], texts[3]].map((text) => [...text]);
        assert.deepEqual(rows.held, held);
        for (const next of [7, 8, 9]) {
          const given = await rowsOf(rows.feed(held.map(() => [next])));
          for (const [row, text] of held.entries()) {
            text.push(next);
            assertSame(device, given[row], (await fullLogits(model, text)).at(-1)!);
          }
        }
        rows.dispose();
      });
    });
  }

  onNative('reads no more of a text than no row has read', async () => {
    await withFixture(FIXTURES[0], async (model) => {
      const { backend } = tf.engine();
      const { addon } = backend as unknown as { addon: { kernels: Record<string, (...values: number[]) => void> } };
      const embedding = addon.kernels.embedding;
      let read = 0;
      addon.kernels.embedding = (...values) => {
        read += values.at(-3)!;
        embedding(...values);
      };
      const rows = decoder(model, 4, 30);
      try {
        const text = randomIds(20, 1);
        rows.restart([0, 1, 2], [text, text, text]);
        assert.equal(read, 20, 'equal texts are read once');
        rows.restart([0, 3], [[...text.slice(0, 15), 4, 5, 6], text]);
        assert.equal(read, 23, 'the beginning lies in row 1, and in row 0 itself');
        rows.restart([1], [text]);
        assert.equal(read, 23);
      } finally {
        addon.kernels.embedding = embedding;
        rows.dispose();
      }
    });
  });

  onNative('takes a step in one native call from the third on', async () => {
    await withFixture(FIXTURES[0], async (model) => {
      const { backend } = tf.engine();
      const { addon } = backend as unknown as { addon: { replay(plan: number): void } };
      const rows = decoder(model, 4, 20);
      rows.read([[3], [4, 5], [6], [7]]);
      for (let t = 0; t < 2; t++) rows.feed([[3], [4], [5], [6]]).dispose();
      const replay = addon.replay;
      let replays = 0;
      addon.replay = (plan) => {
        replays++;
        replay.call(addon, plan);
      };
      try {
        for (let t = 0; t < 3; t++) rows.feed([[3], [4], [5], [6]]).dispose();
      } finally {
        addon.replay = replay;
      }
      assert.equal(replays, 3);
      rows.dispose();
    });
  });
});
