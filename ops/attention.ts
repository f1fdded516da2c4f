// Legend: B batch, T tokens, H query heads, KV key-value heads, G = H / KV, D head size, S rows of a cache, N its capacity, W = (H + 2·KV)·D.
import * as tf from '@tensorflow/tfjs';
import { ShapeError } from '../util/errors.js';
import { hasKernel, onTape, runKernel } from './fused.js';

export interface AttentionShape {
  heads: number;
  /** Fewer than `heads` is grouped-query attention: `heads / kvHeads` query heads share one key-value head. */
  kvHeads: number;
}

export interface AttentionOptions extends AttentionShape {
  /** `causal`: a token sees itself and what came before it. `bidirectional`: its whole segment. */
  mask: 'causal' | 'bidirectional';
}

/** Keys and values of one layer, each [S, KV, N, D]; a device whose tensors cannot be written to puts new ones in their place. */
export interface LayerCache {
  keys: tf.Tensor4D;
  values: tf.Tensor4D;
}

/** What `cachedAttention` reads of a cache; model/kv-cache.ts makes one. */
export interface AttentionCache {
  readonly layers: LayerCache[];
  /** [S] int32: tokens already in each row, the same for every layer. */
  readonly lengths: tf.Tensor1D;
  /** [B] int32: how many of the T tokens each row brings, the first ones; the rest is padding. All T when absent. */
  readonly newTokens?: tf.Tensor1D;
  /** [B] int32, no two alike: the row of the cache that each row of tokens belongs to. Its own when absent. */
  readonly slots?: tf.Tensor1D;
}

/**
 * Multi-head attention inside segments, scores scaled by 1/√D.
 *
 * @param qkv      [B, T, W] float32: in each token H heads of q, then KV of k, then KV of v.
 * @param segments [B, T] int32; a token sees tokens of its own segment only. Equal ids are contiguous; -1 is padding.
 * @returns        [B, T, H·D]; 0 at padding, which gets no gradient.
 * @throws ShapeError when W is no multiple of heads + 2·kvHeads, heads none of kvHeads, or segments is not [B, T].
 * Source: Vaswani et al. 2017, eq. 1; streaming softmax from Dao et al. 2022; grouped heads from Ainslie et al. 2023.
 */
export function attention(qkv: tf.Tensor3D, segments: tf.Tensor2D, options: AttentionOptions): tf.Tensor3D {
  headSizeOf('attention', qkv, options);
  if (segments.shape[0] !== qkv.shape[0] || segments.shape[1] !== qkv.shape[1]) {
    throw new ShapeError('attention', `segments must be [${qkv.shape[0]}, ${qkv.shape[1]}] as qkv`, segments.shape);
  }
  return hasKernel('FourfoldAttention') ? fusedAttention(qkv, segments, options) : composedAttention(qkv, segments, options);
}

/**
 * Causal attention of new tokens over those in a cache and themselves; their keys and values are appended to `layer` in place. Lengths stay: they
 * advance when every layer is done. No gradient. On one device the result has the bits of `attention` over the whole sequence from its first token.
 *
 * @param qkv [B, T, W] float32 of the new tokens.
 * @returns   [B, T, H·D]; 0 where a row brings fewer than T tokens.
 * @throws ShapeError when qkv does not fit the cache. A row that would outgrow the capacity is an error on native; elsewhere the caller has to see to it.
 */
export function cachedAttention(qkv: tf.Tensor3D, cache: AttentionCache, layer: number, shape: AttentionShape): tf.Tensor3D {
  const D = headSizeOf('cachedAttention', qkv, shape);
  const { keys } = cache.layers[layer];
  const expected = [cache.slots ? keys.shape[0] : qkv.shape[0], shape.kvHeads, keys.shape[2], D];
  if (keys.shape.some((size, i) => size !== expected[i])) {
    throw new ShapeError('cachedAttention', `a cache of ${shape.kvHeads} heads of ${D} for ${qkv.shape[0]} rows is needed`, keys.shape);
  }
  return hasKernel('FourfoldCachedAttention')
    ? fusedCachedAttention(qkv, cache, layer, shape)
    : composedCachedAttention(qkv, cache, layer, shape);
}

function headSizeOf(op: string, qkv: tf.Tensor, { heads, kvHeads }: AttentionShape): number {
  const D = qkv.shape[2]! / (heads + 2 * kvHeads);
  if (qkv.rank !== 3 || !Number.isInteger(D)) {
    throw new ShapeError(op, `qkv must be [B, T, (${heads} + 2·${kvHeads})·headSize]`, qkv.shape);
  }
  if (heads % kvHeads !== 0) throw new ShapeError(op, 'heads must be a multiple of kvHeads', [heads, kvHeads]);
  return D;
}

function fusedAttention(qkv: tf.Tensor3D, segments: tf.Tensor2D, options: AttentionOptions): tf.Tensor3D {
  const attributes = { heads: options.heads, kvHeads: options.kvHeads, causal: options.mask === 'causal' };
  const [o, lse] = runKernel('FourfoldAttention', { qkv, segments }, attributes);
  onTape('FourfoldAttention', { qkv }, [o], [qkv, segments, o, lse], ([dy], [qkv, segments, o, lse]) => {
    const [dqkv] = runKernel('FourfoldAttentionGrad', { qkv, segments, o, lse, dy }, attributes);
    return { qkv: dqkv };
  });
  lse.dispose();
  return o as tf.Tensor3D;
}

function fusedCachedAttention(qkv: tf.Tensor3D, cache: AttentionCache, layer: number, shape: AttentionShape): tf.Tensor3D {
  const { keys, values } = cache.layers[layer];
  const inputs = { qkv, keys, values, lengths: cache.lengths, newTokens: cache.newTokens, slots: cache.slots };
  return runKernel('FourfoldCachedAttention', inputs, { ...shape })[0] as tf.Tensor3D;
}

/** Queries whose scores, [B, H, kQueries, T], are in memory at once. */
const QUERIES = 128;

/** q [B, KV, G, T, D] scaled by 1/√D, k and v [B, KV, 1, T, D]. */
function splitHeads(qkv: tf.Tensor3D, { heads, kvHeads }: AttentionShape): [tf.Tensor, tf.Tensor, tf.Tensor] {
  const [B, T, W] = qkv.shape;
  const D = W / (heads + 2 * kvHeads);
  const [q, k, v] = tf.split(qkv, [heads * D, kvHeads * D, kvHeads * D], 2);
  const part = (x: tf.Tensor, group: number) => tf.transpose(tf.reshape(x, [B, T, kvHeads, group, D]), [0, 2, 3, 1, 4]);
  return [tf.mul(part(q, heads / kvHeads), 1 / Math.sqrt(D)), part(k, 1), part(v, 1)];
}

/** [B, KV, G, T, D] → [B, T, KV·G·D]. */
function mergeHeads(x: tf.Tensor): tf.Tensor3D {
  const [B, KV, G, T, D] = x.shape as number[];
  return tf.reshape(tf.transpose(x, [0, 3, 1, 2, 4]), [B, T, KV * G * D]);
}

/** a · b over the last two dimensions, the dimension of 1 of either side repeated. */
function products(a: tf.Tensor, b: tf.Tensor, transposeA = false, transposeB = false): tf.Tensor {
  const [B, KV] = a.shape;
  const G = Math.max(a.shape[2]!, b.shape[2]!);
  const flat = (x: tf.Tensor) => {
    const [rows, columns] = x.shape.slice(3);
    const repeated = x.shape[2] === G ? x : tf.tile(x, [1, 1, G, 1, 1]);
    return tf.reshape(repeated, [B * KV * G, rows, columns]) as tf.Tensor3D;
  };
  const product = tf.matMul(flat(a), flat(b), transposeA, transposeB);
  return tf.reshape(product, [B, KV, G, ...product.shape.slice(1)]);
}

/** Softmax over the keys that `allowed` (1 = this query may see this key) leaves; rows without any are 0. */
function maskedSoftmax(scores: tf.Tensor, allowed: tf.Tensor): tf.Tensor {
  const masked = tf.where(allowed.broadcastTo(scores.shape), scores, tf.fill(scores.shape, -3e38));
  const shifted = tf.exp(tf.sub(masked, tf.max(masked, -1, true)));
  const weights = tf.mul(shifted, tf.cast(allowed, 'float32'));
  const total = tf.sum(weights, -1, true);
  return tf.div(weights, tf.add(total, tf.cast(tf.equal(total, 0), 'float32')));
}

/** [B, 1, 1, queries, T] bool: 1 = query from + i may see key j. */
function visible(segments: tf.Tensor2D, from: number, queries: number, mask: AttentionOptions['mask']): tf.Tensor {
  const [B, T] = segments.shape;
  const own = tf.reshape(tf.slice(segments, [0, from], [B, queries]), [B, 1, 1, queries, 1]);
  const all = tf.reshape(segments, [B, 1, 1, 1, T]);
  const together = tf.logicalAnd(tf.equal(own, all), tf.greaterEqual(own, 0));
  if (mask === 'bidirectional') return together;
  const query = tf.reshape(tf.range(from, from + queries, 1, 'int32'), [1, 1, 1, queries, 1]);
  return tf.logicalAnd(together, tf.lessEqual(tf.reshape(tf.range(0, T, 1, 'int32'), [1, 1, 1, 1, T]), query));
}

/** Block by block of queries, forward and again backward, so that no [T, T] lives until the backward pass. */
function composedAttention(qkv: tf.Tensor3D, segments: tf.Tensor2D, options: AttentionOptions): tf.Tensor3D {
  const [B, T, W] = qkv.shape;
  const { heads, kvHeads, mask } = options;
  const D = W / (heads + 2 * kvHeads);
  if (B * T === 0) return tf.mul(tf.slice(qkv, [0, 0, 0], [B, T, heads * D]), 1);
  const blocks = Array.from({ length: Math.ceil(T / QUERIES) }, (_, i) => ({
    from: i * QUERIES,
    size: Math.min(QUERIES, T - i * QUERIES),
  }));
  const rows = (x: tf.Tensor, { from, size }: { from: number; size: number }) =>
    tf.slice(x, [0, 0, 0, from, 0], [x.shape[0], x.shape[1]!, x.shape[2]!, size, x.shape[4]!]);

  const op = tf.customGrad((...args) => {
    const [x, save] = args as unknown as [tf.Tensor3D, tf.GradSaveFunc];
    save([x]);
    const [q, k, v] = splitHeads(x, options);
    const outputs = blocks.map((block) =>
      tf.tidy(() => products(maskedSoftmax(products(rows(q, block), k, false, true), visible(segments, block.from, block.size, mask)), v)),
    );
    const value = mergeHeads(tf.concat(outputs, 3));
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]) => {
      const [q, k, v] = splitHeads(saved[0] as tf.Tensor3D, options);
      const dO = tf.transpose(tf.reshape(dy, [B, T, kvHeads, heads / kvHeads, D]), [0, 2, 3, 1, 4]);
      let dk = tf.zerosLike(k);
      let dv = tf.zerosLike(v);
      const dq = blocks.map((block) => {
        const [dqRows, dkMore, dvMore] = tf.tidy(() => {
          const [qRows, dORows] = [rows(q, block), rows(dO, block)];
          const p = maskedSoftmax(products(qRows, k, false, true), visible(segments, block.from, block.size, mask));
          const dp = products(dORows, v, false, true);
          const ds = tf.mul(p, tf.sub(dp, tf.sum(tf.mul(p, dp), -1, true)));
          const overGroup = (x: tf.Tensor) => tf.sum(x, 2, true);
          return [products(ds, k), tf.add(dk, overGroup(products(ds, qRows, true))), tf.add(dv, overGroup(products(p, dORows, true)))];
        });
        dk.dispose();
        dv.dispose();
        [dk, dv] = [dkMore, dvMore];
        return dqRows;
      });
      const scaled = tf.mul(tf.concat(dq, 3), 1 / Math.sqrt(D));
      return tf.concat([mergeHeads(scaled), mergeHeads(dk), mergeHeads(dv)], 2);
    };
    return { value, gradFunc };
  });
  return op(qkv) as tf.Tensor3D;
}

function composedCachedAttention(qkv: tf.Tensor3D, cache: AttentionCache, layer: number, shape: AttentionShape): tf.Tensor3D {
  const own = cache.layers[layer];
  const [B, T] = qkv.shape;
  const [S, , N] = own.keys.shape;
  const { slots } = cache;
  const rowsOf = <X extends tf.Tensor>(x: X): X => (slots ? (tf.gather(x, slots) as X) : x);
  const [output, keys, values] = tf.tidy(() => {
    const [q, k, v] = splitHeads(qkv, shape);
    const lengths = tf.reshape(rowsOf(cache.lengths), [B, 1, 1]);
    const counts = cache.newTokens ? tf.reshape(cache.newTokens, [B, 1, 1]) : tf.fill([B, 1, 1], T, 'int32');
    const token = tf.reshape(tf.range(0, T, 1, 'int32'), [1, 1, T]);
    const slot = tf.reshape(tf.range(0, N, 1, 'int32'), [1, N, 1]);
    // [B, N, T]: 1 = this token goes into this slot.
    const into = tf.logicalAnd(tf.equal(slot, tf.add(token, lengths)), tf.less(token, counts));
    const taken = tf.reshape(tf.any(into, 2), [B, 1, N, 1]);
    const placed = tf.tile(tf.reshape(tf.cast(into, 'float32'), [B, 1, 1, N, T]), [1, shape.kvHeads, 1, 1, 1]);
    const append = (old: tf.Tensor4D, fresh: tf.Tensor) =>
      tf.where(taken.broadcastTo(old.shape), tf.reshape(products(placed, fresh), old.shape), old) as tf.Tensor4D;
    const keys = append(rowsOf(own.keys), k);
    const values = append(rowsOf(own.values), v);
    const query = tf.reshape(token, [1, T, 1]);
    const seen = tf.logicalAnd(tf.lessEqual(tf.reshape(slot, [1, 1, N]), tf.add(query, lengths)), tf.less(query, counts)); // [B, T, N]
    const heads = (x: tf.Tensor4D) => tf.expandDims(x, 2);
    const weights = maskedSoftmax(products(q, heads(keys), false, true), tf.reshape(seen, [B, 1, 1, T, N]));
    const output = mergeHeads(products(weights, heads(values)));
    if (!slots) return [output, keys, values];
    const row = tf.range(0, S, 1, 'int32');
    const fresh = tf.cast(tf.equal(tf.reshape(row, [S, 1]), tf.reshape(slots, [1, B])), 'int32'); // [S, B]
    const at = tf.where(tf.cast(tf.sum(fresh, 1), 'bool'), tf.add(tf.argMax(fresh, 1), tf.scalar(S, 'int32')), row); // [S]
    const back = (old: tf.Tensor, taken: tf.Tensor) => tf.gather(tf.concat([old, taken], 0), tf.cast(at, 'int32') as tf.Tensor1D);
    return [output, back(own.keys, keys), back(own.values, values)];
  });
  own.keys.dispose();
  own.values.dispose();
  own.keys = tf.keep(keys) as tf.Tensor4D;
  own.values = tf.keep(values) as tf.Tensor4D;
  return output as tf.Tensor3D;
}
