// Legend: B rows, KV key-value heads, N capacity in tokens, D head size.
import * as tf from '@tensorflow/tfjs';
import type { AttentionCache, LayerCache } from '../ops/attention.js';
import { hasKernel, runKernel } from '../ops/fused.js';
import { headSize, type ModelConfig } from './config.js';

/**
 * Keys and values of the tokens so far, preallocated: for each layer two tensors [B, KV, N, D], of whose row b the first lengths[b] tokens count.
 * Keys are as attention saw them, rotated where the model rotates. Owns its tensors, wherever it was made: `disposeKvCache` frees them.
 */
export interface KvCache extends AttentionCache {
  readonly layers: LayerCache[];
  /** [B] int32: tokens in each row. Written in place where the device can. */
  lengths: tf.Tensor1D;
  /** [B] int32, for the next forward pass only: how many of its T tokens each row brings, the first ones. The caller owns it. */
  newTokens?: tf.Tensor1D;
  /** [B] int32, for the next forward pass only: the rows that it brings tokens to, no two alike; all when absent. The caller owns it. */
  slots?: tf.Tensor1D;
  /** Tokens that a row can hold. */
  readonly capacity: number;
}

/** An empty cache of `rows` rows and room for `capacity` tokens each. */
export function createKvCache(config: ModelConfig, rows: number, capacity: number): KvCache {
  const empty = () => tf.keep(tf.zeros([rows, config.num_key_value_heads, capacity, headSize(config)])) as tf.Tensor4D;
  const layers = Array.from({ length: config.num_hidden_layers }, () => ({ keys: empty(), values: empty() }));
  return { layers, lengths: tf.keep(tf.zeros([rows], 'int32')) as tf.Tensor1D, capacity };
}

/** The pass over T new tokens is through every layer: they count from now on. Forgets `newTokens` and `slots`. */
export function appended(cache: KvCache, T: number): void {
  const { newTokens, slots, lengths } = cache;
  if (hasKernel('FourfoldCacheAdvance')) {
    runKernel('FourfoldCacheAdvance', { lengths, newTokens, slots }, { tokens: T });
  } else {
    replaceLengths(cache, () => {
      const brought = newTokens ?? tf.fill([slots?.shape[0] ?? lengths.shape[0]], T, 'int32');
      return tf.add(lengths, slots ? tf.scatterND(tf.expandDims(slots, 1), brought, [lengths.shape[0]]) : brought);
    });
  }
  cache.newTokens = undefined;
  cache.slots = undefined;
}

/** Row b becomes what row rows[b] was: for beam search, and to keep or repeat some rows. `rows` may be longer or shorter than the cache has rows. */
export function reorderRows(cache: KvCache, rows: tf.Tensor1D): void {
  const take = <T extends tf.Tensor>(tensor: T): T => {
    const taken = tf.keep(tf.gather(tensor, rows));
    tensor.dispose();
    return taken as T;
  };
  for (const layer of cache.layers) {
    layer.keys = take(layer.keys);
    layer.values = take(layer.values);
  }
  cache.lengths = take(cache.lengths);
}

/**
 * Drops the oldest drop[b] tokens of row b, and moves what remains to the front: to slide a window, or to empty a row for another text.
 * @param drop [B] int32, at most lengths[b].
 */
export function dropOldest(cache: KvCache, drop: tf.Tensor1D): void {
  for (const layer of cache.layers) {
    for (const part of ['keys', 'values'] as const) {
      const x = layer[part];
      if (hasKernel('FourfoldCacheDrop')) {
        runKernel('FourfoldCacheDrop', { x, lengths: cache.lengths, drop });
      } else {
        layer[part] = tf.keep(tf.tidy(() => shifted(x, drop)));
        x.dispose();
      }
    }
  }
  changeLengths(cache, tf.neg(drop));
}

/**
 * Row b becomes the first counts[b] tokens of row from[b]: to begin a text in it, with what another row has read already.
 * @param from   a row that is taken from keeps its own tokens, if fewer: from[from[b]] = from[b].
 * @param counts at most the tokens of row from[b].
 */
export function takeTokens(cache: KvCache, from: readonly number[], counts: readonly number[]): void {
  const rows = tf.tensor1d([...from], 'int32');
  const lengths = tf.tensor1d([...counts], 'int32');
  for (const layer of cache.layers) {
    for (const part of ['keys', 'values'] as const) {
      const x = layer[part];
      if (hasKernel('FourfoldCacheTake')) {
        runKernel('FourfoldCacheTake', { x, from: rows, counts: lengths });
      } else {
        layer[part] = tf.keep(tf.gather(x, rows));
        x.dispose();
      }
    }
  }
  changeLengths(cache, tf.sub(lengths, cache.lengths));
  tf.dispose([rows, lengths]);
}

/**
 * Drops the newest drop[b] tokens of row b, so that it goes on as if they had never been read: what is in their slots counts no more, and the next
 * tokens overwrite it.
 * @param drop [B] int32, at most lengths[b].
 */
export function dropNewest(cache: KvCache, drop: tf.Tensor1D): void {
  changeLengths(cache, tf.neg(drop));
}

export function disposeKvCache(cache: KvCache): void {
  for (const { keys, values } of cache.layers) tf.dispose([keys, values]);
  cache.lengths.dispose();
}

/** Adds change[b], which it disposes of, to the length of each row. */
function changeLengths(cache: KvCache, change: tf.Tensor): void {
  if (hasKernel('FourfoldCacheAdvance')) {
    runKernel('FourfoldCacheAdvance', { lengths: cache.lengths, newTokens: change }, { tokens: 0 });
  } else {
    replaceLengths(cache, () => tf.add(cache.lengths, change));
  }
  change.dispose();
}

function replaceLengths(cache: KvCache, make: () => tf.Tensor): void {
  const lengths = tf.keep(tf.tidy(() => tf.cast(make(), 'int32') as tf.Tensor1D));
  cache.lengths.dispose();
  cache.lengths = lengths;
}

/** x[b, :, slot + drop[b], :]; past the end, the last slot again. */
function shifted(x: tf.Tensor4D, drop: tf.Tensor1D): tf.Tensor4D {
  const [B, KV, N, D] = x.shape;
  const slots = tf.range(0, N, 1, 'int32');
  const rows = Array.from({ length: B }, (_, b) => {
    const from = tf.cast(tf.minimum(tf.add(slots, tf.slice(drop, [b], [1])), tf.scalar(N - 1, 'int32')), 'int32');
    return tf.gather(tf.slice(x, [b, 0, 0, 0], [1, KV, N, D]), from, 2);
  });
  return tf.concat(rows, 0);
}
