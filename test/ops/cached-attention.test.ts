import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs';
import type { ModelConfig } from '../../model/config.js';
import { appended, createKvCache, disposeKvCache, dropOldest, type KvCache, reorderRows, takeTokens } from '../../model/kv-cache.js';
import { attention, cachedAttention } from '../../ops/attention.js';
import { assertClose, assertSameBitsOnAnyThreads, bitsOf, onEveryDevice, onNative, randomTensor } from './conformance.js';

interface Shape {
  B: number;
  T: number;
  heads: number;
  kvHeads: number;
  D: number;
}

const SHAPES: Record<string, Shape> = {
  'head size 32': { B: 2, T: 70, heads: 4, kvHeads: 4, D: 32 },
  'head size 48, 4 query heads a key head': { B: 1, T: 140, heads: 4, kvHeads: 1, D: 48 },
  'head size 64, 6 to 2 heads': { B: 3, T: 37, heads: 6, kvHeads: 2, D: 64 },
  'head size 80': { B: 1, T: 20, heads: 2, kvHeads: 2, D: 80 },
  'head size 20': { B: 2, T: 30, heads: 2, kvHeads: 1, D: 20 },
};

function cacheFor({ B, heads, kvHeads, D }: Shape, capacity: number): KvCache {
  const config = { num_hidden_layers: 1, num_attention_heads: heads, num_key_value_heads: kvHeads, hidden_size: heads * D };
  return createKvCache(config as ModelConfig, B, capacity);
}

const randomQkv = ({ B, T, heads, kvHeads, D }: Shape, seed = 1) => randomTensor([B, T, (heads + 2 * kvHeads) * D], seed) as tf.Tensor3D;

/** Rows [from, to) of every batch row. */
function tokens(qkv: tf.Tensor3D, from: number, to: number): tf.Tensor3D {
  return tf.slice(qkv, [0, from, 0], [qkv.shape[0], to - from, qkv.shape[2]]);
}

function whole(qkv: tf.Tensor3D, shape: Shape): tf.Tensor3D {
  return attention(qkv, tf.zeros([qkv.shape[0], qkv.shape[1]], 'int32'), { ...shape, mask: 'causal' });
}

/** Attention in pieces of the given lengths, over a cache. */
function inPieces(qkv: tf.Tensor3D, shape: Shape, lengths: number[], capacity = shape.T): tf.Tensor3D {
  const cache = cacheFor(shape, capacity);
  const outputs: tf.Tensor3D[] = [];
  let from = 0;
  for (const length of lengths) {
    outputs.push(cachedAttention(tokens(qkv, from, from + length), cache, 0, shape));
    appended(cache, length);
    from += length;
  }
  disposeKvCache(cache);
  return tf.concat(outputs, 1);
}

describe('attention over a cache', () => {
  for (const [name, shape] of Object.entries(SHAPES)) {
    const pieces = [shape.T - 13, 1, 1, 9, 1, 1];
    onEveryDevice(`equals attention over the whole sequence: ${name}`, async () => {
      const qkv = randomQkv(shape);
      await assertClose(inPieces(qkv, shape, pieces, shape.T + 3), await whole(qkv, shape).data(), { K: shape.T });
    });

    onNative(`has its bits: ${name}`, async () => {
      const qkv = randomQkv(shape);
      const expected = await bitsOf(whole(qkv, shape));
      assert.deepEqual(await bitsOf(inPieces(qkv, shape, pieces)), expected);
      assert.deepEqual(await bitsOf(inPieces(qkv, shape, [shape.T])), expected);
      assert.deepEqual(await bitsOf(inPieces(qkv, shape, new Array<number>(shape.T).fill(1))), expected);
    });
  }

  onEveryDevice('takes rows that bring different numbers of tokens, and gives the missing ones 0', async () => {
    const shape = { B: 3, T: 6, heads: 2, kvHeads: 1, D: 32 };
    const qkv = randomQkv(shape);
    const cache = cacheFor(shape, 8);
    cache.newTokens = tf.tensor1d([6, 2, 0], 'int32');
    const first = cachedAttention(qkv, cache, 0, shape);
    appended(cache, 6);
    assert.deepEqual(Array.from(await cache.lengths.data()), [6, 2, 0]);
    const next = randomQkv({ ...shape, T: 1 }, 2);
    const second = cachedAttention(next, cache, 0, shape);
    appended(cache, 1);
    assert.deepEqual(Array.from(await cache.lengths.data()), [7, 3, 1]);
    disposeKvCache(cache);

    for (const [row, count] of [6, 2, 0].entries()) {
      const own = (x: tf.Tensor3D, n: number) => tf.slice(x, [row, 0, 0], [1, n, x.shape[2]]);
      const expected = whole(tf.concat([own(qkv, count), own(next, 1)], 1), shape);
      await assertClose(own(first, count), await tokens(expected, 0, count).data(), { K: 6, scale: 1 });
      await assertClose(own(second, 1), await tokens(expected, count, count + 1).data(), { K: 6, scale: 1 });
      const rest = await tf.slice(first, [row, count, 0], [1, 6 - count, 64]).data();
      assert.ok(rest.every((value) => value === 0));
    }
  });

  onEveryDevice('forgets the oldest tokens, row by row, and goes on', async () => {
    const shape = { B: 2, T: 9, heads: 2, kvHeads: 2, D: 32 };
    const qkv = randomQkv(shape);
    const cache = cacheFor(shape, 9);
    cachedAttention(tokens(qkv, 0, 8), cache, 0, shape);
    appended(cache, 8);
    dropOldest(cache, tf.tensor1d([3, 8], 'int32'));
    assert.deepEqual(Array.from(await cache.lengths.data()), [5, 0]);
    const next = cachedAttention(tokens(qkv, 8, 9), cache, 0, shape);
    disposeKvCache(cache);
    for (const [row, from] of [3, 8].entries()) {
      const left = tf.slice(qkv, [row, from, 0], [1, 9 - from, qkv.shape[2]]) as tf.Tensor3D;
      await assertClose(tf.slice(next, [row, 0, 0], [1, 1, 64]), await tokens(whole(left, shape), 8 - from, 9 - from).data(), { K: 9 });
    }
  });

  onEveryDevice('follows rows that are taken from other rows', async () => {
    const shape = { B: 3, T: 5, heads: 2, kvHeads: 1, D: 32 };
    const qkv = randomQkv(shape);
    const cache = cacheFor(shape, 5);
    cachedAttention(tokens(qkv, 0, 4), cache, 0, shape);
    appended(cache, 4);
    const rows = tf.tensor1d([2, 0, 0, 1], 'int32');
    reorderRows(cache, rows);
    const taken = tf.gather(qkv, rows) as tf.Tensor3D;
    const next = cachedAttention(tokens(taken, 4, 5), cache, 0, shape);
    disposeKvCache(cache);
    await assertClose(next, await tokens(whole(taken, shape), 4, 5).data(), { K: 5 });
  });

  onEveryDevice('brings tokens to some rows of a cache, in any order, and leaves the others as they are', async (device) => {
    const shape = { B: 4, T: 7, heads: 4, kvHeads: 2, D: 32 };
    const qkv = randomQkv(shape);
    const slots = [3, 0];
    for (const T of [1, 3]) {
      const [all, some] = [cacheFor(shape, 7), cacheFor(shape, 7)];
      for (const cache of [all, some]) {
        cache.newTokens = tf.tensor1d([2, 4, 1, 3], 'int32');
        cachedAttention(tokens(qkv, 0, 4), cache, 0, shape);
        appended(cache, 4);
      }
      all.newTokens = tf.tensor1d([T - 1, 0, 0, T], 'int32');
      const expected = tf.gather(cachedAttention(tokens(qkv, 4, 4 + T), all, 0, shape), slots);
      appended(all, T);
      some.newTokens = tf.tensor1d([T, T - 1], 'int32');
      some.slots = tf.tensor1d(slots, 'int32');
      const given = cachedAttention(tf.gather(tokens(qkv, 4, 4 + T), slots) as tf.Tensor3D, some, 0, shape);
      appended(some, T);
      assert.deepEqual(Array.from(await some.lengths.data()), [2 + T - 1, 4, 1, 3 + T]);
      const next = tokens(qkv, 6, 7);
      const [after, before] = [some, all].map((cache) => cachedAttention(next, cache, 0, shape));
      for (const [actual, wanted] of [
        [given, expected],
        [after, before],
      ]) {
        if (device.name === 'native') assert.deepEqual(await bitsOf(actual), await bitsOf(wanted));
        else await assertClose(actual, await wanted.data(), { K: 7 });
      }
      for (const cache of [all, some]) disposeKvCache(cache);
    }
  });

  onEveryDevice('takes over the first tokens of other rows', async () => {
    const shape = { B: 4, T: 6, heads: 2, kvHeads: 1, D: 32 };
    const qkv = randomQkv(shape);
    const cache = cacheFor(shape, 6);
    cachedAttention(tokens(qkv, 0, 5), cache, 0, shape);
    appended(cache, 5);
    const [from, counts] = [
      [2, 1, 2, 2],
      [3, 0, 5, 5],
    ];
    takeTokens(cache, from, counts);
    assert.deepEqual(Array.from(await cache.lengths.data()), counts);
    const next = tokens(qkv, 5, 6);
    const given = cachedAttention(next, cache, 0, shape);
    disposeKvCache(cache);
    for (const [row, count] of counts.entries()) {
      const own = tf.slice(qkv, [from[row], 0, 0], [1, count, qkv.shape[2]]);
      const text = tf.concat([own, tf.slice(next, [row, 0, 0], [1, 1, qkv.shape[2]])], 1) as tf.Tensor3D;
      await assertClose(tf.slice(given, [row, 0, 0], [1, 1, 64]), await tokens(whole(text, shape), count, count + 1).data(), { K: 6 });
    }
  });

  onNative('refuses rows that the cache has not, and rows that are taken from and taken over at once', () => {
    const shape = { B: 2, T: 1, heads: 2, kvHeads: 1, D: 32 };
    const cache = cacheFor(shape, 4);
    cache.slots = tf.tensor1d([0, 2], 'int32');
    assert.throws(() => cachedAttention(randomQkv(shape), cache, 0, shape), /cachedAttention: the cache has no such row; received 2/);
    assert.throws(() => takeTokens(cache, [1, 0], [0, 0]), /cacheTake: a row cannot be taken from; received 1/);
    assert.throws(() => takeTokens(cache, [0, 0], [0, 5]), /cacheTake: more tokens than a row holds; received 5/);
    disposeKvCache(cache);
  });

  onEveryDevice('refuses a cache of another shape', () => {
    const shape = { B: 2, T: 1, heads: 2, kvHeads: 1, D: 32 };
    const cache = cacheFor({ ...shape, kvHeads: 2 }, 4);
    assert.throws(
      () => cachedAttention(randomQkv(shape), cache, 0, shape),
      /cachedAttention: a cache of 1 heads of 32 for 2 rows is needed/,
    );
    disposeKvCache(cache);
  });

  onNative('refuses more tokens than the cache holds', () => {
    const shape = { B: 1, T: 5, heads: 2, kvHeads: 1, D: 32 };
    const cache = cacheFor(shape, 4);
    assert.throws(
      () => cachedAttention(randomQkv(shape), cache, 0, shape),
      /more tokens than the cache holds; drop the oldest first; received 5/,
    );
    disposeKvCache(cache);
  });

  onNative('has the same bits on any number of threads, and for a row alone', async () => {
    const shape = { B: 3, T: 150, heads: 4, kvHeads: 2, D: 48 };
    const qkv = randomQkv(shape);
    await assertSameBitsOnAnyThreads(() => inPieces(qkv, shape, [140, 1, 9]));
    const row = tf.slice(qkv, [1, 0, 0], [1, 150, qkv.shape[2]]) as tf.Tensor3D;
    const alone = await bitsOf(inPieces(row, { ...shape, B: 1 }, [140, 1, 9]));
    assert.deepEqual(alone, await bitsOf(tf.slice(inPieces(qkv, shape, [140, 1, 9]), [1, 0, 0], [1, 150, 192])));
  });
});
