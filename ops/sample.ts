// Legend: B batch, V vocabulary, L previous tokens.
import * as tf from '@tensorflow/tfjs';
import { lastWritten } from '../backends/recording.js';
import type { SamplingSettings } from '../backends/sampling-settings.js';
import { philox } from '../util/random.js';
import { hasKernel, runKernel } from './fused.js';

export interface SamplingOptions {
  /** 0 is greedy: the most probable token, of equals the lowest id. */
  temperature: number;
  /** Only the k most probable tokens (and those equal to the k-th); 0 for all. */
  topK?: number;
  /** Only the smallest set of the most probable tokens that reaches this probability; 1 for all. */
  topP?: number;
  /** Only tokens at least this times as probable as the most probable one; 0 for all. */
  minP?: number;
  /** Logits of the tokens in `previous` are divided by it when positive, multiplied when negative; 1 for none. */
  repetitionPenalty?: number;
  /** [B, L] int32 tokens already there; -1 is none. */
  previous?: tf.Tensor2D;
}

export interface SampledTokens {
  /** [B] int32. */
  ids: tf.Tensor1D;
  /** [B]: log softmax(logits / temperature)[id], before penalty and filters; at temperature 0 that of the plain logits. */
  logProbs: tf.Tensor1D;
}

/**
 * Draws the next token of each row. Penalty, temperature, top-k, top-p and min-p are applied in this order, as transformers does.
 * What a row gives depends on its own logits, key and previous tokens alone.
 *
 * @param logits [B, V] float32.
 * @param keys   [B, 5] int32 (seed low, seed high, update, prompt id, position), a tensor, so that recorded work finds new values in it;
 *               written by `overwrite`.
 * @throws Error (native) when the logits of a row hold NaN or infinity; elsewhere its id is -1.
 * Source: Holtzman et al. 2020 (top-p); Nguyen et al. 2024 (min-p); Keskar et al. 2019 (penalty); Salmon et al. 2011 (random numbers).
 */
export function sampleTokens(logits: tf.Tensor2D, keys: tf.Tensor2D, options: SamplingOptions): SampledTokens {
  const { temperature, topK = 0, topP = 1, minP = 0, repetitionPenalty = 1 } = options;
  const previous = repetitionPenalty === 1 ? undefined : options.previous;
  const settings = { temperature, topK, topP, minP, repetitionPenalty };
  const [ids, logProbs] = hasKernel('FourfoldSampleTokens')
    ? runKernel('FourfoldSampleTokens', { logits, keys, previous }, settings)
    : tf.tidy(() => composedSample(logits, keys, previous, settings));
  return { ids: ids as tf.Tensor1D, logProbs: logProbs as tf.Tensor1D };
}

/**
 * The k most probable tokens of each row, best first, of equals the lowest id first: what beam search extends its beams by.
 *
 * @param logits [B, V] float32.
 * @returns      ids [B, k] int32 and log softmax(logits)[id], [B, k].
 */
export function topTokens(logits: tf.Tensor2D, k: number): { ids: tf.Tensor2D; logProbs: tf.Tensor2D } {
  const [ids, logProbs] = hasKernel('FourfoldTopTokens')
    ? runKernel('FourfoldTopTokens', { logits }, { k: Math.min(k, logits.shape[1]) })
    : tf.tidy(() => {
        const { values, indices } = tf.topk(tf.logSoftmax(logits), Math.min(k, logits.shape[1]));
        return [indices, values];
      });
  return { ids: ids as tf.Tensor2D, logProbs: logProbs as tf.Tensor2D };
}

/** As the kernel, except that tokens equal to the last one of the top-p set are kept as well. */
function composedSample(
  logits: tf.Tensor2D,
  keys: tf.Tensor2D,
  previous: tf.Tensor2D | undefined,
  settings: SamplingSettings,
): tf.Tensor[] {
  const [B, V] = logits.shape;
  const { temperature, topK, topP, minP, repetitionPenalty } = settings;
  const plain = tf.logSoftmax(temperature > 0 ? tf.div(logits, temperature) : logits);
  const penalised = previous ? penalise(logits, previous, repetitionPenalty) : logits;
  let ids: tf.Tensor;
  if (temperature === 0) {
    ids = tf.argMax(penalised, 1);
  } else {
    let x = tf.div(penalised, temperature) as tf.Tensor2D;
    const keep = (kept: tf.Tensor) => {
      x = tf.where(kept, x, Number.NEGATIVE_INFINITY) as tf.Tensor2D;
    };
    if (topK > 0 && topK < V) keep(tf.greaterEqual(x, tf.slice(tf.topk(x, topK).values, [0, topK - 1], [B, 1])));
    if (topP < 1) {
      const sorted = tf.topk(x, V).values;
      const before = tf.cumsum(tf.softmax(sorted), 1, true); // [B, V] probability of those ahead
      const kept = tf.logicalOr(tf.less(before, topP), tf.equal(before, 0));
      keep(tf.greaterEqual(x, tf.min(tf.where(kept, sorted, Number.POSITIVE_INFINITY), 1, true)));
    }
    const p = tf.exp(tf.sub(x, tf.max(x, 1, true)));
    const reached = tf.cumsum(tf.where(tf.less(p, minP), tf.zerosLike(p), p), 1); // [B, V]
    const total = tf.slice(reached, [0, V - 1], [B, 1]);
    const goal = tf.mul(total, uniforms(lastWritten(keys), B));
    ids = tf.sum(tf.cast(tf.lessEqual(reached, goal), 'int32'), 1);
  }
  const sound = tf.isFinite(tf.sum(tf.exp(plain), 1));
  const own = tf.cast(tf.oneHot(tf.cast(ids, 'int32') as tf.Tensor1D, V), 'bool');
  const logProbs = tf.sum(tf.where(own, plain, 0), 1);
  return [tf.where(sound, tf.cast(ids, 'int32'), tf.scalar(-1, 'int32')), logProbs];
}

function penalise(logits: tf.Tensor2D, previous: tf.Tensor2D, penalty: number): tf.Tensor2D {
  const [B, V] = logits.shape;
  // Of each row its own V + 1 counters, the first of them for what is none.
  const counter = tf.add(tf.add(previous, tf.scalar(1, 'int32')), tf.mul(tf.reshape(tf.range(0, B, 1, 'int32'), [B, 1]), V + 1));
  const counts = tf.unsortedSegmentSum(tf.onesLike(previous).toFloat().flatten(), counter.toInt().flatten() as tf.Tensor1D, B * (V + 1));
  const there = tf.slice(tf.reshape(counts, [B, V + 1]), [0, 1], [B, V]);
  const changed = tf.where(tf.less(logits, 0), tf.mul(logits, penalty), tf.div(logits, penalty));
  return tf.where(tf.greater(there, 0), changed, logits) as tf.Tensor2D;
}

/** One draw in [0, 1) a row; below 1 in float32, too. The twin of the draw in backends/native/cpp/kernels/sample.h. */
function uniforms(keys: ArrayLike<number>, B: number): tf.Tensor2D {
  const draws = Float32Array.from({ length: B }, (_, i) => {
    const [seedLow, seedHigh, update, prompt, position] = Array.from({ length: 5 }, (_, k) => keys[5 * i + k]);
    const [high, low] = philox([seedLow, seedHigh], [position, prompt, update, 0x53414d50]);
    return Math.min(1 - 2 ** -23, ((high >>> 5) * 2 ** 26 + (low >>> 6)) / 2 ** 53);
  });
  return tf.tensor2d(draws, [B, 1]);
}
