// Legend: B batch, T tokens, H query heads, KV key-value heads, D head size.
import * as tf from '@tensorflow/tfjs';
import { ShapeError } from '../util/errors.js';
import { hasKernel, offTape, onTape, runKernel } from './fused.js';

export interface RopeOptions {
  heads: number;
  kvHeads: number;
  headSize: number;
  /** Base of the wavelengths, `rope_theta`. */
  theta: number;
}

/**
 * Rotary positions on the q and k parts; v stays as it is. In each head, elements i and i + D/2 turn by position · theta^(-2i/D), as in Hugging
 * Face's Llama. The gradient is the turn back.
 *
 * @param qkv       [B, T, (H + 2·KV)·D] float32: H heads of q, then KV of k, then KV of v.
 * @param positions [B, T] int32, from 0, below 65,536.
 * @returns         the shape of qkv.
 * @throws ShapeError when the head size is odd, or a shape does not fit.
 * Source: Su et al. 2021, eq. 34.
 */
export function rope(qkv: tf.Tensor3D, positions: tf.Tensor2D, options: RopeOptions): tf.Tensor3D {
  const { heads, kvHeads, headSize } = options;
  if (headSize % 2 !== 0) throw new ShapeError('rope', 'the head size must be even', [headSize]);
  if (qkv.shape[2] !== (heads + 2 * kvHeads) * headSize) {
    throw new ShapeError('rope', `qkv must be [B, T, (${heads} + 2·${kvHeads})·${headSize}]`, qkv.shape);
  }
  if (positions.size !== qkv.shape[0] * qkv.shape[1])
    throw new ShapeError('rope', `positions must be [${qkv.shape.slice(0, 2)}]`, positions.shape);
  return hasKernel('FourfoldRope') ? fusedRope(qkv, positions, options) : composedRope(qkv, positions, options);
}

function fusedRope(qkv: tf.Tensor3D, positions: tf.Tensor2D, options: RopeOptions): tf.Tensor3D {
  const attributes = { rotatedHeads: options.heads + options.kvHeads, headSize: options.headSize, theta: options.theta };
  const outputs = runKernel('FourfoldRope', { x: qkv, positions }, { ...attributes, inverse: false, inPlace: false });
  onTape('FourfoldRope', { qkv }, outputs, [positions], ([dy], [positions]) => {
    const inPlace = tf.engine().backend.refCount(dy.dataId) === 1; // nothing else looks at this gradient, which is freed after this
    const [dqkv] = runKernel('FourfoldRope', { x: dy, positions }, { ...attributes, inverse: true, inPlace });
    return { qkv: dqkv };
  });
  return outputs[0] as tf.Tensor3D;
}

const COARSE = 256;
const tables = new Map<string, Float32Array[]>();

/** Cosines and sines of 256 positions `step` apart, [256, D/2] each; computed in double, rounded once. */
function table(theta: number, D: number, step: number): tf.Tensor2D[] {
  const key = `${theta}/${D}/${step}`;
  let values = tables.get(key);
  if (!values) {
    const angle = (i: number) => Math.floor(i / (D / 2)) * step * theta ** ((-2 * (i % (D / 2))) / D);
    const each = (turn: (x: number) => number) => Float32Array.from({ length: (COARSE * D) / 2 }, (_, i) => turn(angle(i)));
    values = [each(Math.cos), each(Math.sin)];
    tables.set(key, values);
  }
  return values.map((data) => tf.tensor2d(data, [COARSE, D / 2]));
}

/** Cosine and sine of every position, [B, T, 1, D/2], from those of its multiple of 256 and of the rest: cos(a + b) = cos a cos b − sin a sin b. */
function turns(positions: tf.Tensor2D, theta: number, D: number): [tf.Tensor, tf.Tensor] {
  const coarse = tf.cast(tf.floor(tf.div(tf.cast(positions, 'float32'), COARSE)), 'int32');
  const fine = tf.sub(positions, tf.mul(coarse, tf.scalar(COARSE, 'int32')));
  const at = (step: number, index: tf.Tensor) => table(theta, D, step).map((values) => tf.gather(values, tf.cast(index, 'int32')));
  const [cosA, sinA] = at(COARSE, coarse);
  const [cosB, sinB] = at(1, fine);
  const cosine = tf.sub(tf.mul(cosA, cosB), tf.mul(sinA, sinB));
  const sine = tf.add(tf.mul(sinA, cosB), tf.mul(cosA, sinB));
  return [tf.expandDims(cosine, 2), tf.expandDims(sine, 2)];
}

function composedRope(qkv: tf.Tensor3D, positions: tf.Tensor2D, options: RopeOptions): tf.Tensor3D {
  const output = offTape(() => turned(qkv, positions, options, 1));
  onTape('FourfoldRope', { qkv }, [output], [positions], ([dy], [positions]) => ({
    qkv: turned(dy as tf.Tensor3D, positions as tf.Tensor2D, options, -1),
  }));
  return output;
}

/** @param way 1, or -1 for the turn back. */
function turned(qkv: tf.Tensor3D, positions: tf.Tensor2D, { heads, kvHeads, headSize, theta }: RopeOptions, way: 1 | -1): tf.Tensor3D {
  const [B, T] = qkv.shape;
  const rotated = heads + kvHeads;
  if (B * T === 0) return tf.mul(qkv, 1);
  const [cosine, forth] = turns(tf.reshape(positions, [B, T]), theta, headSize);
  const sine = tf.mul(forth, way);
  const [turning, v] = tf.split(qkv, [rotated * headSize, kvHeads * headSize], 2);
  const [a, b] = tf.split(tf.reshape(turning, [B, T, rotated, headSize]), 2, 3); // [B, T, H + KV, D/2] each
  const both = tf.concat([tf.sub(tf.mul(a, cosine), tf.mul(b, sine)), tf.add(tf.mul(b, cosine), tf.mul(a, sine))], 3);
  return tf.concat([tf.reshape(both, [B, T, rotated * headSize]), v], 2) as tf.Tensor3D;
}
