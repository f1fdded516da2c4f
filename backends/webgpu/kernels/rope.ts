import * as tf from '@tensorflow/tfjs';
import type { WebgpuEngine } from '../engine.js';
import { elementwise, runElementwise } from './common.js';

interface Attributes {
  /** Heads of q and k. */
  rotatedHeads: number;
  headSize: number;
  theta: number;
  inverse: boolean;
  /** The result replaces x. */
  inPlace: boolean;
}

/**
 * Cosines and sines of the positions 0 to 255 and of the multiples of 256: [2 steps, 256, D/2, 2], made in double, since WGSL's own are exact only
 * near 0. Any position below 65,536 is the sum of one of each.
 */
function turns(theta: number, D: number): Float32Array {
  return Float32Array.from({ length: 2 * 256 * D }, (_, at) => {
    const i = (at >> 1) % (D / 2);
    const position = Math.floor(at / D) % 256;
    const angle = position * (at < 256 * D ? 1 : 256) * theta ** ((-2 * i) / D);
    return at % 2 === 0 ? Math.cos(angle) : Math.sin(angle);
  });
}

/** An invocation turns elements i and i + D/2 of one head. */
const shader = (inPlace: boolean) =>
  elementwise(`rope-${inPlace}`, {
    buffers: {
      ...(inPlace ? { y: 'f32 written' as const } : { x: 'f32' as const, y: 'f32 written' as const }),
      positions: 'i32',
      turns: 'f32',
    },
    numbers: { W: 'u32', D: 'u32', rotated: 'u32', direction: 'f32' },
    code: `
let pairs = numbers.W / 2u;
let half = numbers.D / 2u;
let row = index / pairs;
let head = index % pairs / half;
let i = index % half;
let at = row * numbers.W + head * numbers.D + i;
let a = ${inPlace ? 'y' : 'x'}[at];
let b = ${inPlace ? 'y' : 'x'}[at + half];
if (head >= numbers.rotated) {
  y[at] = a;
  y[at + half] = b;
  return;
}
let position = u32(positions[row]);
let fine = (position % 256u * half + i) * 2u;
let coarse = ((256u + position / 256u) * half + i) * 2u;
let cosine = turns[coarse] * turns[fine] - turns[coarse + 1u] * turns[fine + 1u];
let sine = (turns[coarse + 1u] * turns[fine] + turns[coarse] * turns[fine + 1u]) * numbers.direction;
y[at] = a * cosine - b * sine;
y[at + half] = b * cosine + a * sine;`,
  });
const IN_PLACE = shader(true);
const FRESH = shader(false);

/** The kernel behind ops/rope.ts. */
export function registerRope(): void {
  tf.registerKernel({
    kernelName: 'FourfoldRope',
    backendName: 'webgpu',
    kernelFunc: ({ inputs, attrs, backend }) => {
      const engine = backend as WebgpuEngine;
      const { x, positions } = inputs as { x: tf.TensorInfo; positions: tf.TensorInfo };
      const { rotatedHeads, headSize: D, theta, inverse, inPlace } = attrs as unknown as Attributes;
      const [B, T, W] = x.shape;
      const y = inPlace ? engine.reshaped(x, x.shape) : engine.make(x.shape);
      const bindings = { x, y, positions, turns: engine.constant(`rope/${theta}/${D}`, () => turns(theta, D)) };
      const numbers = { W, D, rotated: rotatedHeads, direction: inverse ? -1 : 1 };
      runElementwise(engine, inPlace ? IN_PLACE : FRESH, bindings, (B * T * W) / 2, numbers);
      return y;
    },
  });
}
