// Legend: B batch, T tokens, H query heads, KV key-value heads, G = H / KV, D head size, S rows of a cache, N its capacity, W = (H + 2·KV)·D.
import * as tf from '@tensorflow/tfjs';
import { ShapeError } from '../util/errors.js';
import { hasKernel, offTape, onTape, runKernel } from './fused.js';

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
const QUERIES = 64;

/** x [B, T, heads·D] → [B·KV, heads / KV, T, D]: no rank above 4 stays alive, since not every device goes beyond. */
function byHead(x: tf.Tensor3D, heads: number, kvHeads: number): tf.Tensor4D {
  const [B, T, width] = x.shape;
  const G = heads / kvHeads;
  return tf.reshape(tf.transpose(tf.reshape(x, [B, T, heads, width / heads]), [0, 2, 1, 3]), [B * kvHeads, G, T, width / heads]);
}

/** q [B·KV, G, T, D] scaled by 1/√D, k and v [B·KV, T, D]. */
function splitHeads(qkv: tf.Tensor3D, { heads, kvHeads }: AttentionShape): [tf.Tensor4D, tf.Tensor3D, tf.Tensor3D] {
  const D = qkv.shape[2] / (heads + 2 * kvHeads);
  return tf.tidy(() => {
    const [q, k, v] = tf.split(qkv, [heads * D, kvHeads * D, kvHeads * D], 2) as tf.Tensor3D[];
    const one = (x: tf.Tensor3D) => tf.squeeze<tf.Tensor3D>(byHead(x, kvHeads, kvHeads), [1]);
    return [tf.mul(byHead(q, heads, kvHeads), 1 / Math.sqrt(D)), one(k), one(v)];
  });
}

/** [B·KV, G, T, D] → [B, T, KV·G·D]. */
function mergeHeads(x: tf.Tensor, B: number): tf.Tensor3D {
  const [rows, G, T, D] = x.shape as number[];
  const heads = (rows / B) * G;
  return tf.reshape(tf.transpose(tf.reshape(x, [B, heads, T, D]), [0, 2, 1, 3]), [B, T, heads * D]);
}

/** The queries from..from + size of all heads that share keys, as rows of one matrix: [B·KV, G, T, D] → [B·KV, G·size, D]. */
function rowsOfBlock(x: tf.Tensor4D, from: number, size: number): tf.Tensor3D {
  const [rows, G, , D] = x.shape;
  return tf.reshape(tf.slice(x, [0, 0, from, 0], [rows, G, size, D]), [rows, G * size, D]);
}

/** Softmax of the scores [B·KV, G·queries, T] over the keys that `allowed` [B, 1, queries, T] leaves (1 = seen); rows without any are 0. */
function maskedSoftmax<S extends tf.Tensor>(scores: S, allowed: tf.Tensor4D): S {
  const [B, , queries, T] = allowed.shape;
  const byBatch = tf.reshape(scores, [B, -1, queries, T]);
  const masked = tf.where(allowed.broadcastTo(byBatch.shape), byBatch, tf.fill(byBatch.shape, -3e38));
  const shifted = tf.exp(tf.sub(masked, tf.max(masked, -1, true)));
  const weights = tf.mul(shifted, tf.cast(allowed, 'float32'));
  const total = tf.sum(weights, -1, true);
  return tf.reshape(tf.div(weights, tf.add(total, tf.cast(tf.equal(total, 0), 'float32'))), scores.shape) as S;
}

/** [B, 1, queries, T] bool: 1 = query from + i may see key j. */
function visible(segments: tf.Tensor2D, from: number, queries: number, mask: AttentionOptions['mask']): tf.Tensor4D {
  const [B, T] = segments.shape;
  const own = tf.reshape(tf.slice(segments, [0, from], [B, queries]), [B, 1, queries, 1]);
  const all = tf.reshape(segments, [B, 1, 1, T]);
  const together = tf.logicalAnd(tf.equal(own, all), tf.greaterEqual(own, 0)) as tf.Tensor4D;
  if (mask === 'bidirectional') return together;
  const query = tf.reshape(tf.range(from, from + queries, 1, 'int32'), [1, 1, queries, 1]);
  return tf.logicalAnd(together, tf.lessEqual(tf.reshape(tf.range(0, T, 1, 'int32'), [1, 1, 1, T]), query));
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

  const rows = B * kvHeads;
  const G = heads / kvHeads;
  const output = offTape(() => {
    const [q, k, v] = splitHeads(qkv, options);
    const outputs = blocks.map(({ from, size }) =>
      tf.tidy(() => {
        const scores = tf.matMul(rowsOfBlock(q, from, size), k, false, true);
        const o = tf.matMul(maskedSoftmax(scores, visible(segments, from, size, mask)), v);
        return tf.reshape(o, [rows, G, size, D]);
      }),
    );
    return mergeHeads(tf.concat(outputs, 2), B);
  });
  onTape('FourfoldAttention', { qkv }, [output], [qkv, segments], ([dy], kept) => {
    const [x, segments] = kept as [tf.Tensor3D, tf.Tensor2D];
    const [q, k, v] = splitHeads(x, options);
    const dO = byHead(dy as tf.Tensor3D, heads, kvHeads);
    let dk = tf.zerosLike(k);
    let dv = tf.zerosLike(v);
    const dq = blocks.map(({ from, size }) => {
      const [dqRows, dkMore, dvMore] = tf.tidy(() => {
        const [qRows, dORows] = [rowsOfBlock(q, from, size), rowsOfBlock(dO, from, size)];
        const scores = tf.matMul(qRows, k, false, true);
        const p = maskedSoftmax(scores, visible(segments, from, size, mask));
        const dp = tf.matMul(dORows, v, false, true);
        const ds = tf.mul(p, tf.sub(dp, tf.sum(tf.mul(p, dp), -1, true)));
        const dqRows = tf.reshape(tf.matMul(ds, k), [rows, G, size, D]);
        // Rows of one matrix are all queries that share a key: the product sums over them.
        return [dqRows, tf.add(dk, tf.matMul(ds, qRows, true)), tf.add(dv, tf.matMul(p, dORows, true))];
      });
      dk.dispose();
      dv.dispose();
      [dk, dv] = [dkMore, dvMore] as [tf.Tensor3D, tf.Tensor3D];
      return dqRows;
    });
    const scaled = tf.mul(tf.concat(dq, 2), 1 / Math.sqrt(D));
    return { qkv: tf.concat([mergeHeads(scaled, B), mergeHeads(tf.expandDims(dk, 1), B), mergeHeads(tf.expandDims(dv, 1), B)], 2) };
  });
  return output;
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
    const KV = shape.kvHeads;
    const placed = tf.reshape(tf.tile(tf.cast(into, 'float32'), [1, KV, 1]), [B * KV, N, T]);
    const append = (old: tf.Tensor4D, fresh: tf.Tensor3D) =>
      tf.where(taken.broadcastTo(old.shape), tf.reshape(tf.matMul(placed, fresh), old.shape), old) as tf.Tensor4D;
    const keys = append(rowsOf(own.keys), k);
    const values = append(rowsOf(own.values), v);
    const query = tf.reshape(token, [1, T, 1]);
    const seen = tf.logicalAnd(tf.lessEqual(tf.reshape(slot, [1, 1, N]), tf.add(query, lengths)), tf.less(query, counts)); // [B, T, N]
    const perHead = (x: tf.Tensor4D): tf.Tensor3D => tf.reshape(x, [B * KV, N, x.shape[3]]);
    const scores = tf.matMul(rowsOfBlock(q, 0, T), perHead(keys), false, true);
    const weights = maskedSoftmax(scores, tf.reshape(seen, [B, 1, T, N]));
    const output = mergeHeads(tf.reshape(tf.matMul(weights, perHead(values)), q.shape), B);
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
